"""Look for secrets in the tracked files and in their history; fakes that tests need are named in ``secrets.toml``.

The allow list holds a digest of each fake, so that a second secret in the same place is still found.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from shutil import copy
from typing import NamedTuple, cast

_ROOT = Path(__file__).resolve().parents[2]
_ALLOWED = Path(__file__).with_name("secrets.toml")
_CACHE = _ROOT / ".cache" / "kingfisher"
_LIMIT = 120
"""Seconds for one scan."""
_FOUND = range(200, 206)
"""What the scanner exits with when it found something."""
_OFFLINE = ["--no-validate", "--no-update-check"]
_EVERYTHING = ["--confidence", "low", "--no-ignore", "--no-dedup"]


class Secret(NamedTuple):
    """Something that looks like a secret; what it is stays out of every message."""

    path: str
    line: int
    rule: str
    digest: str


class ScannerError(Exception):
    """The scanner did not do its work."""


def digest(text: str) -> str:
    """What stands for a secret in the allow list.

    >>> digest("hunter2")
    'f52fbd32b2b3b86f'
    """
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def secrets(report: str) -> list[Secret]:
    """The findings in a report of the scanner, one JSON object a line, among other lines.

    >>> line = {"rule": {"id": "jwt"}, "finding": {"path": "./a.py", "line": 3, "snippet": "hunter2"}}
    >>> secrets(json.dumps(line) + '\\n{"findings": 1}')
    [Secret(path='a.py', line=3, rule='jwt', digest='f52fbd32b2b3b86f')]
    """
    found: list[Secret] = []
    for text in report.splitlines():
        record = cast("dict[str, object]", json.loads(text))
        if "rule" in record and "finding" in record:
            rule, finding = (cast("dict[str, object]", record[name]) for name in ("rule", "finding"))
            path = Path(str(finding["path"])).as_posix()
            found.append(Secret(path, int(str(finding["line"])), str(rule["id"]), digest(str(finding["snippet"]))))
    return found


def scan(folder: Path, what: str = ".") -> list[Secret]:
    """Scan what a folder holds: files, or the history of a repository.

    Raises:
        ScannerError: The scanner is not there, or failed.
    """
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.jsonl"
        options = [*_OFFLINE, *_EVERYTHING, "--git-history", "full"]
        done = subprocess.run(
            [_scanner(), "scan", *options, "--format", "jsonl", "--output", str(report), what],
            cwd=folder,
            env={**os.environ, "KF_RULE_CACHE_DIR": str(_CACHE)},
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        if (done.returncode and done.returncode not in _FOUND) or not report.exists():
            raise ScannerError(f"the scanner failed with {done.returncode}: {done.stderr[-2000:]}")
        return secrets(report.read_text("utf-8"))


def _scanner() -> str:
    path = Path(sysconfig.get_path("scripts")) / ("kingfisher.exe" if os.name == "nt" else "kingfisher")
    if not path.exists():
        raise ScannerError("the scanner is not installed: run `make setup`")
    return str(path)


def tracked(root: Path) -> list[str]:
    """The files that git tracks and that are there."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name and (root / name).is_file()]


def _history(root: Path) -> str:
    command = ["git", "rev-parse", "--git-common-dir"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def scan_repository(root: Path) -> list[Secret]:
    """Scan the tracked files as they are now, and all that was ever committed."""
    with tempfile.TemporaryDirectory() as place:
        for name in tracked(root):
            target = Path(place, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            copy(root / name, target)
        return scan(Path(place)) + scan(root, _history(root))


def allowed() -> set[str]:
    """The digests of the fakes."""
    entries = cast("list[dict[str, str]]", tomllib.loads(_ALLOWED.read_text("utf-8"))["fake"])
    return {entry["digest"] for entry in entries}


def judge(found: Iterable[Secret], fakes: set[str]) -> list[str]:
    """What is wrong: a line for each secret that is no known fake, and for each known fake that is nowhere.

    >>> judge([Secret("a.py", 3, "jwt", "00"), Secret("b.py", 1, "jwt", "11")], {"11", "22"})
    ['a.py:3: jwt (digest 00)', 'secrets.toml: nothing has the digest 22 any more']
    """
    seen = sorted(set(found))
    unknown = [f"{one.path}:{one.line}: {one.rule} (digest {one.digest})" for one in seen if one.digest not in fakes]
    stale = sorted(fakes - {one.digest for one in seen})
    return unknown + [f"secrets.toml: nothing has the digest {name} any more" for name in stale]


def main() -> int:
    """Print what is wrong and return 1, or say that there is nothing and return 0."""
    if shutil.which("git") is None:
        print("secret scan: NOT DONE: git is not installed, and it says which files are the project's", file=sys.stderr)
        return 1
    try:
        wrong = judge(scan_repository(_ROOT), allowed())
    except (ScannerError, OSError, subprocess.SubprocessError) as error:
        print(f"secret scan: {error}", file=sys.stderr)
        return 1
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        print("A real secret: revoke it first, then take it out. A fake: name it in secrets.toml.", file=sys.stderr)
        return 1
    print("secret scan: no secret in the tracked files nor in their history")
    return 0


if __name__ == "__main__":
    sys.exit(main())
