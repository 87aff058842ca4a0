"""Imports the user's code: a file under a name that stays the same, or a module by its name."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Generator
from contextvars import ContextVar
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType

from sentient_cli.errors import AgentImportError, AgentLoadError, AgentNotFoundError, SentientError
from sentient_cli.runtime.loading.failures import import_failure
from sentient_cli.runtime.loading.frames import user_frames
from sentient_cli.runtime.loading.target import Target, near

__all__ = ["add_to_path", "import_target", "loading", "user_code"]

loading: ContextVar[bool] = ContextVar("sentient_loading", default=False)
"""Whether an agent's code is being imported in this context: a server must not start then."""


def import_target(target: Target, project_dir: Path) -> ModuleType:
    """Import what a target names.

    Args:
        target: A file or a module.
        project_dir: It and its ``src`` are put on `sys.path`; so is the directory above a file's packages.

    Raises:
        AgentNotFoundError: there is no such module.
        AgentImportError: the code raised, or is no Python.
    """
    add_to_path(project_dir)
    importlib.invalidate_caches()
    if target.file is not None:
        return _import_file(target.file)
    return _import_module(target.module, project_dir)


def add_to_path(project_dir: Path) -> None:
    """Make the modules of a project importable: those beside its project file and those in its ``src``."""
    source = project_dir / "src"
    for path in (source, project_dir) if source.is_dir() else (project_dir,):
        _prepend(path)


def _prepend(path: Path) -> None:
    text = str(path.resolve())
    if text not in sys.path:
        sys.path.insert(0, text)


@contextlib.contextmanager
def user_code(place: str) -> Generator[None]:
    """Turn whatever the user's code raises into an `AgentImportError`; an interrupt stays one.

    Args:
        place: What was being done, such as "agent.py failed while it was imported".
    """
    token = loading.set(True)
    try:
        yield
    except (KeyboardInterrupt, AgentLoadError):
        raise
    except BaseException as error:
        raise import_failure(error, place) from error
    finally:
        loading.reset(token)


def _import_file(file: Path) -> ModuleType:
    root = file.parent
    while (root / "__init__.py").is_file() and root != root.parent:
        root = root.parent
    _prepend(root)
    parts = file.relative_to(root).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    with user_code(f"{file.name} failed while it was imported"):
        if "." in name or file.name == "__init__.py":
            module = importlib.import_module(name)
        else:
            module = _execute(file, name if _is_free(name, file) else _private_name(file))
    if not _is_of(module, file):
        raise AgentImportError(
            f"{file} cannot be imported as {name}",
            why=f"That name belongs to {getattr(module, '__file__', None) or 'a built-in module'}",
            fix="Give the package another name",
        )
    return module


def _is_free(name: str, file: Path) -> bool:
    if not name.isidentifier() or name in sys.stdlib_module_names:
        return False
    loaded = sys.modules.get(name)
    return loaded is None or _is_of(loaded, file)


def _is_of(module: ModuleType, file: Path) -> bool:
    return Path(getattr(module, "__file__", None) or "?").resolve() == file.resolve()


def _private_name(file: Path) -> str:
    stem = "".join(char if char.isidentifier() else "_" for char in file.stem)
    return f"_sentient_{stem}_{hashlib.sha256(os.fsencode(file)).hexdigest()[:8]}"


def _execute(file: Path, name: str) -> ModuleType:
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded
    # As what this file imports is loaded, be it from bytecode or not.
    found = PathFinder.find_spec(file.stem, [str(file.parent)])
    loader = type(found.loader) if found is not None and isinstance(found.loader, SourceFileLoader) else None
    spec = importlib.util.spec_from_file_location(name, file, loader=loader(name, str(file)) if loader else None)
    if spec is None or spec.loader is None:
        raise AgentImportError(f"{file} cannot be imported", fix="Name a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _import_module(name: str, project_dir: Path) -> ModuleType:
    with user_code(f"{name} failed while it was imported"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if user_frames(error) or not f"{name}.".startswith(f"{error.name}."):
                raise
            raise _no_module(name, error, project_dir) from error


def _no_module(name: str, error: ModuleNotFoundError, project_dir: Path) -> SentientError:
    missing = error.name or name
    folders = [folder for folder in (project_dir, project_dir / "src") if folder.is_dir()]
    known = [path.stem for folder in folders for path in folder.iterdir() if path.suffix == ".py" or _is_package(path)]
    similar = near(missing, known)
    return AgentNotFoundError(
        f"There is no module {missing}",
        why=f"It is neither in {project_dir} nor installed",
        fix=f"Did you mean {similar}?" if similar else "Check the name, or name the agent's file",
    )


def _is_package(path: Path) -> bool:
    return (path / "__init__.py").is_file()
