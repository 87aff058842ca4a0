"""Environments with what we are compared with, as a user gets it from pip.

``llm`` has other clients of models, and what the server of HTTP/2 needs; the others are tools beside ``sentient dev``.
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

__all__ = ["Environment", "peer_python", "versions"]

Environment: TypeAlias = Literal["web", "adk", "langgraph", "llm"]
"""``web`` has this package too, as it is here, so that ours and theirs import the same packages."""

_CACHE: Final = ROOT / ".cache" / "bench"
_WANTED: Final[Mapping[Environment, tuple[str, ...]]] = {
    "web": ("fastapi[standard]", "uvicorn[standard]", "openai", "anthropic"),
    "adk": ("google-adk",),
    "langgraph": ("langgraph", "langgraph-cli[inmem]"),
    "llm": (
        "litellm==1.106.2",
        "pydantic-ai-slim[openai]==2.31.1",
        "uvloop==0.23.0",
        "hypercorn==0.18.0",
        "h2==4.4.1",
        "httpx2==2.16.2",
        "aiohttp==3.14.5",
    ),
}


def peer_python(name: Environment) -> Path:
    """The Python of an environment; made once, out of the package index.

    ``SENTIENT_PEERS`` names a folder where the environments are already, each under its name.
    """
    given = os.environ.get("SENTIENT_PEERS")
    folder = Path(given) / name if given else _CACHE / name
    python = folder / "bin" / "python"
    if not given and not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        _install(python, _WANTED[name])
        if name == "web":
            _install_this(python)
        (folder / ".ready").touch()
    return python


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
