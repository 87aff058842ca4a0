"""The project's own environment, ``.venv``: by uv when it is there, else by venv and pip, else linked to ours."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sentient_cli.errors import SetupFailedError
from sentient_cli.scaffold.place import Placed
from sentient_cli.scaffold.requirements import (
    checkout,
    is_installable,
    missing_here,
    python_that_is_missing,
    requirements,
)
from sentient_cli.scaffold.tools import Ended
from sentient_cli.scaffold.work import Workshop

__all__ = ["Environment", "prepare"]

_AGAIN = "Try again, or leave this step out with `--no-install`"
_FIX = "Repair what it complains about and try again, or leave this step out with `--no-install`"
# How uv and pip say, on any system, that they reach nobody. Asked only once one of them has failed.
_UNREACHED = (
    "could not resolve host",
    "dns error",
    "error sending request",
    "failed to connect",
    "failed to establish a new connection",
    "failed to fetch",
    "name or service not known",
    "network is unreachable",
    "newconnectionerror",
    "nodename nor servname",
    "proxyerror",
    "readtimeouterror",
    "temporary failure in name resolution",
    "connection refused",
    "connecttimeouterror",
    "getaddrinfo failed",
)
_ANSWERED = "http status "  # of uv: whoever says so was reached
# How they say that somebody answered, and broke off.
_CUT = (
    "connection aborted",
    "connection closed before message completed",
    "connection reset",
    "end of file before message length",
    "error decoding response body",
    "incomplete-download",
    "incompleteread",
    "unexpected end of file",
)


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a project's programs are.

    Args:
        python: Its Python.
        prefix: What stands before a command of the project, for a reader.
        linked: Whether it uses the packages that `sentient` itself runs with.
    """

    python: Path
    prefix: str
    linked: bool = False


def prepare(work: Workshop, placed: Placed) -> Environment | None:
    """Install what the project needs, the tools of its ``dev`` group included.

    Args:
        work: Where the project is made.
        placed: Takes the environment back when the project is taken back.

    Returns:
        The environment; None when the project is no Python project.

    Raises:
        SetupFailedError: it cannot be installed.
    """
    if not is_installable(work.project):
        return None
    wanted = python_that_is_missing(work.project)
    if wanted:
        raise SetupFailedError(
            f"The project needs Python {wanted}",
            why=f"This is {platform.python_version()}, {sys.executable}",
            fix="Run `sentient` with such a Python, or install nothing with `--no-install`",
        )
    placed.renew("uv.lock")
    placed.adopt(".venv", "build", *(f"src/{name}" for name in _egg_infos(work.project)))
    uv = shutil.which("uv", path=work.environment.get("PATH"))
    ended, prefix = _with_uv(work, uv) if uv else _with_pip(work)
    if ended.ok:
        _ignore(work.project)
        return Environment(_python(work.project), prefix)
    said = "" if ended.late else ended.output.lower()
    if any(sign in said for sign in _CUT):
        raise work.failure("The network broke off while the project's packages were installed", ended, fix=_AGAIN)
    if _ANSWERED not in said and any(sign in said for sign in _UNREACHED):
        return _linked(work, ended)
    raise work.failure("The project's packages could not be installed", ended, fix=_FIX)


def _egg_infos(project: Path) -> list[str]:
    return [f"{folder.name}.egg-info" for folder in (project / "src").glob("*") if folder.is_dir()]


def _with_uv(work: Workshop, uv: str) -> tuple[Ended, str]:
    source = checkout()
    if source is None:
        return work.run(uv, "sync", "--python", sys.executable, environment=_settings(work.environment)), "uv run "
    made = work.run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, ".venv")
    if not made.ok:
        return made, ""
    python = _python(work.project)
    wanted = ["--editable", os.fspath(source), "--editable", ".", *requirements(work.project, "dev")]
    settings = _settings(work.environment)
    return work.run(uv, "pip", "install", "--python", python, *_without_ours(wanted), environment=settings), _prefix()


def _with_pip(work: Workshop) -> tuple[Ended, str]:
    # Our own pip can install another: bringing up a pip of its own first takes as long as all of the small packages.
    ours = importlib.util.find_spec("pip") is not None
    made = work.run(sys.executable, "-m", "venv", *(["--without-pip"] if ours else []), ".venv")
    if not made.ok:
        return made, ""
    source = checkout()
    wanted = [*(("--editable", os.fspath(source)) if source else ()), "--editable", "."]
    wanted += requirements(work.project, "dev")
    wanted = _without_ours(wanted) if source else wanted
    python, settings = _python(work.project), _settings(work.environment)
    pip = [sys.executable, "-m", "pip", "--python", os.fspath(python)] if ours else [os.fspath(python), "-m", "pip"]
    wanted += _bundled_pip() if ours else []
    return work.run(*pip, "install", "--no-compile", *wanted, environment=settings), _prefix()


def _bundled_pip() -> list[str]:
    """The pip that comes with Python, as a file, for the project to have one too; some systems leave it out."""
    spec = importlib.util.find_spec("ensurepip")
    folders = (spec.submodule_search_locations or []) if spec is not None else []
    return [os.fspath(wheel) for folder in folders for wheel in Path(folder, "_bundled").glob("pip-*.whl")]


def _without_ours(wanted: list[str]) -> list[str]:
    """A checkout stands for every version of it."""
    return [one for one in wanted if not one.startswith("sentient-agent-cli")]


def _settings(own: Mapping[str, str]) -> Mapping[str, str]:
    """The installers' settings are the user's; only where nothing is said, nobody waits long for a network."""
    ours = {"PIP_RETRIES": "1", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "UV_HTTP_RETRIES": "1"}
    # Where we run in an environment of our own, uv must not take it for the project's.
    kept = {name: value for name, value in own.items() if name not in {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"}}
    return {**ours, **kept}


def _linked(work: Workshop, ended: Ended) -> Environment:
    """An environment over the packages that `sentient` itself runs with, where those are enough."""
    missing = missing_here(requirements(work.project))
    if missing:
        raise SetupFailedError(
            "There is no network to install the project's packages from",
            why=f"What is here lacks {', '.join(missing)}",
            fix="Try again with a network, or leave this step out with `--no-install`",
            detail="\n".join(ended.output.strip().splitlines()[-3:]),
        )
    shutil.rmtree(work.project / ".venv", ignore_errors=True)
    work.must("No environment could be made", [sys.executable, "-m", "venv", "--without-pip", ".venv"], fix=_FIX)
    python = _python(work.project)
    places = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    lines = [f"import site; site.addsitedir({place!r})" for place in places]
    top = Path(__file__).resolve().parents[2]
    lines += [os.fspath(path) for path in (work.project / "src", top) if path.is_dir()]
    folder = work.must("No environment could be asked", [python, "-c", _WHERE], fix=_FIX).output.strip()
    (Path(folder) / "_sentient_linked.pth").write_text("\n".join(lines) + "\n", "utf-8")
    _add_script(python)
    _ignore(work.project)
    return Environment(python, _prefix(), linked=True)


_WHERE = "import sysconfig; print(sysconfig.get_path('purelib'))"
_SCRIPT = "#!{python}\nimport sys\nfrom sentient_cli.__main__ import main\nsys.exit(main())\n"


def _add_script(python: Path) -> None:
    if os.name == "posix":
        script = python.with_name("sentient")
        script.write_text(_SCRIPT.format(python=python), "utf-8")
        script.chmod(0o755)


def _ignore(project: Path) -> None:
    """The environment is in no repository, whatever the template's ``.gitignore`` says."""
    file = project / ".venv" / ".gitignore"
    if not file.exists():
        file.write_text("*\n", "utf-8")


def _python(project: Path) -> Path:
    return project / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _prefix() -> str:
    return ".venv\\Scripts\\" if os.name == "nt" else ".venv/bin/"
