"""The types of every public name are complete: 100% by ``basedpyright --verifytypes``."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TypedDict, cast


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


def main() -> int:
    """Print what is incomplete and return 1, or the score and return 0."""
    command = [
        sys.executable,
        "-m",
        "basedpyright",
        "--verifytypes",
        "sentient_cli",
        "--ignoreexternal",
        "--outputjson",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report = cast("_Report", json.loads(done.stdout))["typeCompleteness"]
    except (ValueError, KeyError):
        print(done.stdout + done.stderr, file=sys.stderr)
        return 1
    incomplete = [symbol for symbol in report["symbols"] if symbol["isExported"] and not symbol["isTypeKnown"]]
    for symbol in incomplete:
        reasons = "; ".join(" ".join(diagnostic["message"].split()) for diagnostic in symbol["diagnostics"])
        print(f"{symbol['name']}: {reasons}", file=sys.stderr)
    print(f"verifytypes: {report['completenessScore']:.1%} of the public types are complete")
    return 1 if incomplete or report["completenessScore"] < 1 else 0


if __name__ == "__main__":
    sys.exit(main())
