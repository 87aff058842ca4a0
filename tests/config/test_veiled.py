"""What is printed, logged or in a traceback about settings holds no secrets."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import rich.console
import rich.pretty

from sentient_cli import ConfigurationManager
from sentient_cli.config import load
from sentient_cli.config.envfile import read_variables
from sentient_cli.config.explain import explain, names_of
from sentient_cli.config.files import read_settings_file
from sentient_cli.config.listing import listed
from sentient_cli.config.preset_cards import preset_cards
from sentient_cli.config.validation import validate
from sentient_cli.config.versions import Version, Versions
from sentient_cli.llm.config import LLMConfig

_SECRETS = ("hunter2hunter2", "red-door-opens", "918273645", "tok-of-the-day", "blue-door-opens")
_TEXT = """\
[server]
token = "tok-of-the-day"
[llm]
preset = "mine"
[llm.providers.work]
kind = "openai"
proxy = "http://me:hunter2hunter2@proxy"
headers = { X-Api-Key = "red-door-opens", X-Team = "red" }
[llm.presets.mine]
metadata = { token = "red-door-opens", team = "red" }
extra.openai = { pin_token = 918273645 }
[profile.other.server]
token = "blue-door-opens"
[profile.other.llm.parameters]
metadata = { token = "red-door-opens" }
"""


def _all() -> Iterator[object]:
    environment = {"SOME_VARIABLE": "hunter2hunter2", "SENTIENT_LLM_PRESET": "mine"}
    for profile in (None, "other"):
        loaded = load(environment=environment, profile=profile, use_env_file=False)
        yield loaded
        yield from loaded.files
        for values in loaded.layers.values():
            yield from values.values()
        for name in names_of(loaded):
            explained = explain(loaded, name)
            yield explained
            yield from explained.given
        for name in ("headers.X-Api-Key", "proxy", "headers"):
            yield explain(loaded, f"llm.providers.work.{name}")
        yield from listed(loaded)
        yield from preset_cards(loaded)
        yield LLMConfig.of(loaded)
    file = read_settings_file(Path("sentient.toml").absolute())
    yield from (file, file.values("project"), file.profile_values("other"))
    yield read_variables(Path.cwd(), environment)
    yield validate(environment=environment, use_env_file=False)
    config = ConfigurationManager(environment=environment, use_env_file=False)
    change = config.update({"server.port": 9})
    yield from (config.snapshot, change, *config.history())


def test_no_repr_shows_a_secret() -> None:
    Path("sentient.toml").write_text(_TEXT)
    for each in _all():
        console = rich.console.Console(file=(file := io.StringIO()), width=10_000)
        console.print(rich.pretty.Pretty(each))
        for text in (repr(each), str(each), f"{each}", file.getvalue()):
            assert not [secret for secret in _SECRETS if secret in text], type(each)


def test_what_is_no_secret_is_shown() -> None:
    Path("sentient.toml").write_text(_TEXT)
    loaded = load(environment={}, use_env_file=False)
    assert "X-Team" in repr(explain(loaded, "llm.providers.work.headers"))
    assert "'red'" in repr(explain(loaded, "llm.providers.work.headers.X-Team"))
    assert "value=8000" in repr(explain(loaded, "server.port"))
    assert "number=1" in repr(Versions(Path("sentient.toml")).note({"server": {"port": 1}}, "api"))


@pytest.mark.parametrize("number", [1, 2])
def test_a_version_is_the_same_as_before(number: int) -> None:
    versions = Versions(Path("sentient.toml"))
    for port in (1, 2):
        versions.note({"server": {"port": port}}, "api")
    found = versions.get(number)
    assert isinstance(found, Version)
    assert (found, hash(found.sha256)) == (versions.get(number), hash(versions.get(number).sha256))
