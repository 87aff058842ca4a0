"""`sentient config history`, `diff` and `rollback`, over the real command line."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from sentient_cli import paths
from sentient_cli.config.versions import Versions
from tests.cli.processes import Sentient

_FILE = Path("sentient.toml")


def _history(sentient: Sentient, *more: str) -> list[dict[str, object]]:
    done = sentient("config", "history", "--json", *more)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.story("5.7")
def test_each_change_is_a_version_with_who_when_and_how(sentient: Sentient) -> None:
    _FILE.write_text("[server]\nport = 1\n")
    sentient("config", "set", "server.port", "2")
    sentient("config", "set", "log.level", "debug")
    _FILE.write_text(_FILE.read_text().replace("2", "3"))
    sentient("config", "unset", "log.level")
    found = _history(sentient)
    assert [(each["version"], each["by"]) for each in found] == [
        (5, "unset"), (4, "file"), (3, "set"), (2, "set"), (1, "file"),
    ]  # fmt: skip
    assert found[1]["changes"] == [{"key": "server.port", "before": 2, "after": 3}]
    assert all("@" in str(each["who"]) and str(each["at"]).endswith("+00:00") and each["sha256"] for each in found)
    shown = sentient("config", "history").stdout
    assert "server.port = 3" in shown
    assert "without log.level" in shown
    assert len(_history(sentient, "-n", "2")) == 2


def test_a_change_by_hand_is_noticed_once_and_comments_are_none(sentient: Sentient) -> None:
    assert "There is no project" in sentient("config", "history").stderr
    _FILE.write_text("[server]\nport = 1\n")
    assert len(_history(sentient)) == 1
    _FILE.write_text("# a comment\n[server]\nport = 1\n")
    assert len(_history(sentient)) == 1
    _FILE.write_text("[server]\nport = 'x'\n")
    assert len(_history(sentient)) == 1
    _FILE.write_text("[server]\nport = 5\n")
    assert [each["by"] for each in _history(sentient)] == ["file", "file"]


@pytest.mark.story("5.7")
def test_versions_and_profiles_are_compared(sentient: Sentient) -> None:
    _FILE.write_text("[server]\nport = 1\n")
    sentient("config", "set", "server.port", "2")
    sentient("config", "set", "log.level", "debug")
    assert sentient("config", "diff").stdout == '+ log.level = "debug"\n'
    assert sentient("config", "diff", "1").stdout == '- server.port = 1\n+ server.port = 2\n+ log.level = "debug"\n'
    assert sentient("config", "diff", "2", "1").stdout == "- server.port = 2\n+ server.port = 1\n"
    assert sentient("config", "diff", "now", "now").stdout == ""
    sentient("config", "set", "server.port", "3", "--profile", "production")
    assert sentient("config", "diff", "production").stdout == "- server.port = 2\n+ server.port = 3\n"
    both = sentient("config", "diff", "production", "default", "--json")
    assert json.loads(both.stdout) == {"key": "server.port", "before": 3, "after": 2}
    assert sentient("config", "diff", "1", "production").returncode == 2
    assert "Did you mean 'production'?" in sentient("config", "diff", "producton").stderr
    assert "There is no version 99" in sentient("config", "diff", "99").stderr


@pytest.mark.story("5.7")
def test_a_rollback_keeps_comments_and_can_be_undone(sentient: Sentient) -> None:
    _FILE.write_text("# top\n[server]\nport = 1 # p\n")
    sentient("config", "set", "server.port", "2")
    sentient("config", "set", "log.level", "debug")
    done = sentient("config", "rollback", "1")
    assert "is as in version 1; that is version 4 now" in done.stderr
    assert _FILE.read_text().rstrip() == "# top\n[server]\nport = 1 # p"
    assert _history(sentient)[0]["note"] == "to version 1"
    assert "already" in sentient("config", "rollback", "1").stderr
    sentient("config", "rollback", "3")
    assert sentient("config", "show", "server.port").stdout == "2\n"
    assert sentient("config", "show", "log.level").stdout == "debug\n"


def test_a_version_that_no_longer_validates_is_refused(sentient: Sentient) -> None:
    _FILE.write_text("[server]\nport = 1\n")
    Versions(_FILE).note({"server": {"port": 1, "removed_setting": 5}}, "file")
    before = _FILE.read_text()
    done = sentient("config", "rollback", "1", "--json")
    error = json.loads(done.stderr)["error"]
    assert done.returncode == 3
    assert error["what"] == "Version 1 cannot be gone back to, and nothing was changed"
    assert "There is no setting `server.removed_setting`" in error["why"]
    assert _FILE.read_text() == before


def test_a_damaged_version_is_told_and_refused(sentient: Sentient) -> None:
    _FILE.write_text("[server]\nport = 1\n")
    sentient("config", "set", "server.port", "2")
    first = next(path for path in (paths.state_dir() / "settings").rglob("000001.json"))
    first.write_text(first.read_text().replace("port = 1", "port = 7"))
    assert "Version 1 is damaged" in sentient("config", "rollback", "1").stderr
    assert "(damaged)" in sentient("config", "history").stdout
    first.write_bytes(b"\xff{")
    assert [each["version"] for each in _history(sentient)] == [2]


def test_secrets_are_in_no_version_and_survive_a_rollback(sentient: Sentient) -> None:
    secret, proxy = "tok-0123456789abcdef", "http://me:hunter2secret@proxy"
    _FILE.write_text(
        f"[server]\ntoken = '{secret}'\nport = 1\n[llm.providers.work]\nproxy = '{proxy}'\n"
        "headers = { X-Api-Key = 'abc-def-ghi' }\n"
    )
    sentient("config", "set", "server.port", "2")
    kept = b"".join(path.read_bytes() for path in (paths.state_dir() / "settings").rglob("*.json"))
    assert not [word for word in (secret, "hunter2secret", "abc-def-ghi") if word.encode() in kept]
    said = sentient("config", "rollback", "1")
    assert secret in _FILE.read_text()
    assert proxy in _FILE.read_text()
    assert "port = 1" in _FILE.read_text()
    assert secret not in said.stdout + said.stderr + sentient("config", "diff", "1").stdout


_EXTRA = """\
extra.openai = { password = "hunter2hunter2", pin.token = 918273645, max_tokens = 5 }
metadata = { token = "tok-secret-123456", team = "red" }
"""


@pytest.mark.parametrize(
    "table", ["llm.parameters", "llm.presets.mine", "profile.a.llm.parameters", "experiments.e.variants.b.parameters"]
)
def test_secrets_of_parameters_are_in_no_version(sentient: Sentient, table: str) -> None:
    control = "[experiments.e.variants.control]\n" if table.startswith("experiments") else ""
    _FILE.write_text(f"{control}[{table}]\n{_EXTRA}")
    assert sentient("config", "set", "server.port", "2").returncode == 0
    kept = b"".join(path.read_bytes() for path in (paths.state_dir() / "settings").rglob("*.json")).decode()
    told = kept + sentient("config", "history").stdout + sentient("config", "history", "--json").stdout
    assert not [word for word in ("hunter2hunter2", "918273645", "tok-secret-123456") if word in told]
    assert "max_tokens = 5" in kept
    assert "team" in kept
    assert sentient("config", "rollback", "1").returncode == 0
    assert _FILE.read_text().strip() == f"{control}[{table}]\n{_EXTRA}".strip()


def test_versions_are_private_and_bounded() -> None:
    versions = Versions(_FILE, most=3)
    for port in range(6):
        versions.note({"server": {"port": port}}, "api")
    assert [version.number for version in versions.all()] == [4, 5, 6]
    small = Versions(_FILE, largest=1)
    small.note({"server": {"port": 99}}, "api")
    assert [version.number for version in small.all()] == [7]
    folder = versions.lock.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_clock_may_go_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = Versions(_FILE)
    versions.note({"a": 1}, "api")
    monkeypatch.setattr("sentient_cli.config.versions.time.time", lambda: 1.0)
    versions.note({"a": 2}, "api")
    assert [(version.number, version.at[:4]) for version in versions.all()][1] == (2, "1970")


@pytest.mark.story("10.1")
def test_changes_are_in_the_audit_log_without_their_values(sentient: Sentient) -> None:
    _FILE.write_text("[server]\nport = 1\ntoken = 'tok-0123456789abcdef'\n")
    sentient("config", "set", "llm.model", "offline:echo")
    sentient("config", "unset", "server.token")
    done = sentient("audit", "tail", "--category", "config", "--json")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["action"], each["subject"], each["data"]["by"]) for each in told] == [
        ("set", "llm.model", "set"), ("unset", "server.token", "unset"),
    ]  # fmt: skip
    assert "offline:echo" not in done.stdout
    assert "tok-0123456789abcdef" not in done.stdout
    log = paths.state_dir() / "audit" / "audit.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    refused = sentient("config", "set", "server.port", "2", "--json")
    assert (refused.returncode, json.loads(refused.stderr)["error"]["code"]) == (3, "audit")
    assert "port = 1" in _FILE.read_text()
