"""`sentient keys` with a provider on a port: tried, rotated, copied, taken elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pexpect
import pytest

from tests.cli.keys_kit import KEY, OTHER, PASSPHRASE, THIRD, at_a_terminal, use_quick_store
from tests.cli.llm_command_kit import project
from tests.cli.processes import Sentient
from tests.support.llm_server import Answer, LLMServer, Received, as_json

_MODELS = as_json({"object": "list", "data": [{"id": "small"}]})


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_store(monkeypatch)


def _set(sentient: Sentient, name: str, key: str, *more: str) -> None:
    done = sentient("keys", "set", name, *more, stdin=key)
    assert done.returncode == 0, done.stderr


def _key(sentient: Sentient, name: str = "mine", *more: str) -> str:
    """The ends of the current key."""
    shown = json.loads(sentient("keys", "show", name, *more, "--json").stdout)
    (current,) = [version for version in shown["versions"] if version["state"] == "current"]
    return str(current["masked"])


def _server(*good: str) -> LLMServer:
    """A provider that takes these keys."""

    def answer(received: Received) -> Answer:
        taken = received.headers.get("authorization", "").removeprefix("Bearer ") in good
        return _MODELS if taken else as_json({"error": {"message": "Incorrect API key"}}, 401)

    return LLMServer(answer)


@pytest.mark.story("6.1", "6.7")
def test_a_key_is_tried_at_its_provider(sentient: Sentient) -> None:
    with _server(KEY) as server:
        project(server)
        _set(sentient, "mine", KEY)
        done = sentient("keys", "test", "mine")
        told = json.loads(sentient("keys", "test", "mine", "--json").stdout)
        _set(sentient, "mine", OTHER, "--yes")
        refused = sentient("keys", "test", "mine", "--json")
        rotated = sentient("keys", "rotate", "mine", "--json", stdin=THIRD)
    assert json.loads(refused.stderr)["error"]["why"].endswith("The key is that of the store encrypted")
    assert json.loads(rotated.stderr)["error"]["why"] == "Incorrect API key. The key in use stays as it was"
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mine takes the key of the store encrypted, fingerprint ")
    assert (told["provider"], told["ok"]) == ("mine", True)
    assert told["milliseconds"] > 0
    assert refused.returncode == 3
    offline = sentient("keys", "test", "mine", "--json")
    assert (offline.returncode, json.loads(offline.stderr)["error"]["code"]) == (4, "provider-connection")
    assert all(key not in text for key in (KEY, OTHER) for text in (done.stdout, refused.stderr, offline.stderr))


@pytest.mark.story("6.7")
def test_who_is_there_and_answers_nonsense_is_not_taken_for_being_offline(sentient: Sentient) -> None:
    with LLMServer(lambda _received: Answer(b"<html>no list</html>")) as server:
        project(server)
        _set(sentient, "mine", KEY)
        error = json.loads(sentient("keys", "test", "mine", "--json").stderr)["error"]
    assert (error["code"], "offline" in error["why"]) == ("provider-connection", False)


@pytest.mark.slow
@pytest.mark.story("6.7")
@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("compatible", "openai-organization"),
        ("openai", "openai-organization"),
        ("anthropic", "anthropic-organization-id"),
    ],
)
def test_whose_key_it_is_and_when_it_was_tried(sentient: Sentient, kind: str, header: str) -> None:
    listed: dict[str, object] = {"object": "list", "data": [{"id": "small", "type": "model"}], "has_more": False}
    with LLMServer(replace(as_json(listed), headers={header: "acme\x9b31m", "openai-project": "proj_1"})) as server:
        project(server)
        file = Path("sentient.toml")
        file.write_text(file.read_text().replace('"compatible"', f'"{kind}"'))
        _set(sentient, "mine", KEY)
        before = json.loads(sentient("keys", "list", "--json").stdout)
        assert before["verified"] is None
        told = json.loads(sentient("keys", "test", "mine", "--json").stdout)
        assert told["account"]["organization"].startswith("acme")
        assert told["account"]["organization"].isprintable()
        assert "organization acme" in sentient("keys", "test", "mine").stdout
    (row,) = map(json.loads, sentient("keys", "list", "--json").stdout.splitlines())
    assert row["verified"] is not None
    assert sentient("keys", "exec", "--", "true").returncode == 0  # another use, which leaves that
    assert json.loads(sentient("keys", "show", "mine", "--json").stdout)["versions"][0]["verified"] == row["verified"]
    (row,) = map(json.loads, sentient("keys", "list", "--rebuild", "--json").stdout.splitlines())
    assert row["verified"] is not None
    offline = sentient("keys", "test", "mine", "--json")
    assert "seems to be offline" in json.loads(offline.stderr)["error"]["why"]
    _set(sentient, "mine", OTHER, "--yes")
    (row,) = map(json.loads, sentient("keys", "list", "--json").stdout.splitlines())
    assert row["verified"] is None


def test_a_key_of_nobody_cannot_be_tried(commandline: Sentient) -> None:
    assert commandline("keys", "set", "thing", stdin=KEY).returncode == 0
    done = commandline("keys", "test", "thing", "--json")
    assert done.returncode == 2
    assert "--provider" in json.loads(done.stderr)["error"]["fix"]


@pytest.mark.story("6.3")
def test_a_rotation_is_checked_first_and_keeps_the_key_before_for_a_while(sentient: Sentient) -> None:
    with _server(KEY, OTHER) as server:
        project(server)
        _set(sentient, "mine", KEY)
        assert sentient("keys", "test", "mine").returncode == 0
        done = sentient("keys", "rotate", "mine", "--grace", "15m", "--every", "30d", stdin=OTHER)
    assert done.returncode == 0, done.stderr
    assert "mine takes the new key: " in done.stderr
    assert "The one before stays for 15m" in done.stderr
    shown = json.loads(sentient("keys", "show", "mine", "--json").stdout)
    assert [version["state"] for version in shown["versions"]] == ["current", "previous"]
    assert all(version["verified"] for version in shown["versions"])  # that of the one before was tried, too
    assert shown["rotate_every"] == 30 * 24 * 3600
    assert _key(sentient) == "sk-…WXYZ"
    ended = sentient("keys", "rotate", "mine", "--resume", "--grace", "0", "--json")
    assert (ended.returncode, json.loads(ended.stdout)["phase"]) == (0, "steady")


@pytest.mark.story("6.3")
@pytest.mark.parametrize(("answers", "code"), [(True, 3), (False, 4)])
def test_a_key_that_is_refused_changes_nothing(sentient: Sentient, answers: bool, code: int) -> None:
    with _server(KEY) as server:
        project(server)
        _set(sentient, "mine", KEY)
        done = sentient("keys", "rotate", "mine", "--json", stdin=OTHER) if answers else None
    done = done or sentient("keys", "rotate", "mine", "--json", stdin=OTHER)
    assert done.returncode == code
    assert "The key in use stays as it was" in json.loads(done.stderr)["error"]["why"]
    assert _key(sentient) == "sk-…ABCD"
    (row,) = map(json.loads, sentient("keys", "list", "--json").stdout.splitlines())
    assert row["phase"] == "steady"


@pytest.mark.story("6.3")
def test_a_rotation_that_cannot_be(sentient: Sentient) -> None:
    with _server(KEY) as server:
        project(server)
        _set(sentient, "mine", KEY)
        same = sentient("keys", "rotate", "mine", stdin=KEY)
        missing = sentient("keys", "rotate", "mine", stdin="")
    assert same.returncode == 2
    assert (missing.returncode, "--from-file" in missing.stderr) == (2, True)
    assert sentient("keys", "rotate", "mine", "--resume", "--abort").returncode == 2
    assert sentient("keys", "rotate", "mine", "--abort").returncode == 3
    assert sentient("keys", "rotate", "none", stdin=OTHER).returncode == 3
    unchecked = sentient("keys", "rotate", "mine", "--unchecked", "--grace", "0", stdin=OTHER)
    assert unchecked.returncode == 0, unchecked.stderr
    assert "The one before is gone from here" in unchecked.stderr
    idle = sentient("keys", "rotate", "mine", "--resume", "--unchecked")
    assert idle.stderr.endswith("No rotation of it goes on, and nothing was changed.\n")
    assert "revoke" not in idle.stderr


@pytest.mark.story("E6.3")
def test_profiles_are_compared_and_copied(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY, "--profile", "staging")
    _set(sentient, "groq", OTHER, "--profile", "staging")
    _set(sentient, "groq", THIRD, "--profile", "production")
    _set(sentient, "xai", THIRD, "--profile", "production")
    arguments = ("keys", "sync", "--from", "staging", "--to", "production")
    dry = sentient(*arguments, "--dry-run")
    assert dry.returncode == 6
    lines = [" ".join(line.split()[:3]) for line in dry.stdout.splitlines()]
    assert lines[0].split() == ["name", "is", "from"]
    assert lines[1].startswith("groq different")
    assert lines[2] == "openai missing there"
    assert lines[3] == "xai only there"
    unknown = sentient(*arguments, "--only", "openai,grok", "--yes", "--json")
    error = json.loads(unknown.stderr)["error"]
    assert (error["code"], "Did you mean `groq`?" in error["fix"]) == ("credential-not-found", True)
    assert sentient("keys", "list", "--profile", "production").stdout.count("openai") == 0
    unasked = sentient(*arguments, "--json")
    assert (unasked.returncode, "groq" in json.loads(unasked.stderr)["error"]["what"]) == (2, True)
    done = [json.loads(line) for line in sentient(*arguments, "--yes", "--json").stdout.splitlines()]
    assert {row["name"]: row["copied"] for row in done} == {"groq": True, "openai": True, "xai": False}
    assert sentient(*arguments, "--dry-run").returncode == 0
    assert sentient("keys", "sync", "--from", "stagin", "--to", "production").returncode == 3
    assert sentient("keys", "sync", "--from", "staging", "--to", "staging").returncode == 2
    assert KEY not in dry.stdout


@pytest.mark.slow
@pytest.mark.story("6.1", "6.4")
def test_keys_go_elsewhere_in_an_encrypted_file(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY, "--expires", "90d")
    _set(sentient, "groq", OTHER)
    words = Path("words")
    words.write_text("several words to take along\n")
    words.chmod(0o600)
    flags = ("--passphrase-file", "words")
    done = sentient("keys", "export", "keys.bin", *flags)
    assert (done.returncode, "Wrote 2 keys of the profile default to keys.bin" in done.stderr) == (0, True), done.stderr
    file = Path("keys.bin")
    assert file.stat().st_mode & 0o777 == 0o600
    assert KEY.encode() not in file.read_bytes()
    assert sentient("keys", "export", "keys.bin", *flags).returncode == 2
    assert sentient("keys", "export", "openai", "keys.bin", "--yes", *flags).returncode == 0
    unasked = sentient("keys", "import", "keys.bin", *flags, "--json")
    assert (unasked.returncode, "default/openai" in json.loads(unasked.stderr)["error"]["what"]) == (2, True)
    taken = sentient("keys", "import", "keys.bin", "--profile", "staging", *flags, "--json")
    (row,) = map(json.loads, taken.stdout.splitlines())
    assert (row["name"], row["profile"], row["provider"]) == ("openai", "staging", "openai")
    assert row["expires"] is not None
    assert _key(sentient, "openai", "--profile", "staging") == "sk-…ABCD"


@pytest.mark.story("6.1")
def test_a_file_of_keys_that_cannot_be_read(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY)
    words, other = Path("words"), Path("other")
    for path, text in ((words, "several words to take along"), (other, "some other words")):
        path.write_text(text)
        path.chmod(0o600)
    assert sentient("keys", "export", "keys.bin", "--passphrase-file", "words").returncode == 0
    wrong = sentient("keys", "import", "keys.bin", "--passphrase-file", "other")
    assert (wrong.returncode, "is wrong" in wrong.stderr) == (3, True)
    data = Path("keys.bin").read_bytes()
    Path("keys.bin").write_bytes(data[:-20])
    assert "is damaged" in sentient("keys", "import", "keys.bin", "--passphrase-file", "words").stderr
    Path("keys.bin").write_bytes(data)
    Path("keys.bin").chmod(0o644)
    assert "chmod 600" in sentient("keys", "import", "keys.bin", "--passphrase-file", "words").stderr
    assert sentient("keys", "import", "nowhere", "--passphrase-file", "words").returncode == 2
    unasked = sentient("keys", "import", "keys.bin")
    assert (unasked.returncode, "--passphrase-file" in unasked.stderr) == (2, True)
    assert sentient("keys", "export", "none", "a.bin", "--passphrase-file", "words").returncode == 3
    assert sentient("keys", "export", "nowhere/a.bin", "--passphrase-file", "words").returncode == 2
    assert not Path("a.bin").exists()


@pytest.mark.story("6.1")
def test_a_new_passphrase_is_asked_for_twice(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY)
    for again, code in (("several worse", 2), ("several words", 0)):
        with at_a_terminal("keys", "export", "keys.bin") as (child, raw):
            child.expect_exact(b"New passphrase of keys.bin (not shown): ")
            child.sendline("several words")
            child.expect_exact(b"The same again (not shown): ")
            child.sendline(again)
            child.expect(pexpect.EOF)
            child.close()
            assert child.exitstatus == code
        assert b"several" not in raw.getvalue()
        assert PASSPHRASE.encode() not in raw.getvalue()


@pytest.mark.story("6.2")
def test_a_key_moves_nowhere_it_cannot_be(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY)
    assert sentient("keys", "move", "openai", "--to", "keyring").returncode == 2
    same = sentient("keys", "move", "openai", "--to", "encrypted", "--json")
    assert (same.returncode, json.loads(same.stdout)["store"]) == (0, "encrypted")
