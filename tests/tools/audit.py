"""Check the lock against the advisory service, and say plainly when that could not be done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TypedDict, cast

_LOCKS = Path(__file__).resolve().parents[2] / ".ci" / "lock"
_LIMIT = 120
"""Seconds for the whole audit of one lock."""
_UNREACHABLE = ("ConnectionError", "ServiceError", "Max retries", "Temporary failure", "timed out")


class _Advisory(TypedDict):
    id: str
    fix_versions: list[str]


class _Package(TypedDict):
    name: str
    version: str
    vulns: list[_Advisory]


class _Report(TypedDict):
    dependencies: list[_Package]


def findings(report: str) -> list[str]:
    """One line for each advisory in a report of pip-audit.

    >>> findings('{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}]}')
    ['a 1: X-1, fixed in 2']
    """
    packages = cast("_Report", json.loads(report))["dependencies"]
    return [
        f"{package['name']} {package['version']}: {advisory['id']}, fixed in {' '.join(advisory['fix_versions'])}"
        for package in packages
        for advisory in package.get("vulns", [])
    ]


def _audit(lock: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--require-hashes"]
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=_LIMIT, check=False)


def main() -> int:
    """Audit the lock of the runtime and of the tools; 1 when an advisory applies, 0 when none or not reachable."""
    for lock in (_LOCKS / "dev.txt",):
        try:
            done = _audit(lock)
        except subprocess.TimeoutExpired:
            print(f"AUDIT NOT DONE: the advisory service did not answer within {_LIMIT} s")
            return 0
        try:
            found = findings(done.stdout)
        except (ValueError, KeyError):
            if any(word in done.stderr for word in _UNREACHABLE):
                print(
                    "AUDIT NOT DONE: the advisory service could not be reached; run `make check-audit` with a network"
                )
                return 0
            print(done.stderr or done.stdout, file=sys.stderr)
            return 1
        if found:
            print("\n".join(found), file=sys.stderr)
            return 1
        print(f"audit: no advisory applies to {lock.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
