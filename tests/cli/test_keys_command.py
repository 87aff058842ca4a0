"""`sentient keys`: kept, listed, shown, found and removed, over the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pexpect
import pytest

from sentient_cli import paths
from sentient_cli.cli.commands import commands_of, find_command, load_command
from sentient_cli.credentials.catalogue import Card, Catalogue
from tests.cli.keys_kit import KEY, OTHER, PASSPHRASE, THIRD, at_a_terminal, use_quick_store
from tests.cli.processes import Sentient


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_store(monkeypatch)


def _set(sentient: Sentient, name: str, key: str, *more: str) -> None:
    done = sentient("keys", "set", name, *more, stdin=f"{key}\n")
    assert done.returncode == 0, done.stderr


def _rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_command_has_its_help(commandline: Sentient) -> None:
    row = find_command("keys")
    assert row is not None
    whole = commandline("keys", "--help")
    assert commandline("keys").stdout == commandline("keys", "-h").stdout == whole.stdout
    for each in commands_of(row):
        assert each.help in whole.stdout
        assert (load_command(each, "keys").__doc__ or "").splitlines()[0].endswith(".")
        done = commandline("keys", each.name, "--help", env={"COLUMNS": "80"})
        assert done.returncode == 0
        assert done.stdout.startswith(f"Usage: sentient keys {each.name}")
        assert "--json" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_command_that_is_not_there(commandline: Sentient) -> None:
    done = commandline("keys", "lst", "--json")
    error = json.loads(done.stderr)["error"]
    assert done.returncode == 2
    assert (error["what"], error["why"]) == ("There is no command 'keys lst'", "Did you mean `list`?")
    assert "sentient keys --help" in error["fix"]


@pytest.mark.story("6.1")
def test_a_key_from_stdin_is_kept_and_never_shown(sentient: Sentient) -> None:
    done = sentient("keys", "set", "openai", "--expires", "90d", "--every", "30d", stdin=f"{KEY}\n")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("Stored default/openai in encrypted, fingerprint ")
    listed = sentient("keys", "list", env={"COLUMNS": "80"})
    head, line = listed.stdout.splitlines()
    assert head.split() == ["name", "profile", "store", "fingerprint", "age", "used", "next"]
    assert line.split()[:3] == ["openai", "default", "encrypted"]
    assert line.endswith("due in 30d")
    shown = sentient("keys", "show", "openai")
    assert "sk-…ABCD" in shown.stdout
    assert "current" in shown.stdout
    (row,) = _rows(sentient("keys", "list", "--json").stdout)
    assert (row["name"], row["provider"], row["rotate_every"]) == ("openai", "openai", 30 * 24 * 3600)
    for path in paths.data_dir().rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()
    for each in (done, listed, shown):
        assert KEY not in each.stdout + each.stderr


def test_nothing_is_stored_yet(commandline: Sentient) -> None:
    done = commandline("keys", "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("No keys are stored yet.")
    assert commandline("keys", "list", "--json").stdout == ""


@pytest.mark.story("6.1")
@pytest.mark.parametrize(
    "arguments", [("openai", KEY), (f"openai={KEY}",), (KEY,), ("openai", "--", KEY), ("openai", "a", "b")]
)
@pytest.mark.parametrize("command", ["set", "rotate"])
def test_a_key_is_no_argument(sentient: Sentient, command: str, arguments: tuple[str, ...]) -> None:
    done = sentient("keys", command, *arguments, "-v", stdin="")
    told = " ".join(done.stderr.replace("│", " ").split())
    assert done.returncode == 2
    assert "A key is never given as an argument" in told
    assert "history of the shell" in told
    assert "revoke this one there" in told
    assert KEY not in done.stdout + done.stderr
    assert not paths.crash_dir().exists()


@pytest.mark.parametrize("option", ["--value", "--key", "--api-key", "--secret"])
def test_a_key_is_no_option(commandline: Sentient, option: str) -> None:
    done = commandline("keys", "set", "openai", f"{option}={KEY}", "--json")
    error = json.loads(done.stderr)["error"]
    assert done.returncode == 2
    assert "A key is never an argument" in error["fix"]
    assert "revoke it" in error["fix"]
    assert KEY not in done.stderr


@pytest.mark.story("6.1")
def test_overwriting_needs_a_yes(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY)
    done = sentient("keys", "set", "openai", "--json", stdin=OTHER)
    error = json.loads(done.stderr)["error"]
    assert done.returncode == 2
    assert "There is a key default/openai already" in error["what"]
    assert "--yes" in error["fix"]
    _set(sentient, "openai", OTHER, "--yes")
    assert "sk-…WXYZ" in sentient("keys", "show", "openai").stdout


@pytest.mark.story("6.1")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"", "Nothing came on stdin"),
        (b" \n \n", "Nothing came on stdin"),
        (b"a\nb\n", "line break"),
        (b"\xff\xfe\xfd", "Unicode"),
        (b"k" * 70_000, "70,000 bytes"),
        (b"k" * 1_100_000, "more than a megabyte"),
    ],
)
def test_what_is_no_key(sentient: Sentient, given: bytes, words: str) -> None:
    Path("key").write_bytes(given)
    Path("key").chmod(0o600)
    piped = given.decode("latin-1")
    done = sentient("keys", "set", "openai", stdin=piped, encoding="latin-1")
    assert done.returncode == 2
    assert words in done.stderr
    from_file = sentient("keys", "set", "openai", "--from-file", "key")
    assert from_file.returncode == 2
    assert sentient("keys", "list", "--json").stdout == ""


@pytest.mark.story("6.1")
def test_keys_with_odd_characters_and_from_files(sentient: Sentient) -> None:
    Path("key").write_text("  schlüssel 'mit' \"Zeichen\" \N{KEY} und mehr \r\n", encoding="utf-8")
    Path("key").chmod(0o644)
    done = sentient("keys", "set", "mine", "--from-file", "key")
    assert done.returncode == 0, done.stderr
    assert "Others on this machine can read key" in done.stderr
    assert "White space at its ends was left out" in done.stderr
    Path("pem").write_text("-----BEGIN-----\nabc\n-----END-----\n")
    Path("pem").chmod(0o600)
    assert sentient("keys", "set", "pem", "--from-file", "pem", "--raw").returncode == 0
    (_, pem) = sorted(_rows(sentient("keys", "list", "--json").stdout), key=lambda row: str(row["name"]))
    shown = json.loads(sentient("keys", "show", "pem", "--json").stdout)
    assert shown["versions"][0]["characters"] == len("-----BEGIN-----\nabc\n-----END-----\n")
    assert pem["provider"] is None
    gone = sentient("keys", "set", "x", "--from-file", "nowhere")
    assert (gone.returncode, "cannot be read" in gone.stderr) == (2, True)


@pytest.mark.story("6.1")
def test_names_and_providers_that_are_none(commandline: Sentient) -> None:
    near = commandline("keys", "set", "opnai", stdin=KEY)
    assert near.returncode == 0
    assert "Did you mean openai?" in near.stderr
    bad = commandline("keys", "set", "work", "--provider", "opnai", "--json", stdin=KEY)
    assert bad.returncode == 2
    assert json.loads(bad.stderr)["error"]["why"] == "Did you mean `openai`?"
    assert commandline("keys", "set", "a b", stdin=KEY).returncode == 2
    assert commandline("keys", "set", "x", "--store", "keyrong", stdin=KEY).returncode == 2
    for flag, value in (("--expires", "soon"), ("--expires", "2001-01-01"), ("--every", "x")):
        assert flag in commandline("keys", "set", "x", flag, value, stdin=KEY).stderr


@pytest.mark.story("6.1", "6.5")
def test_near_names_and_profiles_are_suggested(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY, "--profile", "production")
    missing = sentient("keys", "show", "opnai", "--profile", "production", "--json")
    assert missing.returncode == 3
    assert "Did you mean `openai`?" in json.loads(missing.stderr)["error"]["fix"]
    profile = sentient("keys", "show", "openai", "--profile", "prodution", "--json")
    assert profile.returncode == 3
    assert "`production`" in json.loads(profile.stderr)["error"]["fix"]
    listed = sentient("keys", "list", "--profile", "prodution", "--json")
    assert listed.returncode == 3
    assert json.loads(listed.stderr)["error"]["why"] == "Did you mean `production`?"
    assert "Did you mean production?" in sentient("keys", "use", "prodution").stderr


@pytest.mark.story("6.5")
def test_a_profile_is_chosen_for_this_user_or_for_a_project(sentient: Sentient) -> None:
    shop = Path("shop")
    shop.mkdir()
    assert sentient("keys", "use").stdout == "default (nothing else was chosen)\n"
    assert sentient("keys", "use", "staging").returncode == 0
    assert sentient("keys", "use", "production", "--project", "shop").stdout.startswith("production (bound to ")
    _set(sentient, "openai", KEY)
    _set(sentient, "openai", OTHER, "--project", "shop")
    _set(sentient, "openai", THIRD, "--profile", "dev")
    rows = _rows(sentient("keys", "list", "--json").stdout)
    assert [row["profile"] for row in rows] == ["dev", "production", "staging"]
    assert (
        json.loads(sentient("keys", "which", "openai", "--project", "shop", "--json").stdout)["profile"] == "production"
    )
    assert list(shop.iterdir()) == []
    assert sentient("keys", "use", "--forget", "--project", "shop").stdout.startswith("staging ")
    assert sentient("keys", "use", "--forget").returncode == 2
    assert sentient("keys", "use", "Not A Profile").returncode == 2


@pytest.mark.story("6.1", "6.2")
def test_each_step_of_the_look_up_is_explained(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY)
    outcomes = [row["outcome"] for row in json.loads(sentient("keys", "which", "openai", "--json").stdout)["steps"]]
    assert outcomes == ["nothing", "nothing", "nothing", "won"]
    Path(".env").write_text(f"OPENAI_API_KEY={OTHER}\n")
    Path("sentient.toml").write_text("")
    file = sentient("keys", "which", "openai")
    assert "won         the variable OPENAI_API_KEY in " in file.stdout
    assert "not asked   the store encrypted" in file.stdout
    shell = sentient("keys", "which", "openai", env={"OPENAI_API_KEY": THIRD})
    assert " 2  won         the variable OPENAI_API_KEY\n" in shell.stdout
    none = sentient("keys", "which", "groq")
    assert (none.returncode, "sentient keys set groq" in none.stderr) == (3, True)
    assert all(each not in shell.stdout + shell.stderr + file.stdout for each in (KEY, OTHER, THIRD))


@pytest.mark.story("6.1")
def test_a_key_is_removed_after_a_yes(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY)
    unasked = sentient("keys", "remove", "openai", "--json")
    assert (unasked.returncode, "--yes" in json.loads(unasked.stderr)["error"]["fix"]) == (2, True)
    done = sentient("keys", "remove", "openai", "--yes")
    assert done.returncode == 0
    assert done.stderr.startswith("Removed default/openai from encrypted.")
    assert sentient("keys", "remove", "openai", "--yes").returncode == 3


@pytest.mark.story("6.1", "6.6")
def test_every_access_is_on_record(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY)
    sentient("keys", "show", "openai")
    sentient("keys", "exec", "--", "true")
    actions = [row["action"] for row in _rows(sentient("keys", "audit", "--json").stdout)]
    assert actions == ["stored", "shown", "resolved"]
    assert KEY not in sentient("keys", "audit").stdout
    assert sentient("audit", "verify").returncode == 0


@pytest.mark.story("6.1")
def test_what_is_due_comes_first_in_the_list(commandline: Sentient) -> None:
    day, now = 24 * 3600 * 10**9, 1_900_000_000 * 10**9
    catalogue = Catalogue()
    catalogue.put(
        Card(profile="default", name="a" * 64, store="keyring", provider="openai", expires_at=day, changed_at=day),
        Card(profile="default", name="b", store="keyring", changed_at=now - day, rotate_every=3600 * 24 * 365 * 40),
        Card(profile="default", name="late", store="keyring", changed_at=day, rotate_every=3600, phase="trying"),
        Card(profile="default", name="mid", store="keyring", phase="verified"),
    )
    rows = {str(row["name"]): str(row["next"]) for row in _rows(commandline("keys", "list", "--json").stdout)}
    assert rows["a" * 64].startswith("expired ")
    assert rows["late"].startswith("overdue ")
    assert rows["mid"] == "rotating"
    for columns in (20, 40, 60, 80, 200):
        lines = commandline("keys", "list", env={"COLUMNS": str(columns)}).stdout.splitlines()
        assert len(lines) == 5
        assert max(map(len, lines)) <= columns


@pytest.mark.story("6.7")
def test_the_doctor_shows_what_is_due(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY, "--every", "1d")
    _set(sentient, "groq", OTHER, "--expires", "3d")
    found = [row for row in _rows(sentient("doctor", "--json").stdout) if row["name"] == "stored"]
    assert [row["status"] for row in found] == ["warn", "warn"]
    assert "default/groq expires in" in str(found[0]["what"])
    assert "default/openai is to be rotated in" in str(found[1]["what"])
    assert "sentient keys rotate groq" in str(found[0]["fix"])


@pytest.mark.story("6.1")
def test_a_list_that_is_lost_is_made_anew(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY)
    Catalogue().path.write_text("{")
    broken = sentient("keys", "list")
    assert (broken.returncode, "--rebuild" in broken.stderr) == (3, True)
    assert sentient("keys", "list", "--rebuild").stdout.splitlines()[1].startswith("openai ")


@pytest.mark.story("6.1")
def test_a_key_is_typed_at_a_prompt_that_does_not_show_it(tmp_path: Path) -> None:
    with at_a_terminal("keys", "set", "openai") as (child, raw):
        child.expect_exact(b"Key for openai (not shown): ")
        child.sendline(KEY)
        child.expect_exact(f"{len(KEY)} characters, fingerprint ".encode())
        child.expect_exact(b"Stored default/openai in encrypted")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
    with at_a_terminal("keys", "set", "openai") as (child, raw):
        child.expect_exact(b"Put another one in its place? [y/N] ")
        child.sendline("n")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 130
    assert KEY.encode() not in raw.getvalue()


@pytest.mark.story("6.2")
def test_the_passphrase_is_asked_for_and_a_wrong_one_told(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY)
    quiet = {"SENTIENT_CREDENTIALS_PASSPHRASE_ENV": ""}
    with at_a_terminal("keys", "show", "openai", SENTIENT_CREDENTIALS_PASSPHRASE_ENV="") as (child, raw):
        child.expect_exact(b"Passphrase of the encrypted file (not shown): ")
        child.sendline(PASSPHRASE)
        child.expect_exact("sk-…ABCD".encode())
        child.expect(pexpect.EOF)
    assert PASSPHRASE.encode() not in raw.getvalue()
    unasked = sentient("keys", "show", "openai", "--json", env=quiet)
    assert unasked.returncode == 2
    assert "passphrase_file" in json.loads(unasked.stderr)["error"]["fix"]
    wrong = sentient("keys", "show", "openai", env={"KEYS_PASSPHRASE": "another one"})
    assert (wrong.returncode, "is wrong" in wrong.stderr) == (3, True)
