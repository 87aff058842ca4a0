"""Two experiments collide exactly where there is a moment at which both set the same thing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config.colliding import check_apart
from sentient_cli.config.settings import Settings
from sentient_cli.errors import ConfigError
from sentient_cli.host.experiments import plans_of

_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_VARIANTS: list[dict[str, object]] = [
    {},
    {"model": "offline"},
    {"preset": "code"},
    {"preset": "mine"},
    {"parameters": {"seed": 4, "stop": ["a"]}},
]


class _Trial(NamedTuple):
    variant: int
    enabled: bool
    begins: int | None
    days: int | None

    def table(self) -> dict[str, object]:
        begins = None if self.begins is None else _DAY + timedelta(days=self.begins)
        ends = None if self.days is None else (begins or _DAY) + timedelta(days=self.days)
        variants = {"control": dict[str, object](), "other": _VARIANTS[self.variant]}
        return {"variants": variants, "enabled": self.enabled, "starts": begins, "ends": ends}


_TRIALS = st.builds(
    _Trial,
    st.integers(0, len(_VARIANTS) - 1),
    st.booleans(),
    st.none() | st.integers(0, 5),
    st.none() | st.integers(1, 5),
)


def _settings(trials: list[_Trial]) -> Settings:
    experiments = {f"e{number}": trial.table() for number, trial in enumerate(trials)}
    presets = {"mine": {"base": "precise", "max_tokens": 5}}
    return Settings.model_validate({"experiments": experiments, "llm": {"presets": presets}})


@given(st.lists(_TRIALS, max_size=4))
def test_they_collide_where_both_go_on_and_set_the_same(trials: list[_Trial]) -> None:
    settings = _settings(trials)
    alone = [settings.model_copy(update={"experiments": {name: each}}) for name, each in settings.experiments.items()]
    plans = [plan for each in alone for plan in plans_of(each)]
    moments = [int((_DAY + timedelta(days=day)).timestamp() * 1e9) for day in range(-1, 11)]
    fields = {plan.name: {field for each in plan.variants.values() for field in each.fields} for plan in plans}
    collide = any(
        one.runs_at(moment) and other.runs_at(moment) and fields[one.name] & fields[other.name]
        for one, other in combinations(plans, 2)
        for moment in moments
    )
    if not collide:
        check_apart(settings)
        assert len(plans_of(settings)) == len(plans)
        return
    for check in (check_apart, plans_of):
        with pytest.raises(ConfigError, match="both set"):
            check(settings)
