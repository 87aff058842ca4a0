"""`sentient config explain`: each layer's value of a setting, which one won, and what does not count."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentient_cli.cli.commands import commands_of, find_command, load_command
from sentient_cli.cli.config_names import FLAGS
from sentient_cli.config import load
from sentient_cli.config.described import describe
from sentient_cli.config.explain import explain
from tests.cli.config_kit import PROJECT, TOKEN, rows, write_project, write_user
from tests.cli.keys_kit import at_a_terminal
from tests.cli.processes import Sentient
from tests.plugins.isolation import REPOSITORY


def _given(done_stdout: str) -> list[tuple[object, object, object]]:
    told = json.loads(done_stdout)
    return [(each["layer"], each["value"], each["outcome"]) for each in told["given"]]


def test_every_command_has_its_help(commandline: Sentient) -> None:
    row = find_command("config")
    assert row is not None
    whole = commandline("config", "--help")
    assert commandline("config").stdout == whole.stdout
    for each in commands_of(row):
        assert each.help in " ".join(whole.stdout.split())
        assert (load_command(each, "config").__doc__ or "").splitlines()[0].endswith(".")
        done = commandline("config", each.name, "--help", env={"COLUMNS": "80"})
        assert done.returncode == 0
        assert done.stdout.startswith(f"Usage: sentient config {each.name}")
        assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.story("5.6")
def test_each_layer_and_which_one_won(commandline: Sentient) -> None:
    user = write_user("[server]\nport = 7000\n")
    write_project(variables="SENTIENT_SERVER_PORT=8100\n")
    done = commandline("config", "explain", "server.port", "--json", "--profile", "production")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["key"], told["value"], told["layer"]) == ("server.port", 8100, "environment")
    assert told["where"] == f"SENTIENT_SERVER_PORT in {Path('.env').absolute()}"
    assert _given(done.stdout) == [
        ("environment", 8100, "won"),
        ("profile", 80, "covered"),
        ("project", 9000, "covered"),
        ("user", 7000, "covered"),
        ("default", 8000, "covered"),
    ]
    file = Path("sentient.toml").absolute()
    places = [each["where"] for each in told["given"]]
    assert places[1:] == [f"{file}:22:1", f"{file}:4:1", f"{user}:2:1", None]
    assert (told["type"], told["at_least"], told["at_most"], told["default"]) == ("integer", 0, 65535, 8000)
    assert (told["variable"], told["flag"], told["commands"]) == (
        "SENTIENT_SERVER_PORT",
        "--port",
        ["serve", "dev", "run"],
    )


@pytest.mark.story("5.6")
def test_why_a_value_does_not_count(commandline: Sentient) -> None:
    write_project(variables="SENTIENT_SERVER_PORT=8100\n")
    Path("pyproject.toml").write_text("[tool.sentient.server]\nport = 7\n")
    done = commandline("config", "explain", "server.port", env={"SENTIENT_SERVER_PORT": "8200"})
    lines = done.stdout.splitlines()
    assert lines[0] == "server.port = 8200"
    assert lines[-8:] == [
        "-        flag",
        "won      environment  8200  SENTIENT_SERVER_PORT",
        "ignored  environment  8100  SENTIENT_SERVER_PORT in .env (the variable of the shell goes before it)",
        "ignored  profile      80    sentient.toml:22:1 (the profile is default, not production)",
        "covered  project      9000  sentient.toml:4:1",
        "ignored  project      7     pyproject.toml:2:1 (pyproject.toml is passed over beside sentient.toml)",
        "-        user",
        "covered  default      8000",
    ]


def test_an_empty_variable_is_said_to_be_none(commandline: Sentient) -> None:
    done = commandline("config", "explain", "server.port", env={"SENTIENT_SERVER_PORT": ""})
    assert done.stdout.startswith("server.port = 8000\n")
    assert (
        'ignored  environment  ""    SENTIENT_SERVER_PORT (a variable that is empty counts as not set)' in done.stdout
    )
    assert done.stdout.endswith("won      default      8000\n")


def test_a_profile_of_ones_own_gives_way_to_that_of_the_project(commandline: Sentient) -> None:
    write_user("[profile.production.server]\nport = 81\n")
    write_project()
    done = commandline("config", "explain", "server.port", "--profile", "production", "--json")
    assert _given(done.stdout)[:3] == [("profile", 80, "won"), ("profile", 81, "ignored"), ("project", 9000, "covered")]


@pytest.mark.story("5.4")
@pytest.mark.story("5.6")
def test_what_a_preset_gives_has_its_layer(commandline: Sentient) -> None:
    write_project(PROJECT + "\n[llm.parameters]\neffort = 'low'\n")
    warm = commandline("config", "explain", "llm.parameters.temperature")
    assert warm.stdout.startswith("llm.parameters.temperature = 0.2\n")
    assert warm.stdout.endswith("won      preset       0.2  preset code\n")
    covered = commandline("config", "explain", "llm.parameters.effort", "--json")
    assert _given(covered.stdout) == [("project", "low", "won"), ("preset", "high", "covered")]


@pytest.mark.story("5.6")
def test_what_is_on_trial_is_a_layer_too(commandline: Sentient) -> None:
    trial = """
[experiments.warmth.variants]
control = {}
warm = { preset = "creative" }
cold = { model = "offline:echo", preset = "creative", parameters = { temperature = 0.1 } }
[experiments.over]
enabled = false
variants = { control = {}, hot = { parameters = { temperature = 2.0 } } }
"""
    write_project(PROJECT + trial)
    warmth = commandline("config", "explain", "llm.parameters.temperature", "--json")
    assert _given(warmth.stdout) == [
        ("experiment", 1.0, "varies"),
        ("experiment", 0.1, "varies"),
        ("preset", 0.2, "won"),
    ]
    model = commandline("config", "explain", "llm.model").stdout
    assert 'varies   experiment   "offline:echo"  the variant cold of warmth\n' in model
    assert "-        session      what an agent says with `llm.use`\n" in model


def test_a_setting_of_an_entry(commandline: Sentient) -> None:
    write_project()
    done = commandline("config", "explain", "llm.providers.work.timeout", "--json")
    (told,) = rows(done.stdout)
    assert (told["value"], told["unit"], told["above"], told["variable"]) == (12.0, "seconds", 0, None)
    assert told["description"] == "How long it may be silent."
    plain = commandline("config", "explain", "llm.providers.other.timeout")
    assert plain.stdout.startswith("llm.providers.other.timeout is not set\n")
    assert "environment" not in plain.stdout


def test_a_value_within_a_table_that_is_taken_as_a_whole(commandline: Sentient) -> None:
    write_user("[llm.providers.work.retry]\nattempts = 2\nbase = 4.0\n")
    write_project()
    attempts = commandline("config", "explain", "llm.providers.work.retry.attempts", "--json")
    assert _given(attempts.stdout) == [("project", 5, "won"), ("user", 2, "covered")]
    assert rows(attempts.stdout)[0]["where"] == f"{Path('sentient.toml').absolute()}:15:22"
    base = commandline("config", "explain", "llm.providers.work.retry.base", "--json")
    (told,) = rows(base.stdout)
    assert told["value"] is None
    assert _given(base.stdout) == [("user", 4.0, "covered")]
    assert "`llm.providers.work.retry` is taken as a whole" in base.stdout


@pytest.mark.parametrize(
    "value", ["9223372036854775808", "nan", "-inf", "1979-05-27T07:32:00Z", "[[1], {}]", '"\\u009b"']
)
def test_a_value_of_another_kind_in_a_profile_that_is_not_chosen(commandline: Sentient, value: str) -> None:
    write_project(f"[profile.production.server]\nport = {value}\n")
    assert "ignored  profile      " in commandline("config", "explain", "server.port").stdout
    told = json.loads(commandline("config", "explain", "server.port", "--json").stdout, parse_constant=pytest.fail)
    assert told["given"][0]["outcome"] == "ignored"


def test_no_secret_is_explained_whatever_it_is(commandline: Sentient) -> None:
    write_project("[profile.x.server]\ntoken = 1234567890\n[profile.y.server]\ntoken = ['1234567890']\n")
    for more in ((), ("--json",)):
        done = commandline("config", "explain", "server.token", *more)
        assert done.returncode == 0
        assert "1234567890" not in done.stdout
        assert done.stdout.count("[redacted]") == 2


def test_no_secret_is_explained(commandline: Sentient) -> None:
    write_project(f'[server]\ntoken = "{TOKEN}-file"\n', variables=f"SENTIENT_SERVER_TOKEN={TOKEN}-env\n")
    for more in ((), ("--json",), ("-v",)):
        done = commandline("config", "explain", "server.token", *more, env={"SENTIENT_SERVER_TOKEN": f"{TOKEN}-shell"})
        assert done.returncode == 0
        assert TOKEN not in done.stdout + done.stderr
        assert done.stdout.count("[redacted]") >= 4


@pytest.mark.parametrize(
    ("key", "what", "fix"),
    [
        ("server.prot", "There is no setting `server.prot`", "Did you mean `server.port`?"),
        ("llm.providers.work.tiemout", "There is no setting `llm.providers.work.tiemout`", "work.timeout`?"),
        ("server", "`server` is a table of settings", "such as `server.host`"),
        ("", "There is no setting ``", "sentient config show --all"),
        ("server.port.x", "There is no setting `server.port.x`", "Did you mean `server.port`?"),
        ("a\x1b[2J" + "b" * 500, "There is no setting `a", "sentient config show --all"),
    ],
)
def test_a_name_that_no_setting_has(commandline: Sentient, key: str, what: str, fix: str) -> None:
    write_project()
    done = commandline("config", "explain", key, "--json")
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, error["code"], done.stdout) == (3, "config-not-found", "")
    assert error["what"].startswith(what)
    assert fix in error["fix"]


def test_flags_are_those_that_the_commands_have(commandline: Sentient) -> None:
    helps: dict[str, str] = {}
    for key, names in FLAGS.items():
        setting = describe(key)
        assert setting is not None
        for name in names:
            if name not in helps:
                helps[name] = commandline(name, "--help", env={"COLUMNS": "100"}).stdout
            assert f"{setting.flag} " in helps[name], (key, name)


@pytest.mark.parametrize("key", ["server.port", "llm.parameters.temperature"])
@pytest.mark.parametrize("columns", [40, 80, 140])
def test_it_fits_the_terminal(columns: int, key: str) -> None:
    write_project(variables="SENTIENT_SERVER_PORT=8100\n")
    port = "8200"
    with at_a_terminal("config", "explain", key, columns=columns, SENTIENT_SERVER_PORT=port) as (child, raw):
        child.expect_exact("default")
        child.expect_exact("8000" if key == "server.port" else "preset code")
        child.wait()
    lines = raw.getvalue().decode().split("\r\n")
    assert max(map(len, lines)) <= columns
    assert "\x1b" not in raw.getvalue().decode()


_GIVEN = st.fixed_dictionaries(
    {},
    optional={
        layer: st.integers(0, 65535)
        for layer in ("user", "project", "profile", "other", "env-file", "environment", "flag")
    },
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(_GIVEN)
def test_what_is_explained_is_what_is_loaded(given_by: dict[str, int]) -> None:
    port = {layer: f"[server]\nport = {value}\n" for layer, value in given_by.items()}
    write_user(port.get("user", ""))
    profiles = "".join(f"[profile.{name}.server]\n{port.get(name, '')[9:]}" for name in ("profile", "other"))
    write_project(port.get("project", "") + profiles)
    variables = [f"SENTIENT_SERVER_PORT={given_by['env-file']}\n"] if "env-file" in given_by else []
    Path(".env").write_text("".join(variables))
    environment = {"SENTIENT_SERVER_PORT": str(given_by["environment"])} if "environment" in given_by else {}
    loaded = load({"server.port": given_by.get("flag")}, profile="profile", environment=environment)
    explained = explain(loaded, "server.port")
    order = ("flag", "environment", "env-file", "profile", "project", "user")
    won = next((layer for layer in order if layer in given_by), "default")
    assert explained.value == loaded.settings.server.port == given_by.get(won, 8000)
    assert explained.source == loaded.sources["server.port"]
    assert explained.source.layer == ("environment" if won == "env-file" else won)
    outcomes = [given.outcome for given in explained.given]
    assert outcomes.count("won") == 1
    assert outcomes.count("ignored") == ("other" in given_by) + ({"env-file", "environment"} <= set(given_by))
    assert len(outcomes) == len(given_by) + 1


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    ("arguments", "without"),
    [
        (("config", "--help"), {"pydantic", "rich", "tomlkit", "dotenv"}),
        (("config", "explain", "--help"), {"pydantic", "rich", "tomlkit", "dotenv"}),
        (("config", "explain", "server.port"), {"rich", "tomlkit", "httpx", "aiohttp", "sentient_cli.host"}),
        (("config", "show"), {"rich", "tomlkit", "httpx", "aiohttp", "sentient_cli.host"}),
    ],
)
def test_a_command_imports_what_it_needs(arguments: tuple[str, ...], without: set[str]) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from sentient_cli.cli.main import main;"
        " main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert without.isdisjoint(done.stderr.split())


def test_a_table_of_entries_is_explained_by_them(commandline: Sentient) -> None:
    write_project()
    for table, inner in (("llm.providers", "llm.providers.work."), ("llm.presets", "llm.presets.mine.")):
        done = commandline("config", "explain", table, "--json")
        error = json.loads(done.stderr)["error"]
        assert (done.returncode, error["what"]) == (3, f"`{table}` is a table of settings")
        assert f"such as `{inner}" in error["fix"]
    assert "experiments = {}" in commandline("config", "explain", "experiments").stdout
