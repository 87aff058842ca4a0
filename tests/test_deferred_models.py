"""Models that are made ready at their first use: the same ones, sooner."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config.check import check, prepare
from sentient_cli.config.fields import Section
from sentient_cli.config.settings import LlmSettings, ServerSettings, Settings
from sentient_cli.config.values import Source, Value
from sentient_cli.deferred_models import DeferredModel
from sentient_cli.errors import ConfigError

_VALUES: Final[dict[str, list[object]]] = {
    "agent": ["agent.py", ""],
    "profile": ["dev", 5],
    "server.port": [9000, "9000", "x", True],
    "server.allow_hosts": [["a.example"], "a.example"],
    "log.level": ["debug", "loud"],
    "llm.retry.attempts": [5, 0],
    "llm.parameters.temperature": [0.2, "warm"],
    "credentials.vault.mount": ["kv", 1],
    "experiments": [{}, {"tone": {"variants": {}}}],
    "server.prot": [1],
    "nothing.at_all": [1],
}


def _sections(kind: type[Section] = Section) -> list[type[Section]]:
    return [each for below in kind.__subclasses__() for each in (below, *_sections(below))]


def _may_be_empty(kind: type[Section]) -> bool:
    return not any(field.is_required() for field in kind.model_fields.values())


@pytest.mark.parametrize("kind", [kind for kind in _sections() if _may_be_empty(kind)], ids=lambda kind: kind.__name__)
def test_what_is_not_checked_is_right_all_the_same(kind: type[Section]) -> None:
    """The values that a table has with nothing set are of their types, and what checking makes of them."""
    checked = kind()
    assert kind.defaults() == checked
    assert repr(kind.defaults()) == repr(checked)
    assert kind.defaults().model_fields_set == set()


@given(st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in _VALUES.items()}))
def test_part_by_part_and_as_a_whole_are_the_same(raw: dict[str, object]) -> None:
    values = {name: Value(value, Source("project", "x.toml:1:1"), Path.cwd()) for name, value in raw.items()}
    nested: dict[str, object] = {}
    for name, value in raw.items():
        *way, last = name.split(".")
        table = nested
        for part in way:
            table = cast("dict[str, object]", table.setdefault(part, {}))
        table[last] = value
    try:
        whole = Settings.model_validate(nested)
    except ValueError:
        with pytest.raises(ConfigError):
            check(values)
    else:
        assert check(values) == whole
        assert check(values).model_fields_set == whole.model_fields_set


_NOTHING_IS_MADE = """
import sys
from sentient_cli.config import load
from sentient_cli.config.settings import LlmSettings, ServerSettings
load(environment={"SENTIENT_SERVER_PORT": "9000"})
assert ServerSettings.__pydantic_complete__
assert not LlmSettings.__pydantic_complete__
assert "importlib.metadata" not in sys.modules, "plugins were looked for"

import pydantic
class Theirs(pydantic.BaseModel):
    x: int
assert "pydantic.plugin._loader" in sys.modules
from pydantic.plugin import _loader
assert _loader.get_plugins.__module__ == "pydantic.plugin._loader"
"""


def test_only_what_is_set_is_made_ready_and_plugins_are_for_others() -> None:
    done = subprocess.run([sys.executable, "-c", _NOTHING_IS_MADE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_several_threads_may_come_first() -> None:
    class Point(DeferredModel):
        x: int

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(Point.model_validate({"x": "3"}).x)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [3] * 8


def test_everything_can_be_made_ready_at_once() -> None:
    prepare()
    assert LlmSettings.__pydantic_complete__
    assert ServerSettings.__pydantic_complete__
