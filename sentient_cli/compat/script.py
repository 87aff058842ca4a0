"""Executes a file as the main program, with the framework's stand-in in place."""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

from sentient_cli.compat.finder import install, is_present
from sentient_cli.errors import AgentNotFoundError, SentientError, UsageError
from sentient_cli.runtime.loader import add_to_path
from sentient_cli.runtime.loading.failures import import_failure
from sentient_cli.runtime.loading.target import parse_target

__all__ = ["run_script"]


def run_script(
    file: Path, arguments: Sequence[str] = (), *, project_dir: Path | None = None, for_our_server: Sequence[str] = ()
) -> int:
    """Execute a file as ``__main__``.

    Args:
        file: A Python file.
        arguments: What it finds in `sys.argv` after its own name.
        project_dir: It and its ``src`` are put on `sys.path`, as is the file's own directory.
        for_our_server: Flags that were given and that only our own server heeds.

    Returns:
        The exit code that the script asked for; 0 unless it did.

    Raises:
        AgentNotFoundError: there is no such file.
        AgentImportError: it is no Python.
        UsageError: such a flag was given, and the framework itself is present and would serve.
        SentientError: it raised; ``detail`` has the frames of the user's own code.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     script = Path(folder, "script.py")
        ...     _ = script.write_text("import sys; print('Hello,', sys.argv[1]); sys.exit(3)")
        ...     run_script(script, ["Ann"])
        Hello, Ann
        3
    """
    target = _find(file)
    install()
    with _arguments(str(file), arguments):
        if project_dir is not None:
            add_to_path(project_dir)
        add_to_path(target.parent)
        if for_our_server and is_present():
            raise _not_heeded(" and ".join(for_our_server))
        return _execute(target)


def _not_heeded(flags: str) -> UsageError:
    return UsageError(
        f"{flags} cannot be heeded: sentient-agent-framework is installed here, and its own DefaultServer serves",
        why="It knows none of our settings: it listens where the file tells its run() to, and on 0.0.0.0:8000, which "
        "others can reach, unless told",
        fix="Leave the flags out and say it in the file, `run(host=..., port=...)`; or use `sentient serve FILE`",
    )


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
