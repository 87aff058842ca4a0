"""An environment with the framework that we are compared with, as a user gets it from pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["fast_parts", "reference_python"]

ROOT = Path(__file__).resolve().parents[1]
_CACHE = ROOT / ".cache" / "bench"
_LOCK = ROOT / ".ci" / "lock" / "reference.txt"
_WHEELS = ROOT / ".wheelhouse"


def reference_python() -> Path:
    """The Python of an environment with the framework; made once, from the wheelhouse where there is one.

    ``SENTIENT_REFERENCE_PYTHON`` names one that is there already.
    """
    given = os.environ.get("SENTIENT_REFERENCE_PYTHON")
    if given:
        return Path(given)
    folder = _CACHE / "framework"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        _pip("--python", str(python), "install", "--require-hashes", "-r", str(_LOCK))
        (folder / ".ready").touch()
    return python


def fast_parts() -> Path:
    """A folder with uvloop and httptools of our own versions, for the framework's search path.

    uvicorn uses them where it finds them; a user of the framework who knows may install them.
    """
    folder = _CACHE / "fast"
    if not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        from importlib.metadata import version

        wanted = [f"{name}=={version(name)}" for name in ("uvloop", "httptools")]
        _pip("install", "--no-deps", "--target", str(folder), *wanted)
        (folder / ".ready").touch()
    return folder


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    source = ["--no-index", "--find-links", str(_WHEELS)] if (_WHEELS / ".stamp-locked").exists() else []
    words = list(arguments)
    words[words.index("install") + 1 : words.index("install") + 1] = ["--quiet", *source]
    subprocess.run([*command, *words], check=True)
