"""The programs that `create` and `update` call."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator

from sentient_cli.scaffold.doctor.asking import Answer, ask
from sentient_cli.scaffold.doctor.finding import Finding, Surroundings

__all__ = ["check_git", "check_installer"]


def check_git(here: Surroundings) -> Iterator[Finding]:
    """It is there, knows who commits, and does not keep the file of secrets."""
    program = shutil.which("git", path=here.environment.get("PATH"))
    if program is None:
        yield Finding(
            "git",
            "warn",
            "Not found: projects are made without a repository, and `sentient update` cannot merge",
            "Install git",
        )
        return
    version = _git(here, program, "--version").out.removeprefix("git version ").strip()
    known = _git(here, program, "config", "--get-regexp", r"^user\.(name|email)$").out
    missing = [key for key in ("user.name", "user.email") if f"{key} " not in known]
    if missing:
        yield Finding(
            "git",
            "warn",
            f"{version}, without {' and '.join(missing)}: it cannot commit",
            "Run " + " and ".join(f"`git config --global {key} ...`" for key in missing),
        )
    else:
        yield Finding("git", "ok", version)
    yield from _secrets(here, program)


def _secrets(here: Surroundings, program: str) -> Iterator[Finding]:
    if not (here.project / ".env").is_file():
        return
    listed = _git(here, program, "ls-files", "--", ".env")
    if "dubious ownership" in listed.error:
        yield Finding(
            "repository",
            "warn",
            f"{here.project} belongs to another user, so git does not read it",
            f"Run `git config --global --add safe.directory {here.project}`",
        )
    elif listed.out.strip():
        yield Finding(
            "secrets",
            "fail",
            "git keeps .env, and whoever has the repository has its keys",
            "Run `git rm --cached .env`, add it to .gitignore, and replace the keys that it held",
        )
    elif listed.code == 0 and _git(here, program, "check-ignore", "--quiet", ".env").code == 1:
        yield Finding("secrets", "warn", "git would take .env with the next `git add .`", "Add .env to .gitignore")


def _git(here: Surroundings, program: str, *arguments: str) -> Answer:
    environment = {**here.environment, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    return ask([program, *arguments], where=here.project, environment=environment)


def check_installer(here: Surroundings) -> Iterator[Finding]:
    """Something can install a new project: uv, or venv with pip."""
    program = shutil.which("uv", path=here.environment.get("PATH"))
    if program is not None:
        answer = ask([program, "--version"], where=here.start, environment=here.environment)
        if answer.code == 0:
            yield Finding("uv", "ok", answer.out.strip().removeprefix("uv "))
        else:
            yield Finding("uv", "warn", f"{program} does not run: {answer.error.strip()}", "Install uv again")
    elif importlib.util.find_spec("ensurepip") is not None and importlib.util.find_spec("venv") is not None:
        yield Finding("uv", "skip", "Not found, and not needed: venv and pip install projects, slower")
    else:
        yield Finding(
            "uv",
            "warn",
            "Neither uv nor Python's own ensurepip is there: projects cannot be installed",
            "Install uv, or your system's package python3-venv",
        )
