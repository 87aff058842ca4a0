"""The secrets of the environment and of ``.env`` in what every command writes: no pattern knows these values."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sentient_cli.paths import crash_dir
from sentient_cli.redact import Redactor
from tests.cli.processes import Sentient
from tests.plugins.isolation import REPOSITORY

SECRET = "hunter-two-hunter"
"""What is in the environment, or in the file of variables."""


def _said(done: subprocess.CompletedProcess[str]) -> str:
    said = done.stdout + done.stderr
    assert SECRET not in said.replace("\n", "").replace("│ ", "").replace(" │", "")
    return said


@pytest.mark.parametrize("place", ["environment", "file"])
@pytest.mark.parametrize(
    "arguments",
    [
        (SECRET,),
        ("chat", f"ftp://{SECRET}", "-m", "x"),
        ("create", "x", "--template", SECRET),
        ("learn", "--step", SECRET),
        ("completion", SECRET),
        ("serve", f"--{SECRET}"),
        ("--json", "update", "--data", SECRET),
    ],
)
@pytest.mark.story("18.6")
def test_no_command_shows_a_secret(commandline: Sentient, arguments: tuple[str, ...], place: str) -> None:
    if place == "file":
        Path(".env").write_text(f"DB_PASSWORD={SECRET}\n")
    done = commandline(*arguments, env={"DB_PASSWORD": SECRET} if place == "environment" else {})
    assert done.returncode in {2, 5}
    assert "[redacted]" in _said(done)


def test_the_file_is_that_of_the_project_that_is_named(sentient: Sentient) -> None:
    Path("project/below").mkdir(parents=True)
    Path("project/sentient.toml").touch()
    Path("project/.env").write_text(f"DB_PASSWORD={SECRET}\n")
    for arguments in (["--project", "project/below", SECRET], ["learn", "--step", SECRET, "--project=project"]):
        assert "[redacted]" in _said(sentient(*arguments))
    assert SECRET in sentient("learn", "--step", SECRET).stderr


@pytest.mark.parametrize("written", ["DB_PASSWORD=hunter-two-hunter\nnot understood\n", "\xff"])
def test_a_file_that_cannot_be_read_stops_no_command(commandline: Sentient, written: str) -> None:
    Path(".env").write_text(written, encoding="latin-1")
    assert commandline("learn", "--step", "nothing").returncode == 2


def test_a_crash_report_has_no_secret(probe: Sentient) -> None:
    Path(".env").write_text("DB_PASSWORD=swordfish-in-a-file\n")
    Path("probe.py").write_text(f"def probe() -> None:\n    raise KeyError('{SECRET}', 'swordfish-in-a-file')\n")
    done = probe("probe", "-vv", env={"DB_PASSWORD": SECRET})
    (report,) = crash_dir().iterdir()
    for text in (_said(done), report.read_text()):
        assert "KeyError: ('[redacted]', '[redacted]')" in text


@pytest.mark.usefixtures("unmeasured")
def test_nothing_of_it_is_imported_before_something_is_said() -> None:
    code = (
        "import sys; from sentient_cli.cli.main import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "completion", "bash"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert {"sentient_cli.redact", "dotenv"}.isdisjoint(done.stderr.split())


def test_a_source_is_asked_once_and_may_redact_itself() -> None:
    asked: list[str] = []

    def source() -> dict[str, str]:
        asked.append(redactor.redact("token=verysecretvalue"))
        return {"DB_PASSWORD": SECRET}

    redactor = Redactor([source])
    assert [redactor.redact(SECRET) for _ in range(2)] == ["[redacted]"] * 2
    assert asked == ["token=[redacted]"]
    assert Redactor([source]).cut_value("a hun") == 2
    assert next(Redactor([source]).hidden(SECRET)).end == len(SECRET)
