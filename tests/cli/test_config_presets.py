"""`sentient config presets`: ours and the user's own, what they come to, and where they are used."""

from __future__ import annotations

import json

import pytest

from sentient_cli.config import load
from sentient_cli.config.presets import BUILT_IN
from tests.cli.config_kit import PROJECT, rows, write_project
from tests.cli.keys_kit import at_a_terminal
from tests.cli.processes import Sentient


@pytest.mark.story("5.4")
def test_ours_and_ones_own(commandline: Sentient) -> None:
    write_project()
    done = commandline("config", "presets", "--json")
    assert done.returncode == 0, done.stderr
    told = {str(row["name"]): row for row in rows(done.stdout)}
    assert list(told) == [*BUILT_IN, "mine"]
    assert list(BUILT_IN) == ["precise", "balanced", "creative", "code", "fast"]
    for name, preset in BUILT_IN.items():
        assert (told[name]["what"], told[name]["own"]) == (preset.what, False)
        assert told[name]["parameters"] == dict(preset.values)
    mine = told["mine"]
    assert (mine["own"], mine["base"], mine["what"]) == (True, "precise", None)
    assert mine["parameters"] == {**BUILT_IN["precise"].values, "max_tokens": 300}
    assert [name for name, row in told.items() if row["chosen"]] == ["code"]


def test_where_each_is_used(commandline: Sentient) -> None:
    write_project(
        PROJECT + '\n[experiments.warmth.variants]\ncontrol = { preset = "precise" }\nwarm = { preset = "creative" }\n'
    )
    done = commandline("config", "presets", env={"SENTIENT_LLM_PRESET": "fast"})
    text = done.stdout
    assert "* fast " in text
    assert "Used by llm.preset, SENTIENT_LLM_PRESET." in text
    assert "Used by llm.preset, sentient.toml:8:1." in text
    assert "Used by the preset mine, sentient.toml:18:1." in text
    assert "Used by the profile staging, sentient.toml:25:1." in text
    assert "Used by the variant warm of the experiment warmth." in text
    staging = commandline("config", "presets", "--profile", "staging", "--json")
    assert [row["name"] for row in rows(staging.stdout) if row["chosen"]] == ["mine"]


def test_one_of_them_is_a_table_to_copy(commandline: Sentient) -> None:
    write_project()
    done = commandline("config", "presets", "mine")
    assert done.stdout == (
        "# Used by the profile staging, sentient.toml:25:1.\n"
        "[llm.presets.mine]\n"
        "temperature = 0.0  # preset precise\n"
        "max_tokens = 300  # sentient.toml:19:1\n"
    )
    for name in BUILT_IN:
        text = commandline("config", "presets", name).stdout
        write_project(text.replace(f".{name}]", ".copied]"))
        both = [load({"llm.preset": each}, environment={}, use_env_file=False) for each in (name, "copied")]
        assert both[0].settings.llm.parameters == both[1].settings.llm.parameters


def test_a_preset_that_is_not_there(commandline: Sentient) -> None:
    done = commandline("config", "presets", "cod", "--json")
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, error["what"], error["fix"]) == (3, "There is no preset 'cod'", "Did you mean 'code'?")


def test_a_cycle_is_named(commandline: Sentient) -> None:
    write_project('[llm.presets.a]\nbase = "b"\n[llm.presets.b]\nbase = "a"\n')
    done = commandline("config", "presets", "--json")
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, error["what"]) == (3, "The presets are each the base of the other: a -> b -> a")


@pytest.mark.parametrize("columns", [40, 80])
def test_it_fits_the_terminal(columns: int) -> None:
    write_project()
    with at_a_terminal("config", "presets", columns=columns) as (child, raw):
        child.expect_exact("staging")
        child.wait()
    text = raw.getvalue().decode()
    assert max(map(len, text.split("\r\n"))) <= columns
    assert "\x1b" not in text
