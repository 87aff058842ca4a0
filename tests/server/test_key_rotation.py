"""A key is rotated while a server answers: no call fails, and the server is neither told nor started again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sentient_cli import paths
from sentient_cli.config import load
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.catalogue import Card, Catalogue
from sentient_cli.credentials.manager import CredentialManager
from sentient_cli.credentials.names import Address as Named
from sentient_cli.credentials.ports import ABSENT
from sentient_cli.credentials.stores.encrypted import EncryptedFileStore
from sentient_cli.credentials.stores.passphrases import from_file
from sentient_cli.host.credentials import credentials_of
from tests.cli.llm_command_kit import chat_answer
from tests.credentials.places import CHEAP
from tests.dev.developing import developing, wait_until
from tests.server.live_kit import AGENT, Load
from tests.support.llm_server import Answer, LLMServer, Received, as_json
from tests.support.served import serve
from tests.support.wire import ask_all

_PATIENCE = 60

_OLD, _NEW = "sk-the-old-one-0123456789", "sk-the-new-one-0123456789"


class _Provider:
    """Takes some keys and no others."""

    def __init__(self, *keys: str) -> None:
        self.keys = set(keys)
        self.seen: dict[str, int] = {}
        self.refused = 0
        self._changed = threading.Condition()

    def __call__(self, request: Received) -> Answer:
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        with self._changed:
            self.seen[key] = self.seen.get(key, 0) + 1
            self._changed.notify_all()
            if key not in self.keys:
                self.refused += 1
                return as_json({"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, 401)
        return chat_answer("Yes")

    def wait_for(self, key: str, times: int = 1) -> None:
        """Return once it was asked with a key so often."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.seen.get(key, 0) >= times, _PATIENCE), self.seen


@pytest.fixture
def place() -> Path:
    """The home of the test and of its server, and the project of both."""
    return Path.home()


@pytest.fixture
def credentials(place: Path) -> Callable[[], CredentialManager]:
    """The credentials of the project in the folder of the test."""
    _write_passphrase(place)
    return lambda: credentials_of(load(project=place))


def _write_passphrase(place: Path) -> None:
    words = place / "words"
    words.write_text("correct horse battery")
    words.chmod(0o600)
    store = EncryptedFileStore(paths.data_dir() / "credentials" / "encrypted", from_file(words), cost=CHEAP)
    store.put(Named("default", "first"), Secret("sk-some-other-0123456789"), expected=ABSENT)
    own = paths.user_config_file()
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(f'[credentials]\npassphrase_file = "{words}"\n')


def _project(place: Path, server: LLMServer) -> None:
    (place / "asker.py").write_text(AGENT)
    (place / "sentient.toml").write_text(
        f'[llm]\nmodel = "mine:small"\n[llm.retry]\nattempts = 1\n'
        f'[llm.providers.mine]\nkind = "compatible"\nbase_url = "{server.url}/v1"\n'
        '[credentials]\nstores = ["encrypted"]\nwatch = 0.05\n'
    )


@pytest.mark.story("6.3", "E6.1")
@pytest.mark.parametrize(
    ("rate", "threads", "seconds"), [(20, 4, 0.5), pytest.param(200, 16, 10.0, marks=pytest.mark.slow)]
)
def test_no_call_fails_while_the_key_is_rotated(
    place: Path, credentials: Callable[[], CredentialManager], rate: float, threads: int, seconds: float
) -> None:
    provider = _Provider(_OLD)
    with LLMServer(provider) as models:
        _project(place, models)
        with credentials() as manager:
            manager.store("mine", Secret(_OLD))
            with (
                serve(place, agent=place / "asker.py") as server,
                Load(server.address, rate, threads, "Yes".__eq__) as load_,
            ):
                provider.wait_for(_OLD, threads)
                time.sleep(seconds / 2)
                provider.keys.add(_NEW)  # as a provider has both for a while
                manager.rotate("mine", Secret(_NEW), check=lambda value: _check(models, value))
                provider.wait_for(_NEW, threads)
                time.sleep(seconds / 2)
                provider.keys.remove(_OLD)
                done = provider.seen[_NEW]
                provider.wait_for(_NEW, done + 2 * threads)
                assert manager.finish_rotation("mine", grace=0).phase == "steady"
            assert load_.failed == []
            assert provider.refused == 0
            assert load_.asked >= 3 * threads  # as many as the machine manages of so many a second
            assert not any(_OLD in line or _NEW in line for line in server.lines)


def _check(models: LLMServer, value: Secret) -> None:
    assert models.requests
    assert value.reveal() == _NEW


@pytest.mark.story("6.1")
def test_a_key_is_stored_and_found_by_a_server(place: Path, credentials: Callable[[], CredentialManager]) -> None:
    provider = _Provider(_NEW)
    with LLMServer(provider) as models:
        _project(place, models)
        with serve(place, agent=place / "asker.py") as server:
            ask_all(server.address, "Go")
            assert provider.refused == 1
            with credentials() as manager:
                manager.store("mine", Secret(_NEW))
            server.wait_line("The settings are taken")
            ask_all(server.address, "Go")
            assert provider.seen == {"": 1, _NEW: 1}


@pytest.mark.story("6.3")
def test_a_server_of_an_agent_that_is_written_takes_the_next_key_as_it_runs(place: Path) -> None:
    provider = _Provider(_OLD, _NEW)
    project = place / "project"
    project.mkdir()
    _write_passphrase(project)
    with LLMServer(provider) as models:
        _project(project, models)
        with credentials_of(load(project=project)) as manager:
            manager.store("mine", Secret(_OLD))
            agent = (project / "asker.py").read_text()
            with developing(project, agent=agent, env={"HOME": str(place)}) as dev:
                assert dev.ask("Go") == "Yes"
                assert provider.seen == {_OLD: 1}
                before = dev.workers()
                manager.rotate("mine", Secret(_NEW), check=lambda _value: None)
                wait_until(lambda: dev.ask("Go") == "Yes" and _NEW in provider.seen, "the next key is taken")
                assert dev.workers() == before
                assert not [event for event in dev.events if event["event"] == "reloaded"]


@pytest.mark.story("6.3", "6.7")
def test_a_server_says_at_its_start_which_keys_are_due(place: Path) -> None:
    now, day = time.time_ns(), 24 * 3600 * 10**9
    Catalogue().put(
        Card(profile="default", name="late", store="keyring", changed_at=now - 3 * day, rotate_every=24 * 3600),
        Card(profile="default", name="ended", store="keyring", changed_at=now - day, expires_at=now - day),
        Card(profile="default", name="fresh", store="keyring", changed_at=now, rotate_every=30 * 24 * 3600),
    )
    with serve(place) as server:
        server.wait_line("default/late was to be rotated 2 days ago. Run `sentient keys rotate late")
        server.wait_line("default/ended has expired 1 day ago. Run `sentient keys rotate ended")
    assert not [line for line in server.lines if "default/fresh" in line]
    with developing(place / "project", env={"HOME": str(place)}) as dev:
        wait_until(lambda: "default/late was to be rotated 2 days ago" in json.dumps(dev.events), "it is said")
