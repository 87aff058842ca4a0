"""`sentient doctor`, as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from sentient_cli.scaffold.doctor.diagnosis import CHECKS
from tests.plugins.isolation import REPOSITORY
from tests.support import commands

_AGENT = "async def assist(session, query, response): await response.respond('ANSWER', query.prompt)\n"


def _doctor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return commands.run_text(
        "doctor", *arguments, environment={**os.environ, "SENTIENT_SERVER_PORT": "0", **environment}
    )


def _findings(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in map(json.loads, done.stdout.splitlines())}


@pytest.mark.measured
@pytest.mark.story("20.6")
def test_a_project_that_is_well() -> None:
    Path("sentient.toml").write_text('agent = "mine.py"\n')
    Path("mine.py").write_text("print('loaded')\n" + _AGENT)
    done = _doctor("--json")
    found = _findings(done)
    assert (done.returncode, done.stderr) == (0, "")
    assert found["agent"]["what"] == "mine, mine:assist"
    assert found["model"]["what"] == "offline:assistant"
    assert {"ok", "skip"} >= {finding["status"] for name, finding in found.items() if name not in {"git", "uv"}}
    assert list(dict.fromkeys(finding["area"] for finding in found.values())) == list(
        dict.fromkeys(check.area for check in CHECKS)
    )


@pytest.mark.story("20.6", "18.6")
def test_an_agent_that_does_not_load_is_shown_with_the_users_own_frames() -> None:
    Path("sentient.toml").write_text('agent = "mine.py"\n')
    Path("mine.py").write_text("def deep():\n    raise ValueError('no luck')\n\n\ndeep()\n" + _AGENT)
    done = _doctor("--json")
    agent = _findings(done)["agent"]
    assert (done.returncode, agent["status"]) == (1, "fail")
    assert "no luck" in agent["what"]
    assert "mine.py" in agent["detail"]
    assert "sentient_cli/" not in agent["detail"]
    text = _doctor(COLUMNS="30").stdout
    assert "no luck" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 30
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


@pytest.mark.story("20.6")
def test_settings_that_are_wrong_are_a_finding_and_the_rest_is_still_checked() -> None:
    Path("sentient.toml").write_text("[server]\nprot = 1\n")
    done = _doctor("--json")
    found = _findings(done)
    assert done.returncode == 1
    assert found["settings"]["status"] == "fail"
    assert found["settings"]["fix"] == "Did you mean `server.port`?"
    assert found["agent"]["status"] == "skip"
    assert found["files"]["status"] in {"ok", "warn"}


@pytest.mark.slow
@pytest.mark.story("18.4")
def test_no_secret_is_shown() -> None:
    secrets = {"OPENAI_API_KEY": "sk-verysecret0123456789", "HTTPS_PROXY": "http://ann:passverysecret@127.0.0.1:9"}
    Path(".env").write_text("ANTHROPIC_API_KEY=filesecret-0123456789\n")
    Path("agent.py").write_text("import os\nraise ValueError(os.environ['OPENAI_API_KEY'])\n" + _AGENT)
    for arguments in (("--json",), ("-vv",)):
        done = _doctor(*arguments, **secrets)
        assert "verysecret" not in done.stdout + done.stderr
        assert "filesecret" not in done.stdout + done.stderr
        assert "OPENAI_API_KEY (shell)" in " ".join(done.stdout.split())
        assert "ANTHROPIC_API_KEY (.env)" in " ".join(done.stdout.split())


@pytest.mark.slow
@pytest.mark.story("20.6")
def test_on_a_terminal_it_is_calm() -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "SENTIENT_SERVER_PORT": "0"}
    child: pexpect.spawn[str] = pexpect.spawn(
        sys.executable, commands.attached("doctor"), env=environment, dimensions=(60, 80), encoding="utf-8"
    )
    try:
        child.expect(pexpect.EOF, timeout=150)
        text = str(child.before)
        child.close()
    finally:
        child.close(force=True)
    assert child.exitstatus == 0
    assert "\x1b[32mok" in text
    assert "xterm-256color, 80 columns, with colours" in text


@pytest.mark.slow
@pytest.mark.story("20.6")
def test_a_python_that_is_too_old() -> None:
    prelude = "import platform; platform.python_version = lambda: '3.9.18'"
    done = commands.run("doctor", "--json", prelude=prelude)
    assert done.returncode == 1
    found = json.loads(done.stdout.splitlines()[0])
    assert (found["name"], found["status"]) == ("python", "fail")
    assert "3.9.18" in found["what"]
    assert found["what"].endswith("is too old")
    assert found["fix"] == "Install Python >=3.11"


@pytest.mark.slow
@pytest.mark.story("20.6")
def test_quiet_shows_only_what_is_wrong() -> None:
    Path("sentient.toml").write_text("[llm]\nmodel = 'nobody:x'\n")
    done = _doctor("-q")
    assert done.returncode == 1
    assert "There is no provider 'nobody'" in " ".join(done.stdout.split())
    assert " ok " not in done.stdout
    assert "skip" not in done.stdout


@pytest.mark.slow
def test_an_address_is_reached_only_when_asked_to(free_port: int) -> None:
    done = _doctor("--json", "--online", f"http://127.0.0.1:{free_port}")
    reach = _findings(done)["reach"]
    assert (done.returncode, reach["status"]) == (1, "fail")
    assert reach["what"].startswith(f"http://127.0.0.1:{free_port} was not reached")
    assert reach["fix"]


@pytest.mark.slow
def test_an_ascii_terminal() -> None:
    done = _doctor(PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert "Output is ascii, not UTF-8" in " ".join(done.stdout.split())
    assert done.returncode == 0


def test_a_project_that_is_not_there() -> None:
    done = _doctor("--json", "--project", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
