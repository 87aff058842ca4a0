"""The types of every public name are complete: 100% by ``basedpyright --verifytypes``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TypedDict, cast

_PACKAGE = Path(__file__).resolve().parents[2] / "sentient_cli"


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
    """Verify a copy: the checker does not look for an installed package inside the project that it stands in."""
    command = [
        sys.executable,
        "-m",
        "basedpyright",
        "--verifytypes",
        "sentient_cli",
        "--ignoreexternal",
        "--outputjson",
    ]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(_PACKAGE, Path(folder) / "sentient_cli", ignore=shutil.ignore_patterns("__pycache__"))
        environment = {**os.environ, "PYTHONPATH": folder}
        command += ["--pythonpath", sys.executable]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def main() -> int:
    """Print what is incomplete and return 1, or the score and return 0."""
    done = _verify()
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
