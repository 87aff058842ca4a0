"""Imports the user's files from their source, never from bytecode.

Python takes bytecode for that of a source with the same size and the same second of its last change: of two saves
within a second the first would stay. Facts: https://docs.python.org/3/reference/import.html#cached-bytecode-invalidation
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from typing import NoReturn

from sentient_cli.runtime.loading.frames import is_surely_foreign, is_user_file

__all__ = ["FreshLoader", "import_from_source"]


class FreshLoader(SourceFileLoader):
    """Compiles a source each time, and writes no bytecode."""

    def path_stats(self, path: str) -> NoReturn:
        """Nothing: without these, neither is bytecode looked for nor written."""
        raise OSError(path)


def import_from_source() -> None:
    """Have what this process imports from now on come from its source, where it is the user's."""
    sys.path_hooks.insert(0, _finder)
    # What is known of installed packages stays: to let go of it, in a process that was just forked, takes milliseconds.
    for path in [path for path in sys.path_importer_cache if not is_surely_foreign(path)]:
        del sys.path_importer_cache[path]


def _finder(path: str) -> FileFinder:
    if not os.path.isdir(path or ".") or not is_user_file(f"{path}/x.py"):  # noqa: PTH112 - for each of `sys.path`
        raise ImportError(path)  # the next hook takes it
    return FileFinder(
        path,
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (FreshLoader, SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    )
