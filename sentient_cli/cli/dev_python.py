"""The Python of the project: its own environment, where it has one."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentient_cli.errors import ProjectError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["REEXECUTED", "describe_python", "environment_of", "use_project_python"]

REEXECUTED: Final = "_SENTIENT_REEXECUTED"
"""Names the environment that a process was executed anew in, so that it does not happen twice."""
_PROBE: Final = "import importlib.util, sys; sys.exit(importlib.util.find_spec('sentient_cli') is None)"
_PATIENCE: Final = 20.0
_DISTRIBUTION: Final = "sentient-agent-cli"


def environment_of(project: Path, environment: Mapping[str, str]) -> Path | None:
    """The environment that a project has inside of it: the active one, else ``.venv``.

    Args:
        project: Its directory.
        environment: Holds ``VIRTUAL_ENV``.
    """
    active = environment.get("VIRTUAL_ENV")
    inside = [Path(active)] if active and Path(active).is_relative_to(project) else []
    return next((folder for folder in (*inside, project / ".venv") if (folder / "pyvenv.cfg").is_file()), None)


def use_project_python(start: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Go on with the Python of the project's own environment, in the place of this process, when it is another one.

    Args:
        start: Where the project is looked for, upward from there.
        arguments: Those of the command line.
        environment: The variables.

    Raises:
        ProjectError: that environment cannot be used, or this package is not in it.
    """
    start = start.absolute()
    candidates = {folder for folder in (start, *start.parents) if environment_of(folder, environment) is not None}
    if not candidates:
        return  # Most have none; to know the project takes half a second of imports.
    from sentient_cli.config.places import find_project_file

    file = find_project_file(start)
    project = file.parent if file is not None else start
    folder = environment_of(project, environment)
    if folder is None or _is_this(folder) or environment.get(REEXECUTED) == os.fspath(folder):
        return
    python = _python(folder)
    _check(python, folder, project, environment)
    _execute(python, folder, arguments, {**environment, REEXECUTED: os.fspath(folder)})


def describe_python(project: Path, environment: Mapping[str, str]) -> str:
    """This Python for people: its version, and where it is from."""
    version = ".".join(map(str, sys.version_info[:3]))
    folder = environment_of(project, environment)
    if folder is not None and _is_this(folder):
        return f"{version} of {folder.name}"
    return version


def _is_this(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return folder.resolve() == Path(sys.prefix).resolve()
    return False


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _check(python: Path, folder: Path, project: Path, environment: Mapping[str, str]) -> None:
    if any((packages / "sentient_cli" / "__init__.py").is_file() for packages in _packages(folder)):
        return
    try:
        done = subprocess.run(  # noqa: S603 - the project's own Python
            [python, "-P", "-c", _PROBE], env=dict(environment), capture_output=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unusable(folder, error) from error
    if done.returncode:
        raise ProjectError(
            "The project has an environment of its own, and `sentient` is not installed in it",
            why=f"The agent's packages are in {folder}, which this Python does not see",
            fix=f"Run `{_install(python, project, environment)}`, then this again",
        )


def _packages(folder: Path) -> list[Path]:
    return [*folder.glob("lib/python*/site-packages"), folder / "Lib" / "site-packages"]


def _install(python: Path, project: Path, environment: Mapping[str, str]) -> str:
    uv = shutil.which("uv", path=environment.get("PATH")) is not None
    if (project / "uv.lock").is_file() or (uv and (project / "pyproject.toml").is_file()):
        return f"uv add {_DISTRIBUTION}"
    named = shlex.join([_short(python)])
    return f"uv pip install --python {named} {_DISTRIBUTION}" if uv else f"{named} -m pip install {_DISTRIBUTION}"


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        relative = os.path.relpath(path)
        return relative if len(relative) < len(os.fspath(path)) else os.fspath(path)
    return os.fspath(path)


def _unusable(folder: Path, error: Exception) -> ProjectError:
    why = (error.strerror if isinstance(error, OSError) else None) or "Its Python does not answer"
    return ProjectError(
        f"The project's environment {folder} cannot be used",
        why=why,
        fix=f"Make it anew: remove it, then `uv sync`, or `python -m venv {shlex.quote(_short(folder))}` and install",
    )


def _execute(python: Path, folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    # Without its `-P`, a file of the project's would stand for a module of Python's own that has its name.
    command = [os.fspath(python), "-P", "-m", "sentient_cli", *arguments]
    if sys.platform == "win32":
        import typer

        # There `exec` leaves a process behind that the shell no longer waits for.
        raise typer.Exit(subprocess.run(command, env=dict(environment), check=False).returncode)  # noqa: S603 - as below
    try:
        os.execve(python, command, dict(environment))  # noqa: S606 - the project's own Python
    except OSError as error:
        raise _unusable(folder, error) from error
