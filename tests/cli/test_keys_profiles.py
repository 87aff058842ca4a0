"""Only their user chooses among profiles of keys: what a project names counts once that one has agreed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sentient_cli import open_credentials, paths
from sentient_cli.errors import CredentialStoreError
from tests.cli.keys_kit import ENV, KEY, OTHER, PASSPHRASE, listing_one, use_quick_store
from tests.cli.llm_command_kit import project
from tests.cli.processes import Sentient
from tests.support.llm_server import LLMServer
from tests.support.served import serve, start

pytestmark = pytest.mark.story("6.5")
_TABLE = "[profile.production.server]\nport = 9000\n"
_AGENT = """
from sentient_cli import agent, llm

@agent
async def asker(session, query, response):
    await response.stream_llm("MODEL", llm.stream(query.prompt))
"""


@pytest.fixture(autouse=True)
def stored(sentient: Sentient, monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_store(monkeypatch)


def _set(sentient: Sentient, name: str, key: str, *more: str) -> None:
    done = sentient("keys", "set", name, *more, stdin=key)
    assert done.returncode == 0, done.stderr


def _propose(place: str) -> str:
    """Have the project name the profile ``production``, and say where it does."""
    if place == ".env":
        Path(place).write_text("SENTIENT_PROFILE=production\n")
        settings = Path("sentient.toml")
        settings.write_text((settings.read_text() if settings.exists() else "") + _TABLE)
        return f"SENTIENT_PROFILE in {Path(place).absolute()}"
    settings = Path("sentient.toml")
    settings.write_text('profile = "production"\n' + (settings.read_text() if settings.exists() else ""))
    own = paths.user_config_file()
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(_TABLE)
    return f"{settings.absolute()}:1:1"


@pytest.mark.parametrize("place", [".env", "sentient.toml"])
def test_what_a_project_names_is_agreed_to_first(sentient: Sentient, place: str) -> None:
    with LLMServer(listing_one) as server:
        project(server)
        _set(sentient, "mine", KEY, "--profile", "production")
        said = _propose(place)
        Path("words").write_text("words for the journey, at least eight")
        Path("words").chmod(0o600)
        for command in (
            ("ask", "Hi"),
            ("keys", "test", "mine"),
            ("keys", "show", "mine"),
            ("keys", "set", "mine", "--yes"),
            ("keys", "set", "other"),
            ("keys", "rotate", "mine"),
            ("keys", "rotate", "mine", "--abort"),
            ("keys", "remove", "mine", "--yes"),
            ("keys", "move", "mine", "--to", "encrypted"),
            ("keys", "allow", "mine", "elsewhere.example.com"),
            ("keys", "exec", "--", "env"),
            ("keys", "export", "keys.bin", "--passphrase-file", "words"),
        ):
            done = (
                sentient(*command, "--json", stdin=OTHER)
                if command[:2] != ("keys", "exec")
                else sentient("keys", "--json", *command[1:])
            )
            assert done.returncode == 3, (command, done.stdout, done.stderr)
            error = json.loads(done.stderr.splitlines()[-1])["error"]
            assert error["what"] == "Nobody has agreed to the keys of the profile production", command
            assert f"sentient keys use production --project {Path.cwd()}" in error["fix"], command
            assert said in error["why"] or "its settings" in error["why"], command
            assert KEY not in done.stdout + done.stderr
        assert server.requests == []
        which = sentient("keys", "which", "mine")
        assert (which.returncode, "refused     the store encrypted" in which.stdout) == (3, True)
        assert f"sentient keys use production --project {Path.cwd()}" in " ".join(which.stderr.split())
        assert sentient("keys", "list").stdout.count("production") == 1
        assert sentient("keys", "use").stderr == "The project names production, which is not agreed to.\n"
        assert sentient("keys", "use", env={"SENTIENT_PROFILE": "production"}).stderr == (
            "Here production is meant: named by SENTIENT_PROFILE.\n"
        )
        assert sentient("ask", "Hi", env={"MINE_KEY": OTHER}).returncode == 0  # a variable needs no profile
        server.requests.clear()
        assert sentient("keys", "use", "production", "--project", ".").returncode == 0
        assert sentient("ask", "Hi").returncode == 0
        assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("how", ["--profile", "SENTIENT_PROFILE", "chosen", "own settings"])
def test_who_names_the_same_one_has_agreed(sentient: Sentient, how: str) -> None:
    _set(sentient, "openai", KEY, "--profile", "production")
    _propose(".env")
    flag, env = ("--profile", "production") if how == "--profile" else (), {}
    if how == "SENTIENT_PROFILE":
        env = {how: "production"}
    elif how == "chosen":
        assert sentient("keys", "use", "production").returncode == 0
    elif how == "own settings":
        own = paths.user_config_file()
        own.parent.mkdir(parents=True)
        own.write_text('profile = "production"\n')
    assert sentient("keys", "show", "openai", *flag, env=env).returncode == 0


def test_a_directory_that_is_bound_keeps_its_profile_whatever_the_project_names(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY, "--profile", "production")
    _set(sentient, "openai", OTHER, "--profile", "dev")
    _propose(".env")
    assert sentient("keys", "use", "dev", "--project", ".").returncode == 0
    told = json.loads(sentient("keys", "which", "openai", "--json").stdout)
    assert (told["profile"], told["profile_by"]) == ("dev", f"bound to {Path.cwd()}")
    assert told["won"] == "the store encrypted"


def test_a_project_does_not_choose_the_default_over_what_its_user_has_chosen(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY)
    assert sentient("keys", "use", "dev").returncode == 0
    Path("sentient.toml").write_text('profile = "default"\n')
    error = json.loads(sentient("keys", "show", "openai", "--json").stderr)["error"]
    assert error["what"] == "Nobody has agreed to the keys of the profile default"


def test_nothing_is_refused_where_nothing_is_stored(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY)
    _propose(".env")
    error = json.loads(sentient("keys", "test", "openai", "--json").stderr)["error"]
    assert (error["code"], "profile `default`" in error["fix"]) == ("credential-not-found", True)


@pytest.mark.slow
def test_a_server_has_the_keys_of_a_profile_once_that_is_agreed_to(sentient: Sentient) -> None:
    Path("asker.py").write_text(_AGENT)
    with LLMServer(listing_one) as server:
        project(server)
        _set(sentient, "mine", KEY, "--profile", "production")
        _propose(".env")
        refused = start(Path.home(), "--project", Path.cwd(), agent=Path("asker.py").absolute(), env=ENV)
        assert refused.wait() == 3
        told = " ".join(" ".join(refused.lines).replace("│", " ").split())
        assert "Nobody has agreed to the keys of the profile production" in told
        assert "Only the project names it (its settings)" in told
        assert sentient("keys", "use", "production", "--project", ".").returncode == 0
        with serve(Path.home(), "--project", Path.cwd(), agent=Path("asker.py").absolute(), env=ENV) as taken:
            assert taken.port


def test_who_agrees_while_a_program_runs_is_heard_at_once(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY, "--profile", "production")
    _propose(".env")
    with open_credentials() as credentials:
        with pytest.raises(CredentialStoreError, match="Nobody has agreed"):
            credentials.get("openai")
        assert sentient("keys", "use", "staging", "--project", ".").returncode == 0
        with pytest.raises(CredentialStoreError, match="Nobody has agreed"):
            credentials.get("openai")  # another one than it was opened for
        assert sentient("keys", "use", "production", "--project", ".").returncode == 0
        assert credentials.get("openai").secret.reveal() == KEY


def test_a_program_that_got_the_variables_of_the_project_is_no_user(sentient: Sentient) -> None:
    _set(sentient, "openai", KEY, "--profile", "production")
    _propose(".env")
    script = (
        "from sentient_cli import open_credentials\nwith open_credentials() as yours:\n    print(yours.get('openai'))\n"
    )
    Path("script.py").write_text(script)
    told = " ".join(sentient("run", "script.py").stderr.replace("│", " ").split())
    assert "Nobody has agreed to the keys of the profile production" in told
    Path("script.py").write_text(script.replace("open_credentials()", "open_credentials(profile='production')"))
    done = sentient("run", "script.py")
    assert (done.returncode, "production" in done.stdout) == (0, True), done.stderr


def test_a_passphrase_is_never_that_of_a_project(sentient: Sentient, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(sentient, "openai", KEY)
    monkeypatch.delenv("KEYS_PASSPHRASE")
    Path(".env").write_text(f"KEYS_PASSPHRASE={PASSPHRASE}\n")
    for command in (("show", "openai"), ("set", "other")):
        error = json.loads(sentient("keys", *command, "--json", stdin=OTHER).stderr.splitlines()[-1])["error"]
        assert error["what"] == "There is no passphrase for the encrypted file"
        assert "what the `.env` of a project says does not count" in error["why"]
