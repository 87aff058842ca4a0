"""From nothing to a key that is rotated under a running agent, with the commands that somebody types who starts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.keys_kit import ENV, KEY, OTHER, quick_store
from tests.cli.llm_command_kit import chat_answer
from tests.dev.developing import developing, wait_until
from tests.support import commands
from tests.support.llm_server import Answer, LLMServer, Received, as_json
from tests.support.served import environment

_ADDED = '    await response.text_block("PLAN", "Somebody asks.")\n'
_BEFORE = "    try:\n        await response.stream_llm("
_PROVIDER = """
[llm.providers.mine]
kind = "compatible"
base_url = "{url}/v1"
"""


def _answer(received: Received) -> Answer:
    """A provider that tells which of two keys it was asked with, and takes no other."""
    keys = {f"Bearer {KEY}": "the first", f"Bearer {OTHER}": "the second"}
    which = keys.get(received.headers.get("authorization", ""))
    if which is None:
        return as_json({"error": {"message": "Incorrect API key"}}, 401)
    if received.path.endswith("/models"):
        return as_json({"object": "list", "data": [{"id": "small"}]})
    return chat_answer(f"I was asked with {which} key.")


@pytest.mark.slow
@pytest.mark.story("C3", "20.5", "6.3")
def test_create_dev_chat_edit_and_rotate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, home = tmp_path / "my-agent", tmp_path / "my-agent-home"
    home.mkdir()
    variables = environment(home, ENV)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    quick_store()

    def run(*arguments: str, stdin: str = "", directory: Path = project) -> subprocess.CompletedProcess[bytes]:
        done = commands.run(*arguments, directory=directory, environment=variables, stdin=stdin.encode())
        assert done.returncode == 0, done.stderr.decode()
        return done

    run("create", "my-agent", "--yes", "--no-install", "--no-git", "-q", directory=tmp_path)
    with LLMServer(_answer) as server, developing(project, version=None, env=ENV) as dev:
        assert "Hello" not in dev.ask(""), "the offline model answers, and an empty question is refused"
        assert run("chat", "-m", "What is 15% of 80?").stdout
        run("keys", "set", "mine", "--host", server.url.removeprefix("http://"), stdin=KEY)
        settings = (project / "sentient.toml").read_text()
        settings = settings.replace('"offline"', '"mine:small"') + _PROVIDER.format(url=server.url)
        dev.wait("reloaded", since=dev.write("sentient.toml", settings))
        assert b"the first key" in run("chat", "-m", "Who are you?").stdout
        file = next(project.glob("src/*/agent.py"))
        mark = dev.write(str(file.relative_to(project)), file.read_text().replace(_BEFORE, _ADDED + _BEFORE))
        dev.wait("reloaded", since=mark)
        assert b"Somebody asks." in run("chat", "-m", "Who are you now?").stdout
        run("keys", "rotate", "mine", stdin=OTHER)
        wait_until(lambda: b"the second key" in run("chat", "-m", "And now?").stdout, "it is used without a restart")
        assert len([event for event in dev.events if event["event"] == "ready"]) == 1
