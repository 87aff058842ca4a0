"""Executes a file as the main program, with the framework's stand-in in place."""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

from sentient_cli.compat.finder import install
from sentient_cli.errors import AgentNotFoundError, SentientError
from sentient_cli.runtime.loader import add_to_path
from sentient_cli.runtime.loading.failures import import_failure
from sentient_cli.runtime.loading.target import parse_target

__all__ = ["run_script"]


def run_script(file: Path, arguments: Sequence[str] = (), *, project_dir: Path | None = None) -> int:
    """Execute a file as ``__main__``.

    Args:
        file: A Python file.
        arguments: What it finds in `sys.argv` after its own name.
        project_dir: It and its ``src`` are put on `sys.path`, as is the file's own directory.

    Returns:
        The exit code that the script asked for; 0 unless it did.

    Raises:
        AgentNotFoundError: there is no such file.
        AgentImportError: it is no Python.
        SentientError: it raised; ``detail`` has the frames of the user's own code.
    """
    target = _find(file)
    install()
    with _arguments(str(file), arguments):
        if project_dir is not None:
            add_to_path(project_dir)
        add_to_path(target.parent)
        return _execute(target)


def _find(file: Path) -> Path:
    # With a separator in it, nothing but a file is meant.
    target = parse_target(f".{os.sep}{file}" if not file.is_absolute() else str(file), Path.cwd(), Path.cwd())
    if target.file is None or file.is_dir():
        raise AgentNotFoundError(f"{file} is no file", fix="Name a Python file")
    return target.file


@contextlib.contextmanager
def _arguments(name: str, arguments: Sequence[str]) -> Generator[None]:
    before = sys.argv, list(sys.path)
    sys.argv = [name, *arguments]
    try:
        yield
    finally:
        sys.argv, sys.path[:] = before


def _execute(file: Path) -> int:
    try:
        runpy.run_path(str(file), run_name="__main__")
    except SystemExit as error:
        return _exit_code(error)
    except (KeyboardInterrupt, SentientError):
        raise
    except SyntaxError as error:
        raise import_failure(error, f"{file.name} cannot be run") from error
    except BaseException as error:
        found = import_failure(error, f"{file.name} failed")
        raise SentientError(found.what, why=found.why, fix=found.fix, detail=found.detail) from error
    return 0


def _exit_code(error: SystemExit) -> int:
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    raise SentientError(str(code)) from error
