"""What a fork server imports before there is any code of the user's: this package's server, and installed packages.

Which installed packages is read off the user's files, without running them; what that misses a generation tells later.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

__all__ = [
    "BASE",
    "COMMON",
    "base_packages",
    "imported_names",
    "is_installed",
    "load",
    "load_base",
    "load_common",
    "load_rest",
    "with_lazy_parts",
]

COMMON: Final = (
    "asyncio",
    "encodings.idna",
    "resource",
    "sentient_cli.config",
    "sentient_cli.config.loading",
    "sentient_cli.dev.channel",
    "sentient_cli.dev.debugging",
    "sentient_cli.dev.messages",
    "sentient_cli.dev.problems",
    "sentient_cli.dev.recording.recorder",
    "sentient_cli.sanitize",
    "sentient_cli.server.adopting",
    "sentient_cli.server.descriptors",
    "sentient_cli.server.gate",
    "sentient_cli.server.httptools_protocol",
    "sentient_cli.server.inspection",
    "uvicorn.lifespan.off",
)
"""Modules that the hub needs as well. Those that are missing here are imported twice, once in each process."""

BASE: Final = (
    "sentient_cli.dev.worker",
    "sentient_cli.compat",
    "sentient_cli.compat.adapting",
    "sentient_cli.store.file",
    "sentient_cli.store.sqlite",
    "uvloop",
    "uvicorn.loops.auto",
    *COMMON,
)
"""Modules that each worker needs."""

LATER: Final = (
    "sentient_cli.host.llm",
    "sentient_cli.host.llm_texts",
    "tomllib",
    "starlette.routing",
    "sentient_cli.experiments.forgetting",
    "sentient_cli.llm.offline.assistant",
    "sentient_cli.testing.models",
)
"""Modules that many runs need, but no start."""

base_packages: set[str] = set()
"""Top-level modules that were there once `load_base` had loaded those."""

_LAZY_PARTS: Final = {
    "openai": ("openai.resources.chat", "openai.resources.responses", "openai.types.chat", "openai.types.responses"),
    "anthropic": ("anthropic.resources.messages", "anthropic.types", "anthropic.lib.streaming"),
    "httpx": ("httpx._transports.default",),
}
"""What these packages import only when a client is used first: most of their cost."""

_MAX_FILES: Final = 400
_MAX_SIZE: Final = 1024 * 1024
_SKIPPED: Final = frozenset({"node_modules", "__pycache__", "build", "dist", "site-packages"})
_PACKAGES: Final = ("site-packages", "dist-packages")


def imported_names(folder: Path) -> list[str]:
    """The top-level modules that the Python files of a folder import, of those that are installed.

    Args:
        folder: A project.
    """
    names: set[str] = set()
    own: set[str] = set()
    with contextlib.suppress(OSError):  # what cannot be read is left out
        own |= {path.stem for path in (*folder.glob("*"), *folder.glob("src/*"))}
        for file in _python_files(folder):
            names |= _imports(file)
    return sorted(name for name in names - own if name != "sentient_cli" and is_installed(name))


def _python_files(folder: Path) -> Iterator[Path]:
    count = 0
    for root, directories, files in os.walk(folder):
        directories[:] = [
            name
            for name in directories
            if name not in _SKIPPED and not name.startswith(".") and not _is_environment(f"{root}/{name}")
        ]
        for name in files:
            if name.endswith(".py"):
                count += 1
                if count > _MAX_FILES:
                    return
                yield Path(root, name)


def _is_environment(directory: str) -> bool:
    # Unlike that of `Path` it raises nothing where this user may not look.
    return os.path.exists(f"{directory}/pyvenv.cfg")  # noqa: PTH110


def _imports(file: Path) -> set[str]:
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_SIZE:  # a pipe would be read for ever
            return set()
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def is_installed(name: str) -> bool:
    """Whether a module is one of an installed package, and no part of Python or of the user's code.

    Example:
        >>> is_installed("pydantic"), is_installed("json"), is_installed("no_such_module")
        (True, False, False)
    """
    if name in sys.stdlib_module_names:
        return False
    places = [place for place in sys.path if Path(place).name in _PACKAGES]
    try:
        return PathFinder.find_spec(name, places) is not None
    except (ImportError, ValueError):
        return False


def with_lazy_parts(names: Iterable[str]) -> list[str]:
    """Modules, each followed by what it imports late."""
    return [module for name in names for module in (name, *_LAZY_PARTS.get(name, ()))]


def load(name: str) -> bool:
    """Import a module; return whether that worked. Nothing that it raises matters here: the user's code will tell."""
    process = os.getpid()
    try:
        importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - a package that ends the process must not end this one
        return isinstance(error, KeyboardInterrupt)
    finally:
        if os.getpid() != process:
            os._exit(0)  # a copy that the package made of this process
    return True


def load_common() -> None:
    """Import what the hub and each worker need."""
    for name in COMMON:
        load(name)


def load_base() -> None:
    """Import what each worker needs, and make what it would make with its first request."""
    for name in BASE:
        load(name)
    from sentient_cli.server.body import prepare  # noqa: PLC0415 - one of those

    prepare()
    base_packages.update(name.partition(".")[0] for name in sys.modules)


def load_rest() -> None:
    """Import what workers need later, make what checks settings, and have pydantic know that it has no plugins.

    Each worker would look for plugins anew, which reads the metadata of every installed package.
    """
    import importlib.metadata  # noqa: PLC0415 - nobody waits for this

    from pydantic import TypeAdapter  # noqa: PLC0415 - the same

    from sentient_cli.config.check import prepare  # noqa: PLC0415 - the same
    from sentient_cli.runtime.request import Interaction  # noqa: PLC0415 - the same

    prepare()
    Interaction.model_rebuild()
    for name in LATER:
        load(name)
    if not importlib.metadata.entry_points(group="pydantic"):
        TypeAdapter(int)
