"""`sentient keys` where things are not as they should be: the clock, the disk, others who write, files that are odd."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pexpect
import pytest

from sentient_cli import paths
from sentient_cli.credentials.catalogue import Card, Catalogue
from tests.cli.keys_kit import KEY, OTHER, PASSPHRASE, at_a_terminal, use_quick_store
from tests.plugins.isolation import REPOSITORY
from tests.support import commands

_DAY = 24 * 3600
_FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, resource.RLIM_INFINITY))
"""
"""No file can grow beyond so many bytes: as on a full disk."""


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_store(monkeypatch)


def _shifted(seconds: int) -> str:
    """Python by which a process believes that it is another time."""
    return f"""
import time
from sentient_cli.audit.log import AuditLog
real = time.time_ns
time.time_ns = lambda: real() + {seconds} * 10**9
AuditLog.__init__.__kwdefaults__["now_ns"] = time.time_ns
"""


def _run(*arguments: str, stdin: str = "", prelude: str = "", code: int = 0, where: Path | None = None) -> str:
    done = commands.run("keys", *arguments, stdin=stdin.encode(), prelude=prelude, directory=where)
    assert done.returncode == code, (done.stdout, done.stderr)
    return (done.stdout or done.stderr).decode()


def _states(name: str = "openai") -> list[str]:
    shown = json.loads(_run("show", name, "--json"))
    return [version["state"] for version in shown["versions"]]


@pytest.mark.slow
@pytest.mark.story("6.3", "6.6")
@pytest.mark.parametrize("shift", [-400 * _DAY, -_DAY, -1])
def test_a_clock_that_goes_back_loses_no_key_and_no_line(shift: int) -> None:
    back = _shifted(shift)
    _run("set", "openai", "--expires", "90d", "--every", "30d", stdin=KEY)
    _run("rotate", "openai", "--unchecked", "--grace", "15m", stdin=OTHER)
    assert _states() == ["current", "previous"]
    _run("rotate", "openai", "--resume", prelude=back)  # the grace is not over
    assert _states() == ["current", "previous"]
    assert "openai" in _run("list", prelude=back)
    assert "won" in _run("which", "openai", prelude=back)
    _run("rotate", "openai", "--resume", "--grace", "0", prelude=back)
    assert _states() == ["current"]
    _run("rotate", "openai", "--unchecked", "--grace", "15m", stdin=KEY, prelude=back)
    _run("exec", "--", sys.executable, "-c", f"import os; assert os.environ['OPENAI_API_KEY'] == {KEY!r}")
    _run("rotate", "openai", "--resume")  # by the clock of now the grace is over, or goes on for a moment
    assert _states() in (["current"], ["current", "previous"])
    verified = commands.run("audit", "verify")
    assert verified.returncode == 0, verified.stdout
    assert b"nothing was changed" in verified.stdout
    assert b"clock" in verified.stderr


@pytest.mark.story("6.3")
def test_a_clock_that_was_far_ahead_does_not_end_a_grace_early() -> None:
    ahead = _shifted(400 * _DAY)
    _run("set", "openai", stdin=KEY, prelude=ahead)
    _run("rotate", "openai", "--unchecked", "--grace", "15m", stdin=OTHER)
    assert _states() == ["current", "previous"]
    assert commands.run("audit", "verify").returncode == 0


@pytest.mark.story("6.1")
@pytest.mark.usefixtures("unmeasured")
@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
@pytest.mark.parametrize("size", [500, 2000])
def test_a_full_disk_changes_nothing_and_is_said(size: int) -> None:
    _run("set", "openai", stdin=KEY)
    before = {path: path.read_bytes() for path in paths.data_dir().rglob("*") if path.is_file()}
    for arguments in (("set", "groq"), ("set", "openai", "--yes"), ("rotate", "openai", "--unchecked")):
        told = _run(*arguments, "--json", stdin=OTHER * 100, prelude=_FULL.format(size=size), code=3)
        error = json.loads(told)["error"]
        assert error["code"] in {"audit", "credential-store"}
        assert "free space" in error["fix"]
        assert OTHER not in told
    for path, data in before.items():
        assert "encrypted" not in path.name or path.read_bytes() == data
    assert _states() == ["current"]
    assert "sk-…ABCD" in _run("show", "openai")
    assert commands.run("audit", "verify").returncode == 0


@pytest.mark.slow
@pytest.mark.story("6.1")
def test_processes_that_store_and_rotate_at_once_lose_nothing() -> None:
    _run("set", "openai", stdin=KEY)
    names = [f"key{number}" for number in range(6)]
    with ThreadPoolExecutor(8) as pool:
        stored = [pool.submit(commands.run, "keys", "set", name, stdin=KEY.encode()) for name in names]
        rotate = ("keys", "rotate", "openai", "--unchecked", "--json")
        rotated = [pool.submit(commands.run, *rotate, stdin=f"{OTHER}{number}".encode()) for number in range(2)]
        codes = [each.result().returncode for each in stored]
        ended = [each.result() for each in rotated]
    assert codes == [0] * len(names)
    assert sorted(each.returncode for each in ended) in ([0, 2], [0, 3])  # the other one: conflict, or its grace
    rows = [json.loads(line) for line in _run("list", "--json").splitlines()]
    assert sorted(row["name"] for row in rows) == sorted([*names, "openai"])
    assert _states() == ["current", "previous"]
    assert commands.run("audit", "verify").returncode == 0


@pytest.mark.story("6.3")
def test_the_grace_of_the_settings_is_that_of_a_rotation() -> None:
    Path("sentient.toml").write_text("[credentials]\ngrace = 120\n")
    _run("set", "openai", stdin=KEY)
    assert "stays for 2m" in _run("rotate", "openai", "--unchecked", stdin=OTHER)
    _run("rotate", "openai", "--resume", "--grace", "0")
    Path("sentient.toml").write_text("[credentials]\ngrace = 0\n")
    assert "is gone from here" in _run("rotate", "openai", "--unchecked", stdin=KEY)


@pytest.mark.story("6.2")
def test_files_in_settings_are_relative_to_these(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENTIENT_CREDENTIALS_PASSPHRASE_ENV")
    below, own = Path("below"), paths.user_config_file()
    below.mkdir()
    own.parent.mkdir(parents=True, exist_ok=True)
    own.with_name("words").write_text(PASSPHRASE)
    own.with_name("words").chmod(0o600)
    own.write_text('[credentials]\nstores = ["encrypted"]\nencrypted_file = "own/keys"\npassphrase_file = "words"\n')
    _run("set", "openai", stdin=KEY, where=below)
    assert own.with_name("own").joinpath("keys").stat().st_mode & 0o777 == 0o600
    assert "sk-…ABCD" in _run("show", "openai")
    assert list(below.iterdir()) == []


@pytest.mark.story("6.2", "6.4")
@pytest.mark.parametrize(
    ("file", "text", "key"),
    [
        ("sentient.toml", '[credentials]\nencrypted_file = "keys"\n', "encrypted_file"),
        ("sentient.toml", '[credentials]\npassphrase_file = "words"\n', "passphrase_file"),
        ("sentient.toml", '[credentials]\npassphrase_env = "HOME"\n', "passphrase_env"),
        ("sentient.toml", '[profile.default.credentials]\nencrypted_file = "keys"\n', "encrypted_file"),
        ("pyproject.toml", '[tool.sentient.credentials]\nencrypted_file = "keys"\n', "encrypted_file"),
        (".env", "SENTIENT_CREDENTIALS_ENCRYPTED_FILE=keys\n", "encrypted_file"),
        ("sentient.toml", "[credentials]\ndefault_profile = true\n", "default_profile"),
        ("sentient.toml", "[credentials]\ncore_dumps = true\n", "core_dumps"),
        ("sentient.toml", "[credentials]\npassphrase_keyring = true\n", "passphrase_keyring"),
        ("sentient.toml", '[credentials.vault]\nca_file = "ca.pem"\n', "vault.ca_file"),
        (".env", "SENTIENT_CREDENTIALS_AWS_CA_FILE=ca.pem\n", "aws.ca_file"),
    ],
)
def test_no_project_has_a_store_or_a_passphrase_of_its_own(
    file: str, text: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SENTIENT_CREDENTIALS_PASSPHRASE_ENV")
    _run("list")
    Path("words").write_text(PASSPHRASE)
    Path("words").chmod(0o600)
    Path(file).write_text(text)
    before = {path.name for path in Path.cwd().iterdir()}
    for command in ("set openai", "show openai", "which openai", "use staging"):
        error = json.loads(_run(*command.split(), "--json", stdin=KEY, code=3))["error"]
        assert error["what"] == f"The setting `credentials.{key}` is not for a project to make"
        assert f"SENTIENT_CREDENTIALS_{key.upper().replace('.', '_')} in the shell" in error["fix"]
    assert {path.name for path in Path.cwd().iterdir()} == before


@pytest.mark.slow
@pytest.mark.story("6.1")
@pytest.mark.parametrize("text", ["{}", '{"cards": []}', "[]", "", '{"format": "sentient.credentials", "cards": [{}]}'])
def test_a_catalogue_that_is_none_is_told_and_made_anew(text: str) -> None:
    _run("set", "openai", stdin=KEY)
    catalogue = paths.data_dir() / "credentials.json"
    catalogue.write_text(text)
    told = json.loads(_run("list", "--json", code=3))["error"]
    assert (told["code"], "--rebuild" in told["fix"]) == ("credential-store", True)
    done = subprocess.run(
        [sys.executable, "-m", "sentient_cli", "keys", "exec", "--only", "openai", "--", "true"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr  # a key that is named is looked for in the stores themselves
    assert "openai" in _run("list", "--rebuild")
    assert "openai" in _run("list")


def test_where_nobody_can_be_asked_it_is_said_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SENTIENT_CREDENTIALS_PASSPHRASE_ENV", "KEYS_PASSPHRASE"):
        monkeypatch.delenv(name)
    there = json.loads(_run("show", "openai", "--json", code=2))["error"]["fix"]
    (paths.data_dir() / "credentials" / "encrypted").unlink()
    new = json.loads(_run("set", "openai", "--json", stdin=KEY, code=2))["error"]["fix"]
    assert ("keys unlock" in there, "keys unlock" in new) == (True, False)  # which would need a file


@pytest.mark.story("6.1", "6.2")
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("short",), b"This passphrase is too short"),
        (("several words", "several wirds"), b"The two passphrases differ"),
        (("several words", "\x03"), b""),
    ],
)
def test_a_first_passphrase_that_is_none_leaves_nothing(typed: tuple[str, ...], said: bytes) -> None:
    file = paths.data_dir() / "credentials" / "encrypted"
    file.unlink()
    with at_a_terminal("keys", "set", "openai", SENTIENT_CREDENTIALS_PASSPHRASE_ENV="") as (child, raw):
        for asked, answer in zip((b"Key for", b"New passphrase", b"The same again"), (KEY, *typed), strict=False):
            child.expect_exact(asked)
            child.expect_exact(b"(not shown): ")
            child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
    assert child.exitstatus == (2 if said else 130)
    assert said in raw.getvalue()
    assert not file.exists()
    assert "No keys are stored yet" in _run("list")


@pytest.mark.story("6.1")
def test_a_key_whose_storing_was_not_finished_is_told_and_left_out() -> None:
    _run("set", "openai", stdin=KEY)
    Catalogue().put(Card(profile="default", name="groq", store="encrypted"))  # as whoever is killed leaves it
    told = [json.loads(line) for line in _run("list", "--json").splitlines()]
    assert {line["name"]: line["next"] for line in told} == {"groq": "not finished", "openai": "-"}
    error = json.loads(_run("show", "groq", "--json", code=3))["error"]
    assert "storing it was begun, and not finished" in error["why"]
    assert error["fix"].startswith("Store it with `sentient keys set groq")
    done = commands.run("keys", "exec", "--", "sh", "-c", "echo $OPENAI_API_KEY")
    assert (done.returncode, done.stdout) == (0, b"[redacted]\n")
    assert b"groq is left out: storing it was not finished" in done.stderr
    _run("exec", "--only", "groq", "--", "true", code=3)
    _run("set", "groq", stdin=OTHER)
    assert "not finished" not in _run("list")
