"""The layers of the settings, and where each value comes from."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config import Secret, Settings, Source, export_environment, load, process_environment
from sentient_cli.config.described import describe
from sentient_cli.config.explain import value_of
from sentient_cli.config.keys import all_keys, nearest, sections
from sentient_cli.errors import ConfigError, ConfigurationNotFoundError, UsageError
from sentient_cli.paths import user_config_file
from sentient_cli.redact import REDACTED, redactor


def _user(text: str) -> None:
    user_config_file().parent.mkdir(parents=True, exist_ok=True)
    user_config_file().write_text(text)


def test_the_defaults() -> None:
    loaded = load(environment={})
    assert loaded.settings == Settings()
    assert set(loaded.sources) == set(all_keys())
    assert set(loaded.sources.values()) == {Source("default")}
    assert (loaded.project_dir, loaded.project_file, loaded.env_file, loaded.warnings) == (None, None, None, ())
    server = loaded.settings.server
    assert (server.host, server.port, server.workers, server.token) == ("127.0.0.1", 8000, 1, None)
    assert (server.drain_delay, server.drain_timeout, server.run_timeout) == (2.0, 10.0, 600.0)


def test_each_layer_wins_over_those_below() -> None:
    steps: list[tuple[int, str, str]] = [(8000, "default", "")]
    here = Path.cwd()

    def check(expected: int, layer: str, where: str, **more: object) -> None:
        environment = {"SENTIENT_SERVER_PORT": "5"} if more.get("environment") else {}
        flags = {"server.port": 6} if more.get("flag") else {}
        loaded = load(flags, environment=environment, profile="p" if more.get("profile") else None)
        assert loaded.settings.server.port == expected
        assert loaded.sources["server.port"] == Source(layer, where)  # type: ignore[arg-type]

    check(*steps[0])
    _user("[server]\nport = 1\n[profile.p.server]\nworkers = 7\n")
    check(1, "user", f"{user_config_file()}:2:1")
    (here / "sentient.toml").write_text("agent = 'a'\n[server]\nport = 2\n")
    check(2, "project", f"{here}/sentient.toml:3:1")
    with (here / "sentient.toml").open("a") as file:
        file.write("[profile.p.server]\nport = 3\n")
    check(2, "project", f"{here}/sentient.toml:3:1")
    check(3, "profile", f"{here}/sentient.toml:5:1", profile=True)
    (here / ".env").write_text("SENTIENT_SERVER_PORT=4\n")
    check(4, "environment", f"SENTIENT_SERVER_PORT in {here}/.env", profile=True)
    check(5, "environment", "SENTIENT_SERVER_PORT", profile=True, environment=True)
    check(6, "flag", "--port", profile=True, environment=True, flag=True)
    assert load(profile="p", environment={}).settings.server.workers == 7


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    Path("sentient.toml").write_text("[server]\nport = 8820\n")
    assert load(environment={"SENTIENT_SERVER_PORT": ""}).settings.server.port == 8820
    Path(".env").write_text("SENTIENT_SERVER_PORT=8822\nOTHER=file\nSENTIENT_LOG_LEVEL=\n")
    loaded = load(environment={"SENTIENT_SERVER_PORT": "", "OTHER": "", "SENTIENT_LOG_LEVEL": "debug"})
    assert loaded.settings.server.port == 8822
    assert str(loaded.sources["server.port"]) == f"SENTIENT_SERVER_PORT in {Path.cwd()}/.env"
    assert loaded.settings.log.level == "debug"
    # What the agent's code gets is the same, and what is no setting stays as the shell has it.
    assert loaded.environment["SENTIENT_SERVER_PORT"] == "8822"
    assert loaded.environment["OTHER"] == ""


@given(
    layers=st.lists(st.sampled_from(["user", "project", "profile", "environment", "flag"]), unique=True, min_size=1),
    number=st.integers(1, 60000),
)
def test_the_highest_layer_wins(layers: list[str], number: int) -> None:
    order = ["user", "project", "profile", "environment", "flag"]
    values = {layer: number + order.index(layer) for layer in layers}
    _user(f"[server]\nport = {values['user']}\n" if "user" in values else "")
    project = f"[server]\nport = {values['project']}\n" if "project" in values else ""
    profile = f"[profile.default.server]\nport = {values['profile']}\n" if "profile" in values else ""
    Path("sentient.toml").write_text(project + profile)
    environment = {"SENTIENT_SERVER_PORT": str(values["environment"])} if "environment" in values else {}
    loaded = load({"server.port": values.get("flag")}, environment=environment)
    winner = max(layers, key=order.index)
    assert loaded.settings.server.port == values[winner]
    assert loaded.sources["server.port"].layer == winner


def test_a_project_is_found_upward() -> None:
    inner = Path.cwd() / "a" / "b"
    inner.mkdir(parents=True)
    Path("pyproject.toml").write_text(
        "[tool.other]\nx = 1\n[tool.sentient]\nagent = 'up'\n[tool.sentient.server]\nport=9\n"
    )
    (inner / "pyproject.toml").write_text("[tool.other]\n")
    loaded = load(project=inner, environment={})
    assert loaded.project_dir == Path.cwd()
    assert loaded.settings.agent == "up"
    assert str(loaded.sources["server.port"]) == f"{Path.cwd()}/pyproject.toml:6:1"
    (inner.parent / "sentient.toml").write_text("agent = 'nearer'\n")
    assert load(project=inner, environment={}).settings.agent == "nearer"
    Path("sentient.toml").write_text("agent = 'own file first'\n")
    assert load(environment={}).settings.agent == "own file first"


def test_a_broken_file_of_somebody_else_is_passed_over() -> None:
    Path("pyproject.toml").write_text("[tool.other\n")
    assert load(environment={}).project_file is None
    Path("pyproject.toml").write_bytes(b"\xff")
    assert load(environment={}).project_file is None


_PATHS = {name for name in all_keys() if (found := describe(name)) is not None and found.kind == "path"}


@pytest.mark.parametrize("key", sorted(_PATHS))
def test_each_path_is_relative_to_the_file_that_names_it(key: str) -> None:
    own, below = user_config_file(), Path("below")
    own.parent.mkdir(parents=True)
    below.mkdir()
    own.write_text(f'{key} = "some/file"\n')
    assert value_of(load(project=below, environment={}).settings, key) == own.parent / "some" / "file"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_what_somebody_puts_where_everybody_can_is_passed_over() -> None:
    shared = Path.cwd() / "shared"
    own = shared / "own"
    own.mkdir(parents=True)
    planted = shared / "sentient.toml"
    planted.write_text("agent = 'theirs'\n")
    os.chown(planted, 12345, 12345)
    assert load(project=own, environment={}).settings.agent == "theirs"  # a project of somebody else that one is in
    for mode in (0o1777, 0o777):
        shared.chmod(mode)
        loaded = load(project=own, environment={})
        assert (loaded.settings.agent, loaded.project_file) == (None, None)
        assert loaded.warnings[0].startswith(f"{planted} is passed over: somebody else")
    assert load(project=shared, environment={}).settings.agent == "theirs"  # such as the volume of a container
    shared.chmod(0o1777)
    (shared / ".env").write_text("SENTIENT_AGENT=theirs\n")
    os.chown(shared / ".env", 12345, 12345)
    assert load(project=shared, environment={}).settings.agent is None
    planted.unlink()
    os.mkfifo(planted)
    os.chown(planted, 12345, 12345)
    (shared / "pyproject.toml").write_text("[tool.other]\n")
    os.chown(shared / "pyproject.toml", 12345, 12345)
    assert len(load(project=own, environment={}).warnings) == 1
    planted.unlink()
    planted.symlink_to(own / "sentient.toml")
    os.chown(planted, 12345, 12345, follow_symlinks=False)
    (own / "sentient.toml").write_text("agent = 'mine'\n")
    assert load(project=shared, environment={}).settings.agent is None
    assert load(project=own, environment={}).settings.agent == "mine"


def test_a_project_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="--project"):
        load(project=Path("nowhere"))


def test_every_setting_has_a_variable() -> None:
    given: dict[str, str] = {
        "SENTIENT_AGENT": "a:b",
        "SENTIENT_SERVER_WORKERS": "3",
        "SENTIENT_SERVER_INSECURE": "yes",
        "SENTIENT_SERVER_ALLOW_ORIGINS": "http://a, http://b,",
        "SENTIENT_SERVER_RUN_TIMEOUT": "1.5",
        "SENTIENT_SERVER_ON_DISCONNECT": "continue",
        "SENTIENT_SERVER_HOST": "",
        "SENTIENT_LOG_LEVEL": "debug",
    }
    settings = load(environment=given).settings
    assert settings.agent == "a:b"
    assert (settings.server.workers, settings.server.insecure, settings.server.run_timeout) == (3, True, 1.5)
    assert settings.server.allow_origins == ("http://a", "http://b")
    assert settings.server.on_disconnect == "continue"
    assert settings.server.host == "127.0.0.1"
    assert settings.log.level == "debug"


def test_a_variable_that_is_no_setting_is_a_warning() -> None:
    loaded = load(environment={"SENTIENT_SERVER_PROT": "1", "SENTIENT_SERVER_XYZXYZ": "1", "SENTIENT_OTHER": "1"})
    assert loaded.warnings == (
        "SENTIENT_SERVER_PROT is no setting; did you mean SENTIENT_SERVER_PORT?",
        "SENTIENT_SERVER_XYZXYZ is no setting",
    )


def test_the_env_file() -> None:
    Path(".env").write_text("# a comment\nA=1\nB='two words'\nEMPTY\nMY_API_KEY=abc-def-ghi\n")
    loaded = load(environment={"A": "shell"})
    assert loaded.env_file == Path.cwd() / ".env"
    assert loaded.environment["A"] == "shell"
    assert loaded.environment["B"] == "two words"
    assert "EMPTY" not in loaded.environment
    assert redactor.redact("it is abc-def-ghi") == f"it is {REDACTED}"
    assert load(environment={}, use_env_file=False).env_file is None
    Path("other.env").write_text("\ufeffB=3\r\nC=4\r\n", encoding="utf-8")
    other = load(environment={}, env_file=Path("other.env"))
    assert dict(other.environment) == {"B": "3", "C": "4"}


def test_the_env_file_lies_beside_the_project_file() -> None:
    Path("sentient.toml").touch()
    Path(".env").write_text("SENTIENT_LLM_SCRIPT=near.toml\n")
    inner = Path("inner")
    inner.mkdir()
    (inner / ".env").write_text("A=1\n")
    loaded = load(project=inner, environment={})
    assert loaded.env_file == Path.cwd() / ".env"
    assert loaded.settings.llm.script == Path.cwd() / "near.toml"


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"A=1\n\n=x\n", "Line 3"), (b"A='x\n", "Line 1"), (b"A=\xff\n", "not UTF-8"), (b"A=a\0b\n", "NUL")],
)
def test_an_env_file_that_is_not_understood(content: bytes, said: str) -> None:
    Path(".env").write_bytes(content)
    with pytest.raises(ConfigError, match=said) as caught:
        load(environment={})
    assert str(Path.cwd() / ".env") in str(caught.value)


def test_an_env_file_that_is_not_there() -> None:
    with pytest.raises(ConfigurationNotFoundError, match="--env-file"):
        load(env_file=Path("nowhere.env"), environment={})


def test_nothing_is_exported_until_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTIENT_TEST_EXPORT", "before")
    Path(".env").write_text("SENTIENT_TEST_EXPORT=x\nSENTIENT_TEST_OTHER=y\n")
    monkeypatch.delenv("SENTIENT_TEST_OTHER", raising=False)
    loaded = load()
    assert "SENTIENT_TEST_OTHER" not in process_environment()
    export_environment(loaded.environment)
    assert os.environ["SENTIENT_TEST_OTHER"] == "y"
    assert os.environ["SENTIENT_TEST_EXPORT"] == "before"
    monkeypatch.delenv("SENTIENT_TEST_OTHER")


def test_relative_paths() -> None:
    sub = Path("sub")
    sub.mkdir()
    Path("sentient.toml").write_text("[store]\nurl = 'sqlite:runs.db'\n[llm]\nscript = 'x/script.toml'\n")
    loaded = load(project=sub, environment={})
    assert loaded.settings.store.url == f"sqlite:{Path.cwd()}/runs.db"
    assert loaded.settings.llm.script == Path.cwd() / "x" / "script.toml"
    flags = load(
        {"llm.script": Path("y.toml"), "store.url": "file:~/runs", "dev.watch": ("../z", "~/z")},
        project=sub,
        environment={},
    )
    assert flags.settings.dev.watch == (Path.cwd() / "../z", Path("~/z").expanduser())
    assert flags.settings.llm.script == Path.cwd() / "y.toml"
    assert flags.settings.store.url == f"file:{Path.home()}/runs"


def test_profiles() -> None:
    Path("sentient.toml").write_text(
        "[server]\nport = 1\n[profile.default.server]\nport = 2\n"
        "[profile.prod]\nagent = 'x'\n[profile.prod.server]\nport = 3\n"
    )
    assert load(environment={}).settings.server.port == 2
    assert load(environment={"SENTIENT_PROFILE": "prod"}).settings.server.port == 3
    prod = load(profile="prod", environment={})
    assert (prod.settings.agent, prod.settings.profile) == ("x", "prod")
    with pytest.raises(ConfigurationNotFoundError, match=r"'prdo'.*--profile.*'prod'"):
        load(profile="prdo", environment={})
    with pytest.raises(ConfigurationNotFoundError, match="SENTIENT_PROFILE"):
        load(environment={"SENTIENT_PROFILE": "elsewhere"})
    Path("sentient.toml").write_text("profile = 'prod'\n")
    _user("[profile.prod.server]\nport = 4\n")
    assert load(environment={}).settings.server.port == 4


def test_a_secret_does_not_show_itself() -> None:
    loaded = load(environment={"SENTIENT_SERVER_TOKEN": "open-sesame-1"})
    token = loaded.settings.server.token
    assert token is not None
    assert token.reveal() == "open-sesame-1"
    assert token == Secret("open-sesame-1") == Secret(Secret("open-sesame-1"))
    assert token != Secret("x")
    assert token.matches("open-sesame-1")
    assert not token.matches("open-sesame-2")
    assert hash(token) == hash(Secret("open-sesame-1"))
    assert token
    assert not Secret("")
    for text in (repr(loaded.settings), str(loaded.settings), repr(token), str(token), f"{token}"):
        assert "open-sesame" not in text
    assert "open-sesame" not in json.dumps(loaded.settings.model_dump(), default=str)
    assert "open-sesame" not in redactor.redact("it is open-sesame-1")
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(loaded.settings)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(Settings().server, "port", 1)  # noqa: B010 - a type checker would refuse the assignment


def test_names() -> None:
    assert sections() == {"server", "store", "llm", "log", "metrics", "telemetry", "dev", "credentials", "audit"}
    assert nearest("server.prot", list(all_keys())) == "server.port"
    assert nearest("zzz", list(all_keys())) == ""
    assert all(key.description.endswith(".") for key in all_keys().values())
