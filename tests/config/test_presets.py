"""Presets: a layer of the settings under the user's file, with bases, and what is wrong with them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli import paths
from sentient_cli.config import load
from sentient_cli.config.presets import BUILT_IN, chain_of
from sentient_cli.config.schema import settings_schema
from sentient_cli.config.settings import Settings
from sentient_cli.errors import ConfigError
from tests.support.wire import dig

OWN = """
[llm]
preset = "support"

[llm.presets.support]
base = "plain"
max_tokens = 300
stop = ["END"]
metadata = { team = "seven" }

[llm.presets.plain]
base = "precise"
temperature = 0.1
user = "nobody"
"""


def _load(text: str, **environment: str) -> tuple[Settings, dict[str, str]]:
    Path("sentient.toml").write_text(text)
    loaded = load(environment=environment)
    return loaded.settings, {key: str(source) for key, source in loaded.sources.items()}


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_of_ours_gives_its_values_and_says_so(name: str) -> None:
    settings, sources = _load(f'[llm]\npreset = "{name}"\n')
    told = settings.llm.parameters.model_dump(exclude_defaults=True)
    assert told == dict(BUILT_IN[name].values)
    assert {sources[f"llm.parameters.{field}"] for field in told} == {f"preset {name}"}


def test_own_ones_begin_with_others() -> None:
    settings, sources = _load(OWN)
    told = settings.llm.parameters
    assert (told.temperature, told.max_tokens, told.stop, told.user) == (0.1, 300, ("END",), "nobody")
    assert told.metadata == {"team": "seven"}
    where = f"{Path.cwd()}/sentient.toml"
    assert sources["llm.parameters.max_tokens"].startswith(f"preset support, {where}:7")
    assert sources["llm.parameters.temperature"].startswith(f"preset plain, {where}:13")


def test_every_other_layer_lies_over_it() -> None:
    user = paths.user_config_file()
    user.parent.mkdir(parents=True)
    user.write_text("[llm.parameters]\ntemperature = 0.5\n")
    Path("sentient.toml").write_text('[llm]\npreset = "precise"\n')
    loaded = load(environment={})
    assert loaded.settings.llm.parameters.temperature == 0.5
    assert loaded.sources["llm.parameters.temperature"].layer == "user"
    assert loaded.layers["preset"]["llm.parameters.temperature"].raw == 0.0


def test_it_is_chosen_by_any_layer() -> None:
    Path("sentient.toml").write_text('[profile.night.llm]\npreset = "creative"\n')
    assert load(profile="night", environment={}).settings.llm.parameters.temperature == 1.0
    assert load(environment={"SENTIENT_LLM_PRESET": "code"}).settings.llm.parameters.effort == "high"
    assert load({"llm.preset": "fast"}, profile="night", environment={}).settings.llm.parameters.max_tokens == 1024


def test_a_profile_changes_a_preset() -> None:
    Path("sentient.toml").write_text(OWN + "\n[profile.night.llm.presets.plain]\ntemperature = 0.3\n")
    assert load(profile="night", environment={}).settings.llm.parameters.temperature == 0.3


def test_one_may_take_the_place_of_ours_and_begin_with_it() -> None:
    settings, _ = _load('[llm]\npreset = "code"\n[llm.presets.code]\nbase = "code"\ntemperature = 0.3\n')
    assert (settings.llm.parameters.temperature, settings.llm.parameters.effort) == (0.3, "high")
    settings, _ = _load('[llm]\npreset = "code"\n[llm.presets.code]\ntemperature = 0.3\n')
    assert (settings.llm.parameters.temperature, settings.llm.parameters.effort) == (0.3, None)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[llm]\npreset = "precice"\n', 2, "no preset 'precice' mean 'precise'?"),
        ('[llm]\npreset = "qqqq"\n', 2, "no preset 'qqqq' precise, balanced, [llm.presets.qqqq]"),
        ('[llm.presets.a]\nbase = "b"\n', 2, "no preset 'b'"),
        ('[llm.presets.a]\nbase = "b"\n[llm.presets.b]\nbase = "a"\n', 4, "a -> b -> a base"),
        ('[llm.presets.a]\nbase = "a"\n', 2, "a -> a"),
        (
            '[llm.presets.x]\nbase = "a"\n[llm.presets.a]\nbase = "b"\n[llm.presets.b]\nbase = "a"\n',
            6,
            "a -> b -> a",
        ),
        ("[llm.presets.a]\nbase = 3\n", 2, "`llm.presets.a.base` valid string"),
        ("[llm]\npreset = 3\n", 2, "`llm.preset` valid string"),
        ("[llm.presets.a]\ntemprature = 1\n", 2, "`llm.presets.a.temprature` `llm.presets.a.temperature`?"),
        (
            '[llm]\npreset = "a"\n[llm.presets.a]\ntemperature = 3\n',
            4,
            "`llm.presets.a.temperature` less than or equal",
        ),
        ("[llm.presets.a]\nmetadata = 3\n", 2, "`llm.presets.a.metadata` dictionary"),
        ("[llm]\npresets = 3\n", 2, "`llm.presets` wrong type"),
        ("[llm.presets]\na = 3\n", 2, "`llm.presets.a` wrong type"),
        ("[llm.parameters]\ntemperature = 3\n", 2, "`llm.parameters.temperature` less than or equal to 2"),
        ("[llm.parameters]\ntemperature = true\n", 2, "`llm.parameters.temperature` valid number"),
        ("[llm.parameters]\nmax_tokens = 0\n", 2, "`llm.parameters.max_tokens` greater than or equal to 1"),
        ("[llm.parameters]\neffort = 'long'\n", 2, "`llm.parameters.effort` 'none' 'high'"),
        ("[llm.parameters]\nstop = ['']\n", 2, "`llm.parameters.stop` at least 1 character"),
        ("[llm.parameters]\nextra = 1\n", 2, "`llm.parameters.extra` wrong type"),
        ("[llm.parameters.extra]\nopenai = 1\n", 2, "`llm.parameters.extra.openai` dictionary"),
        ("[llm.parameters.extra.x]\na = [1, {b = nan}]\n", 1, "`llm.parameters.extra.x` must be finite"),
        ("[llm.presets.a]\nextra.x.y = -inf\n", 2, "`llm.presets.a.extra.x` must be finite"),
        ("[llm.parameters]\ntop_q = 1\n", 2, "`llm.parameters.top_q` `llm.parameters.top_p`?"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(text)
    said = f"{caught.value} {caught.value.detail}"
    assert f"{Path.cwd()}/sentient.toml:{line}" in said
    for word in words.split():
        assert word in said


def test_as_many_presets_as_anyone_writes_take_no_time() -> None:
    many = "".join(f"[llm.presets.p{each}]\nbase = 'p{each + 1}'\n" for each in range(2000))
    with pytest.raises(ConfigError, match="The preset 'p0' has more than 50 others below it") as caught:
        _load(many + "[llm.presets.p2000]\n")
    assert str(caught.value.where).endswith("sentient.toml:2:1")
    deepest = "".join(f"[llm.presets.p{each}]\nbase = 'p{each + 1}'\n" for each in range(49))
    _load(deepest + "[llm.presets.p49]\ntemperature = 1\n")


def test_what_a_variant_names_has_to_be_there() -> None:
    with pytest.raises(ConfigError, match="There is no preset 'warmer'") as caught:
        _load("[experiments.a.variants]\ncontrol = {}\nwarm = {preset = 'warmer'}\n")
    assert str(caught.value.where).endswith("sentient.toml:3:18")


_NAMES = st.sampled_from(["a", "b", "c", "precise", "code", "nowhere"])


@given(st.dictionaries(_NAMES.filter(lambda name: name != "nowhere"), st.none() | _NAMES), _NAMES)
def test_a_chain_leads_to_its_end_or_the_error_names_the_circle(bases: dict[str, str | None], name: str) -> None:
    chain: Sequence[tuple[str, bool]] = []
    said = ""
    try:
        chain = chain_of(name, bases)
    except ConfigError as error:
        said = error.what
    if "->" in said:
        way = said.rpartition(": ")[2].split(" -> ")
        assert way[0] == way[-1]
        assert [bases[each] for each in way[:-1]] == way[1:]
        return
    if said:
        assert any(f"'{each}'" in said for each in ("a", "b", "c", "nowhere") if each not in bases)
        return
    assert chain[-1] == (name, name in bases)
    assert len(set(chain)) == len(chain)
    first, is_own = chain[0]
    assert first in BUILT_IN if not is_own else bases[first] is None
    for (lower, _), (upper, _) in itertools.pairwise(chain):
        assert bases[upper] == lower


@pytest.mark.parametrize("table", ["metadata", "extra"])
def test_names_in_the_tables_of_a_preset_are_those_that_parameters_may_have(table: str) -> None:
    inner = "'x'" if table == "metadata" else "{ a = 1 }"
    Path("sentient.toml").write_text(f"[llm.presets.mine]\n{table} = {{ team = {inner}, 'a.b' = {inner} }}\n")
    with pytest.raises(ConfigError, match=rf"The name in `llm.presets.mine.{table}.a.b` is not allowed") as caught:
        load(environment={})
    assert caught.value.where.startswith(f"{Path('sentient.toml').absolute()}:2:")
    assert dig(settings_schema(), "definitions", "PresetSettings", "properties", table, "additionalProperties") is False
    Path("sentient.toml").write_text(f"[llm]\npreset = 'mine'\n[llm.presets.mine]\n{table} = {{ team = {inner} }}\n")
    assert "team" in load(environment={}).settings.llm.parameters.model_dump()[table]
