"""Whoever reads the output may leave: the exit code stays that of what happened."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from tests.cli.processes import PROBE, run_probe
from tests.plugins.isolation import REPOSITORY


@pytest.fixture
def gone() -> Generator[int]:
    """A pipe whose reader has left."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def _start(arguments: Sequence[str], *, stdout: int, stderr: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        text=True,
        timeout=150,
        check=False,
    )


@pytest.mark.story("18.6")
@pytest.mark.parametrize("json", [(), pytest.param(("--json",), marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (2, ("--nope",)),
        pytest.param(2, ("serve", "--bad"), marks=pytest.mark.slow),
        pytest.param(5, ("serve", "nope.py", "--port", "0"), marks=pytest.mark.slow),
        (4, ("serve", "nope.py", "--host", "0.0.0.0")),  # noqa: S104 - it is refused
        (4, ("chat", "-m", "x", "http://127.0.0.1:1")),
    ],
)
def test_an_error_that_nobody_reads_has_its_exit_code(
    gone: int, code: int, arguments: tuple[str, ...], json: tuple[str, ...]
) -> None:
    command = ["-m", "sentient_cli", *json, *arguments]
    assert _start(command, stdout=subprocess.DEVNULL, stderr=gone).returncode == code
    assert _start(command, stdout=gone, stderr=gone).returncode == code


@pytest.mark.slow
def test_talk_that_nobody_hears_is_no_error(gone: int) -> None:
    Path("start.py").write_text(f"{PROBE}import sys\nfrom sentient_cli.cli.main import main\nsys.exit(main())\n")
    Path("probe.py").write_text(
        "from sentient_cli.cli.invocation import current\n"
        "def probe() -> None:\n"
        "    for number in range(3):\n"
        "        current().console.say('talk')\n"
        "    current().console.data('data')\n"
    )
    assert run_probe("probe").stdout == "data\n"
    done = _start(["start.py", "probe"], stdout=subprocess.PIPE, stderr=gone)
    assert (done.returncode, done.stdout) == (0, "data\n")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("completion", "bash")])
def test_data_that_nobody_reads_ends_in_silence(gone: int, arguments: tuple[str, ...]) -> None:
    done = _start(["-m", "sentient_cli", *arguments], stdout=gone, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, "")
