"""What is different between two states of settings, by name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some
from hypothesis.strategies import SearchStrategy

from sentient_cli.config import Settings
from sentient_cli.config.changes import changed_keys


def _table(**optional: SearchStrategy[object]) -> SearchStrategy[dict[str, object]]:
    required: dict[str, SearchStrategy[object]] = {}
    return some.fixed_dictionaries(required, optional=optional)


_NAMES = some.sampled_from(["one", "two", "three"])
_PROVIDERS = some.dictionaries(_NAMES, _table(timeout=some.integers(1, 3)))
_STATES = _table(
    server=_table(port=some.integers(1, 3), workers=some.integers(1, 2)),
    llm=_table(providers=_PROVIDERS, model=some.just("offline:echo")),
    log=_table(level=some.sampled_from(["info", "debug"])),
)


@given(_STATES, _STATES)
def test_each_difference_is_named_once_and_nothing_else(before: dict[str, object], after: dict[str, object]) -> None:
    old, new = Settings.model_validate(before), Settings.model_validate(after)
    named = changed_keys(old, new)
    assert len(set(named)) == len(named)
    assert bool(named) == (old != new)
    assert set(changed_keys(new, old)) == set(named)
    assert changed_keys(old, old) == ()
    expected = {
        f"llm.providers.{name}"
        for name in {*old.llm.providers, *new.llm.providers}
        if (name in old.llm.providers) != (name in new.llm.providers)
    }
    expected |= {
        f"llm.providers.{name}.timeout"
        for name in old.llm.providers.keys() & new.llm.providers.keys()
        if old.llm.providers[name].timeout != new.llm.providers[name].timeout
    }
    assert {name for name in named if name.startswith("llm.providers")} == expected
