"""`ConfigurationManager`: settings are read, changed and watched by a program."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli import ConfigError, ConfigurationManager, ConfigurationNotFoundError, UsageError
from sentient_cli.config import ConfigChange, Secret, load
from sentient_cli.config.places import PROJECT_FILE
from tests.cli.processes import run_sentient
from tests.plugins.isolation import REPOSITORY

_FILE = Path(PROJECT_FILE)


@pytest.fixture
def config() -> ConfigurationManager:
    _FILE.write_text("# ours\n[server]\nport = 9000\n[llm.providers.work]\ntimeout = 5\n")
    return ConfigurationManager(environment={"SENTIENT_LOG_LEVEL": "debug"}, values={"server.workers": 2})


def test_experiments_that_no_server_starts_are_refused_by_whatever_changes_settings() -> None:
    _FILE.write_text("[experiments.a]\nvariants = { control = {}, b = { model = 'offline' } }\n")
    config = ConfigurationManager(environment={})
    other = {"control": {}, "c": {"model": "offline"}}
    for layer in ("project", "user"):
        with pytest.raises(ConfigError, match=r"The experiments 'a' and 'b' both set model") as caught:
            config.update({"experiments.b.variants": other}, layer=layer)
        assert caught.value.where in {"what was given", f"{_FILE.absolute()}:2:1"}
    assert "experiments.b" not in _FILE.read_text()
    assert list(config.settings.experiments) == ["a"]
    assert config.update({"experiments.b.variants": other, "experiments.b.enabled": False}) is not None
    assert [version.means for version in config.history()] == ["file", "api"]
    _FILE.write_text(_FILE.read_text().replace("enabled = false", "enabled = true"))
    with pytest.raises(ConfigError, match="both set model") as caught:
        config.reload()
    line = next(n for n, each in enumerate(_FILE.read_text().splitlines(), 1) if "c = " in each)
    assert caught.value.where == f"{_FILE.absolute()}:{line}:1"


def _write(text: str) -> None:
    _FILE.write_text(text)


def test_settings_of_every_source_are_read_by_name(config: ConfigurationManager) -> None:
    assert config.get("server.port", int) == 9000
    assert config.get("server.workers") == 2
    assert config.get("log.level", str) == "debug"
    assert config.get("llm.providers.work.timeout") == 5
    assert config.settings.server.port == config.snapshot.loaded.settings.server.port == 9000
    assert [given.layer for given in config.explain("log.level").given] == ["environment", "default"]


def test_what_is_not_there_or_of_another_type_has_an_error_of_its_own(config: ConfigurationManager) -> None:
    with pytest.raises(ConfigurationNotFoundError, match=r"Did you mean `server.port`"):
        config.get("server.prot")
    with pytest.raises(ConfigError, match="is of the type int"):
        config.get("server.port", str)
    with pytest.raises(ConfigError, match="has no value"):
        config.get("llm.deadline", float)
    with pytest.raises(ConfigurationNotFoundError):
        config.update({"server.prot": 1})
    with pytest.raises(ConfigError, match="secret"):
        config.update({"server.token": "abcdefgh"})
    with pytest.raises(ConfigError, match="secret"):
        config.update({"server.port": 9001, "llm.providers.work.base_url": "https://me:hunter2secret@host/v1"})
    assert "9001" not in _FILE.read_text()
    with pytest.raises(UsageError):
        config.update({"server.port": "x"}, layer="flag")
    with pytest.raises(UsageError, match="There is no layer 'projcet' to change"):
        config.update({"server.port": 9001}, layer="projcet")  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        ConfigurationManager(Path("nowhere"))


def test_a_change_is_all_or_nothing(config: ConfigurationManager) -> None:
    before, text = config.snapshot, _FILE.read_text()
    with pytest.raises(ConfigError, match=r"server\.port"):
        config.update({"log.format": "text", "server.port": 70_000})
    assert _FILE.read_text() == text
    assert config.snapshot is before
    change = config.update({"log.format": "text", "server.port": 7})
    assert change is not None
    assert change.keys == ("server.port", "log.format")
    assert (change.before, change.after) == (before, config.snapshot)
    assert (before.values["server.port"], config.get("server.port")) == (9000, 7)
    assert _FILE.read_text().startswith("# ours\n[server]\nport = 7\n")


def test_layers_for_changes(config: ConfigurationManager) -> None:
    assert config.update({"log.level": "error"}) is None  # the environment goes before it
    assert config.update({"store.url": "sqlite:x.db"}, layer="user") is not None
    assert ConfigurationManager(Path("/")).get("store.url") == config.get("store.url")
    assert config.update({"log.level": "error"}, layer="flag") is not None
    assert config.update({"log.level": None}, layer="flag") is not None
    assert config.get("log.level") == "debug"
    assert config.update({"server.port": 1}, layer="profile") is not None
    assert "[profile.default.server]\nport = 1\n" in _FILE.read_text()
    assert config.update({"server.port": None}, layer="profile") is not None
    assert config.get("server.port") == 9000


@pytest.mark.story("5.7")
def test_each_change_is_a_version_that_the_command_line_knows(config: ConfigurationManager) -> None:
    config.update({"server.port": 1})
    config.update({"server.port": 2})
    assert [version.means for version in config.history()] == ["file", "api", "api"]
    change = config.rollback(2)
    assert change is not None
    assert config.get("server.port") == 1
    shown = run_sentient("config", "history").stdout
    assert "rollback to version 2" in shown
    with pytest.raises(ConfigurationNotFoundError):
        config.rollback(99)


def test_subscribers_are_called_for_what_they_want(config: ConfigurationManager) -> None:
    seen: list[tuple[str, ...]] = []

    def fails(change: ConfigChange) -> None:
        raise ValueError(change.keys)

    config.subscribe(fails)
    end = config.subscribe(lambda change: seen.append(change.keys), "server", "llm.model")
    config.update({"log.format": "text"})
    config.update({"server.port": 1, "log.format": "json"})
    config.update({"llm.model": "offline:echo"}, layer="flag")
    end()
    config.update({"server.port": 2})
    assert seen == [("server.port", "log.format"), ("llm.model",)]


def test_an_invalid_file_leaves_the_old_settings(config: ConfigurationManager) -> None:
    before = config.snapshot
    _FILE.write_text("[server]\nport = 'x'\n")
    with pytest.raises(ConfigError, match=r"sentient\.toml:2:8"):
        config.reload()
    assert config.snapshot is before
    _FILE.write_text("[server]\nport = 3\n")
    assert config.reload() is not None
    assert config.reload() is None
    assert config.get("server.port") == 3


@pytest.mark.story("5.2")
async def test_changes_are_watched_whoever_makes_them(config: ConfigurationManager) -> None:
    async with aclosing(config.watch("server", every=0.01)) as changes:
        first = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        await asyncio.to_thread(run_sentient, "config", "set", "server.port", "1")
        assert (await first).after.values["server.port"] == 1
        config.update({"server.port": 2})
        config.update({"server.body_limit": 5})
        change = await anext(changes)
        assert change.keys == ("server.port", "server.body_limit")
        assert change.before.values["server.port"] == 1
        _write("[server\n")
        second = asyncio.ensure_future(anext(changes))
        _write("[server]\nport = 3\n")
        assert (await second).after.values["server.port"] == 3


def test_readers_never_see_half_of_a_change(config: ConfigurationManager) -> None:
    halves: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            values = config.snapshot.values
            if values["server.max_runs"] != values["server.keep_runs"]:
                halves.append(values["server.max_runs"])

    config.update({"server.max_runs": 1, "server.keep_runs": 1}, layer="flag")
    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(2, 20):
            config.update({"server.max_runs": number, "server.keep_runs": number}, layer="flag")
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert halves == []
    assert config.get("server.max_runs") == 19


def test_a_secret_is_read_and_does_not_show_itself() -> None:
    config = ConfigurationManager(environment={"SENTIENT_SERVER_TOKEN": "abcdefghijk"})
    assert config.get("server.token", Secret).reveal() == "abcdefghijk"
    assert "abcdefghijk" not in repr(config.snapshot.values)


_CHANGES = st.dictionaries(
    st.sampled_from(["server.port", "server.workers", "llm.retry.attempts", "log.level"]),
    st.none() | st.integers(-1, 30) | st.sampled_from(["debug", "info"]),
    min_size=1,
    max_size=3,
)


@given(rounds=st.lists(_CHANGES, max_size=4))
def test_what_is_held_is_what_the_file_says(rounds: list[dict[str, object]]) -> None:
    _FILE.write_text("# top\n\n[server]\nport = 1 # p\n")
    config = ConfigurationManager(environment={})
    for changes in rounds:
        text = _FILE.read_text()
        try:
            config.update(changes)
        except ConfigError:
            assert _FILE.read_text() == text
        assert config.settings == load(environment={}).settings
        assert _FILE.read_text().startswith("# top\n")


@pytest.mark.usefixtures("unmeasured")
def test_the_manager_loads_no_model_and_no_server() -> None:
    code = (
        "import sys; from sentient_cli import ConfigurationManager;"
        "print([name for name in ('openai', 'anthropic', 'starlette', 'typer', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
