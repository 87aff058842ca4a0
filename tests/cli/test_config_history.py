"""`sentient config history`, `diff` and `rollback`, over the real command line."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from sentient_cli import paths
from sentient_cli.config.versions import Versions
from tests.cli.processes import Sentient
from tests.support import commands
from tests.support.rights import AS_NOBODY

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


_TRIAL = """\
[server]
port = 1
[llm.providers.offline]

[experiments.tone.variants.control]
[experiments.tone.variants.warm]
preset = "creative"  # not too much
"""


@pytest.mark.story("5.7")
def test_tables_that_say_something_by_being_there_are_versioned(sentient: Sentient) -> None:
    _FILE.write_text(_TRIAL)
    done = sentient("config", "unset", "experiments.tone.variants.warm.preset")
    assert done.returncode == 0, done.stderr
    assert "[experiments.tone.variants.warm]\n" in _FILE.read_text()
    assert sentient("config", "diff").stdout == '- experiments.tone.variants.warm.preset = "creative"\n'
    _FILE.write_text("[server]\n\n[llm]\n")
    assert sentient("config", "diff").stdout.splitlines() == [
        "- server.port = 1", "- llm.providers.offline = {}",
        "- experiments.tone.variants.control = {}", "- experiments.tone.variants.warm = {}",
    ]  # fmt: skip
    for number in (1, 2, 1):
        wanted = Versions(_FILE).get(number).table()
        done = sentient("config", "rollback", str(number))
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert tomllib.loads(_FILE.read_text()) == wanted
        assert sentient("config", "diff", str(number)).stdout == ""
    _FILE.write_text("")
    assert len(_history(sentient)) == 7
    _FILE.write_text("[server]\n")
    assert len(_history(sentient)) == 7  # which says nothing


@pytest.mark.story("5.7")
def test_entries_that_a_version_does_not_have_go_as_a_whole_but_for_their_secrets(sentient: Sentient) -> None:
    text = "# ours\n[server]\nport = 1\n"
    _FILE.write_text(text)
    sentient("config", "history")
    _FILE.write_text(
        f"{text}\n[experiments.b]\nvariants={{control={{}}, y={{model='offline'}}}}\n"
        "[llm.providers.work]\nkind = 'openai'\nheaders = { X-Team = 'red', X-Api-Key = 'abc-def-ghi' }\n"
        "[llm.providers.home]\nkind = 'openai'\nheaders = { X-Team = 'red' }\nretry = { attempts = 2 }\n"
        "[profile.a.server]\nport = 5\n"
    )
    done = sentient("config", "rollback", "1")
    assert done.returncode == 0, done.stderr
    assert "`llm.providers.work.headers.X-Api-Key` holds a secret" in done.stderr
    assert _FILE.read_text().startswith(text)
    left = {"work": {"headers": {"X-Api-Key": "abc-def-ghi"}}}
    assert tomllib.loads(_FILE.read_text()) == {"server": {"port": 1}, "llm": {"providers": left}}


@pytest.mark.story("5.5")
def test_what_collides_was_never_in_force_and_is_no_version(sentient: Sentient) -> None:
    text = "[experiments.a]\nvariants={control={}, y={model='offline'}}\n"
    _FILE.write_text(text)
    assert len(_history(sentient)) == 1
    _FILE.write_text(text + text.replace("experiments.a", "experiments.b"))
    assert len(_history(sentient)) == 1


def test_a_file_that_nobody_can_read_is_told_with_its_place(sentient: Sentient) -> None:
    _FILE.write_text("[server]\nport = 1\n")
    sentient("config", "set", "server.port", "2")
    for text, place in ((b"[server]\nport = \xff\n", "Line 2"), (b"[server]\nport 5\n", f"{_FILE.absolute()}:2:6")):
        _FILE.write_bytes(text)
        assert [each["version"] for each in _history(sentient)] == [2, 1]
        assert sentient("config", "diff", "1", "2").stdout == "- server.port = 1\n+ server.port = 2\n"
        for given in (("diff",), ("rollback", "1"), ("set", "server.port", "3"), ("unset", "server.port")):
            done = sentient("config", *given, "--json")
            error = json.loads(done.stderr.splitlines()[-1])["error"]
            assert done.returncode == 3
            assert place in error["why"]
        assert _FILE.read_bytes() == text


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
    for damage in (b"\xff{", b'{"number": "\xff"}', b"", b"[" * 100_000, first.with_name("000002.json").read_bytes()):
        first.write_bytes(damage)
        found = _history(sentient)
        assert [(each["version"], each["whole"]) for each in found] == [(2, True), (1, False)]
        assert (found[1]["by"], found[1]["at"], found[1]["changes"]) == ("unknown", None, [])
    assert "(damaged)" in sentient("config", "history").stdout
    for given in (("rollback", "1"), ("diff", "1"), ("diff", "2", "1")):
        done = sentient("config", *given, "--json")
        assert (done.returncode, json.loads(done.stderr)["error"]["code"]) == (3, "config")
        assert "Version 1 is damaged" in done.stderr
    assert sentient("config", "diff").stdout == "+ server.port = 2\n"  # the other version is the first that is left
    assert sentient("config", "set", "server.port", "3").stderr.endswith("version 3.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a directory there is not made read-only by a mode")
@pytest.mark.usefixtures("unmeasured")  # whose data nobody else may write
@pytest.mark.story("5.7")
def test_versions_are_read_where_nothing_can_be_written(sentient: Sentient) -> None:
    with tempfile.TemporaryDirectory(prefix="sentient-rights-") as folder:  # which everybody may look into
        project = Path(folder)
        file, state = project / "sentient.toml", {"XDG_STATE_HOME": str(project / "state"), "HOME": folder}
        file.write_text("[server]\nport = 1\n")
        for port in ("2", "3"):
            sentient("--project", folder, "config", "set", "server.port", port, env=state)
        made = [project, *project.rglob("*")]
        for path in made:
            path.chmod(0o555 if path.is_dir() else 0o444)

        def read(*arguments: str) -> tuple[int, str, str]:
            environment = {"PATH": os.environ["PATH"], "NO_COLOR": "1", **state}
            done = commands.run("config", *arguments, directory=project, environment=environment, prelude=AS_NOBODY)
            return done.returncode, done.stdout.decode(), done.stderr.decode()

        code, out, err = read("history", "--json")
        assert (code, err) == (0, "")
        assert [json.loads(line)["version"] for line in out.splitlines()] == [3, 2, 1]
        assert read("diff") == (0, "- server.port = 2\n+ server.port = 3\n", "")
        file.chmod(0o644)
        file.write_text("[server]\nport = 4\n")  # by hand, and so not recorded yet
        code, out, err = read("history")
        assert (code, len(out.splitlines())) == (0, 4)
        assert "what was changed by hand is not among the versions yet" in err
        assert "Permission denied" in err
        assert read("diff")[:2] == (0, "- server.port = 3\n+ server.port = 4\n")
        code, out, err = read("set", "server.port", "5", "--json")
        assert (code, json.loads(err)["error"]["why"]) == (3, "Permission denied")
        for path in made:
            path.chmod(0o755)


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


def test_secrets_in_versions_of_earlier_releases_are_masked_with_the_next_change(sentient: Sentient) -> None:
    _FILE.write_text("[server]\nport = 1\n")
    versions = Versions(_FILE)
    folder = versions.lock.parent
    sentient("config", "set", "server.port", "2")
    for path in folder.glob("masked-*"):
        path.unlink()  # as before there was such a file
    old = folder / "000001.json"
    parameters = "{ metadata = { pin_token = 81726 } }"
    settings = f'{{ server = {{ token = "hunter2hunter2", port = 1 }}, llm = {{ parameters = {parameters} }} }}'
    written = json.loads(old.read_bytes()) | {
        "settings": settings,
        "sha256": hashlib.sha256(settings.encode()).hexdigest(),
        "changes": [
            {"key": "server.token", "before": None, "after": "hunter2hunter2"},
            {"key": "llm.parameters.metadata.pin_token", "before": 71625, "after": 81726},
            {"key": "server.port", "before": None, "after": 1},
        ],
    }
    old.write_text(json.dumps(written))
    (folder / "000002.json").write_text('{"settings": "hunter2hunter2", "and nothing')
    assert sentient("config", "set", "server.port", "3").returncode == 0
    kept = b"".join(path.read_bytes() for path in folder.iterdir())
    assert not [word for word in (b"hunter2hunter2", b"81726", b"71625") if word in kept]
    found = _history(sentient)
    assert [(each["version"], each["whole"]) for each in found] == [(4, True), (3, True), (1, True)]
    assert found[-1]["changes"] == [
        {"key": "server.token", "before": None, "after": "[redacted]"},
        {"key": "llm.parameters.metadata.pin_token", "before": "[redacted]", "after": "[redacted]"},
        {"key": "server.port", "before": None, "after": 1},
    ]
    assert sentient("config", "rollback", "1").returncode == 0
    assert _FILE.read_text() == "[server]\nport = 1\n"


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
