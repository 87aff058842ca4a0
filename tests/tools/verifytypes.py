"""The types of every public name are complete: 100% by ``basedpyright --verifytypes``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TypedDict, cast

_FOLLOWS = ("partially unknown", "No docstring")


class _Diagnostic(TypedDict):
    message: str
    file: str


class _Symbol(TypedDict):
    name: str
    isTypeKnown: bool
    isExported: bool
    diagnostics: list[_Diagnostic]


class _Completeness(TypedDict):
    completenessScore: float
    symbols: list[_Symbol]


class _Report(TypedDict):
    typeCompleteness: _Completeness


def _verify() -> subprocess.CompletedProcess[str]:
    """Run the checker; it asks the first Python on the path where packages are."""
    command = [
        sys.executable,
        "-m",
        "basedpyright",
        "--verifytypes",
        "sentient_cli",
        "--ignoreexternal",
        "--outputjson",
    ]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)


def main() -> int:
    """Print what is incomplete and return 1, or the score and return 0."""
    done = _verify()
    try:
        report = cast("_Report", json.loads(done.stdout))["typeCompleteness"]
    except (ValueError, KeyError):
        print(done.stdout + done.stderr, file=sys.stderr)
        return 1
    incomplete = [symbol for symbol in report["symbols"] if not symbol["isTypeKnown"]]
    # What uses an incomplete type is incomplete too: only the causes help, unless there is none to show.
    causes = [line for symbol in incomplete for line in _reasons(symbol) if not any(word in line for word in _FOLLOWS)]
    for line in causes or [line for symbol in incomplete for line in _reasons(symbol)]:
        print(line, file=sys.stderr)
    print(f"verifytypes: {report['completenessScore']:.2%} of the public types are complete")
    return 1 if report["completenessScore"] < 1 else 0


def _reasons(symbol: _Symbol) -> list[str]:
    return [f"{symbol['name']}: {' '.join(diagnostic['message'].split())}" for diagnostic in symbol["diagnostics"]]


if __name__ == "__main__":
    sys.exit(main())
