"""Experiments in a server that runs: who gets what, what is stopped, and what a command tells and changes."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from sentient_cli.config.experiments import ExperimentSettings, GuardSettings, VariantSettings
from sentient_cli.config.fields import Section
from sentient_cli.experiments.plan import Plan, Variant
from tests.cli.llm_command_kit import chat_answer
from tests.experiments.trial_kit import chats, drawing
from tests.plugins.isolation import REPOSITORY
from tests.support import commands
from tests.support.llm_server import Answer, LLMServer, Received, as_json
from tests.support.served import environment, serve
from tests.support.wire import Address, ask_all, session

_AGENT = """
from sentient_cli import agent, experiments, llm

@agent
async def asker(session, query, response):
    await response.stream_llm("ANSWER", llm.stream(query.prompt))
    experiments.score("helpful", 1.0 if experiments.variant("models") == "other" else 0.5)
"""


def _answered(request: Received) -> Answer:
    model = str(request.json()["model"])
    if model == "broken":
        return as_json({"error": {"message": "no"}}, 400)
    return chat_answer(f"{model} {request.json().get('temperature')}")


@pytest.fixture(name="models")
def _models() -> Iterator[LLMServer]:
    with LLMServer(_answered) as server:
        yield server


def _settings(place: Path, server: LLMServer, more: str, *, store: str = "sqlite:runs.db") -> None:
    (place / "asker.py").write_text(_AGENT)
    (place / "sentient.toml").write_text(
        f"""
[llm]
model = "mine:small"
[llm.retry]
attempts = 1
[llm.breaker]
failures = 1000
[llm.providers.mine]
kind = "compatible"
base_url = "{server.url}/v1"
[store]
url = "{store}"
{more}
"""
    )


def _experiment(other: str, *more: str) -> str:
    return "\n".join(
        [
            "[experiments.models]",
            *more,
            "[experiments.models.variants.control]",
            f"[experiments.models.variants.other]\n{other}",
        ]
    )


def _some_of_each() -> Sequence[str]:
    """Sessions of both variants, which twelve that are drawn blindly are not always."""
    plan = Plan(name="models", variants={"control": Variant(), "other": Variant()})
    return [*drawing(plan, "control", 6), *drawing(plan, "other", 6)]


def _say(address: Address, chat: str) -> str:
    frames = ask_all(address, "Go", {**session(), "activity_id": chat})
    kinds = {"chunked.text": "", "atomic.error": "error"}
    return "".join(
        kinds[kind] or str(frame.content) for frame in frames if (kind := str(frame.json["content_type"])) in kinds
    ).strip()


def _config(place: Path, *arguments: str, code: int = 0) -> str:
    done = commands.run_text("config", "experiments", *arguments, directory=place, environment=environment(place))
    assert done.returncode == code, done
    return done.stdout if code == 0 else done.stderr


def _results(place: Path) -> dict[str, dict[str, object]]:
    told = json.loads(_config(place, "show", "models", "--json"))
    return {str(each["name"]): each for each in told["variants"]} | {"": told}


@pytest.mark.story("5.5")
def test_sessions_keep_their_variant_and_the_results_outlive_the_server(tmp_path: Path, models: LLMServer) -> None:
    _settings(tmp_path, models, _experiment('model = "mine:large"\npreset = "precise"\nparameters = {max_tokens = 50}'))
    every = chats(24)
    with serve(tmp_path, agent=tmp_path / "asker.py") as server:
        first = [_say(server.address, chat) for chat in every]
    assert set(first) == {"small None", "large 0.0"}
    with serve(tmp_path, agent=tmp_path / "asker.py") as server:
        assert [_say(server.address, chat) for chat in every] == first
    found = _results(tmp_path)
    for name, said in (("control", "small None"), ("other", "large 0.0")):
        assert found[name]["units"] == first.count(said)
        assert found[name]["runs"] == 2 * first.count(said)
    estimates = found["other"]["estimates"]
    assert isinstance(estimates, dict)
    assert (estimates["score.helpful"]["mean"], estimates["score.helpful"]["difference"]) == (1.0, 0.5)
    assert (estimates["tokens"]["mean"], estimates["errors"]["mean"]) == (17.0, 0.0)
    shown = _config(tmp_path, "show", "models")
    assert "models: running" in shown
    assert "errors, share of runs (this decides)" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


@pytest.mark.story("5.5", "E5.2")
def test_a_variant_that_breaks_its_guard_is_stopped_said_and_stays_stopped(tmp_path: Path, models: LLMServer) -> None:
    guard = "guard = {max_error_rate = 0.2, min_runs = 4}"
    _settings(tmp_path, models, _experiment('model = "mine:broken"', guard))
    every = chats(30)
    with serve(tmp_path, agent=tmp_path / "asker.py") as server:
        said = [_say(server.address, chat) for chat in every]
        server.wait_line("The experiment 'models' stops its variant 'other': 100% of 4 runs failed, and 20% may")
    assert said.count("error") == 4
    assert set(said[-10:]) == {"small None"}
    with serve(tmp_path, agent=tmp_path / "asker.py") as server:
        assert {_say(server.address, chat) for chat in every} == {"small None"}
    found = _results(tmp_path)
    assert (found["other"]["runs"], found["other"]["stopped"]) == (4, "100% of 4 runs failed, and 20% may")
    assert found[""]["state"] == "stopped"
    assert "by guard: 100% of 4 runs failed" in _config(tmp_path, "show", "models")


@pytest.mark.story("E5.2")
def test_an_experiment_that_fails_is_rolled_back(tmp_path: Path, models: LLMServer) -> None:
    guard = 'guard = {max_error_rate = 0.2, min_runs = 4, on_breach = "rollback"}'
    control = "[experiments.models.variants.control]\nparameters = {temperature = 0.5}"
    other = '[experiments.models.variants.other]\nmodel = "mine:broken"'
    _settings(tmp_path, models, f"[experiments.models]\n{guard}\n{control}\n{other}")
    every = chats(30)
    with serve(tmp_path, agent=tmp_path / "asker.py") as server:
        before = [_say(server.address, chat) for chat in every]
        server.wait_line("The experiment 'models' is rolled back: of the variant 'other' 100% of 4 runs failed")
        assert {_say(server.address, chat) for chat in every} == {"small None"}
    assert "small 0.5" in before[: before.index("small None")] or before[:4] == ["error"] * 4  # as the sessions fell
    assert _results(tmp_path)[""]["state"] == "rolled back"


def _until(address: Address, every: Sequence[str], wanted: set[str]) -> None:
    """Ask until the answers are those that are wanted; to ask takes time enough for a server to look again."""
    for _ in range(1000):
        if {_say(address, chat) for chat in every} == wanted:
            return
    raise AssertionError(f"it never says {wanted}")


@pytest.mark.slow
@pytest.mark.story("5.5", "E5.2")
def test_a_command_stops_what_a_server_tries_and_lets_it_go_on(tmp_path: Path, models: LLMServer) -> None:
    _settings(tmp_path, models, _experiment('model = "mine:large"'))
    every = _some_of_each()
    with serve(tmp_path, agent=tmp_path / "asker.py") as server:
        _until(server.address, every, {"small None", "large None"})
        assert "The variant other of models is stopped." in _config(
            tmp_path, "stop", "models", "--variant", "other", "--why", "too \x1b[31mwordy"
        )
        _until(server.address, every, {"small None"})
        server.wait_line("The experiment 'models': stop of its variant 'other' by ")
        shown = _config(tmp_path, "show", "models")
        assert "too wordy" in shown
        assert "\x1b" not in shown
        assert "The variant other of models goes on." in _config(tmp_path, "resume", "models", "--variant", "other")
        _until(server.address, every, {"small None", "large None"})
        assert "was stopped already" not in _config(tmp_path, "stop", "models")
        assert "was stopped already" in _config(tmp_path, "stop", "models")
        _until(server.address, every, {"small None"})


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")
@pytest.mark.story("5.5")
def test_an_experiment_begins_and_ends_while_the_server_runs(tmp_path: Path, models: LLMServer) -> None:
    _settings(tmp_path, models, "")
    every = _some_of_each()
    with serve(tmp_path, agent=tmp_path / "asker.py") as server:
        assert {_say(server.address, chat) for chat in every} == {"small None"}
        _settings(tmp_path, models, _experiment('preset = "precise"'))
        server.signal(signal.SIGHUP)
        _until(server.address, every, {"small None", "small 0.0"})
        settings = tmp_path / "sentient.toml"
        settings.write_text(settings.read_text().replace("mine:small", "mine:tiny"))
        server.signal(signal.SIGHUP)
        _until(server.address, every, {"tiny None", "tiny 0.0"})
        settings.write_text(settings.read_text().replace("mine:tiny", "mine:small"))
        server.signal(signal.SIGHUP)
        _until(server.address, every, {"small None", "small 0.0"})
        since = len(server.lines)
        _settings(tmp_path, models, _experiment('preset = "precize"'))
        server.signal(signal.SIGHUP)
        server.wait_line("There is no preset 'precize'.*Did you mean 'precise'", since=since)
        assert {_say(server.address, chat) for chat in every} == {"small None", "small 0.0"}
        _settings(tmp_path, models, _experiment('preset = "precise"', "enabled = false"))
        server.signal(signal.SIGHUP)
        _until(server.address, every, {"small None"})
    found = _results(tmp_path)
    assert found[""]["state"] == "disabled"
    # Other models than those that it began with have told of their calls as well.
    assert all(int(str(found[name]["runs"])) >= 3 * int(str(found[name]["units"])) > 0 for name in ("control", "other"))


@pytest.mark.story("5.6")
def test_environment_lies_below_an_experiment(tmp_path: Path, models: LLMServer) -> None:
    _settings(tmp_path, models, _experiment("parameters = {temperature = 0.9}"))
    with serve(tmp_path, agent=tmp_path / "asker.py", env={"SENTIENT_LLM_PARAMETERS_TEMPERATURE": "0.3"}) as server:
        assert {_say(server.address, chat) for chat in _some_of_each()} == {"small 0.3", "small 0.9"}


# -- what is wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[experiments.a.variants.control]\n", "2 to 20 variants"),
        ("[experiments.a.variants.b]\n[experiments.a.variants.c]\n", "a variant named 'control'"),
        ("[experiments.a]\nvariants = {control = {weight = 0}, b = {weight = 0}}", "a weight above 0"),
        ("[experiments.a]\nvariants = {control = {}, b = {weight = -1}}", "greater than or equal to 0"),
        ('[experiments.a]\nvariants = {control = {}, "b b" = {}}', "letters, digits"),
        (
            "[experiments.a]\nmetric = 'happiness'\nvariants = {control = {}, b = {}}",
            "must be `errors`, `latency`, `tokens`, `cost` or `score.NAME`",
        ),
        ("[experiments.a]\nstarts = 2026-01-01T00:00:00\nvariants = {control = {}, b = {}}", "timezone"),
        ("[experiments.a]\nvariants = {control = {}, b = {temperature = 1}}", "experiments.a.variants"),
        ("[experiments.a]\nvariants = {control = {}, b = {preset = 'warmer'}}", "There is no preset 'warmer'"),
        (
            "[experiments]\na.variants = {control={}, b={model='x'}}\nc.variants = {control={model='y'}, b={}}",
            "both set model",
        ),
    ],
)
@pytest.mark.story("5.5")
def test_what_is_wrong_with_an_experiment_keeps_a_server_from_starting(tmp_path: Path, table: str, said: str) -> None:
    (tmp_path / "asker.py").write_text(_AGENT)
    (tmp_path / "sentient.toml").write_text(table)
    done = commands.run_text("serve", "asker.py", "--port", "0", directory=tmp_path, environment=environment(tmp_path))
    assert done.returncode == 3, done
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show",), 2, "Which experiment to show is missing"),
        (("list", "models"), 2, "All experiments are listed"),
        (("show", "model"), 3, "There is no experiment 'model'"),
        (("stop", "models", "--variant", "x"), 3, "has no variant 'x'"),
        (("stop", "models", "--variant", "control"), 2, "is the control"),
        (("stop", "models", "--store", "memory"), 3, "in the memory of the server"),
        (("list", "--dev", "--store", "memory"), 2, "Both --dev and --store"),
        (("stop", "models", "--store", "sqlite:/dev/null/runs.db"), 1, "store"),
        (("burn", "models"), 2, "'burn' is not one of"),
    ],
)
@pytest.mark.story("5.5")
def test_a_command_that_cannot_be_obeyed_says_why(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "sentient.toml").write_text("[store]\nurl = 'sqlite:runs.db'\n" + _experiment('model = "offline"'))
    assert said in " ".join(_config(tmp_path, *arguments, code=code).replace("│", " ").split())
    assert not (tmp_path / "runs.db").exists()


@pytest.mark.story("5.5")
def test_a_reason_is_one_line_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "sentient.toml").write_text("[store]\nurl = 'sqlite:runs.db'\n" + _experiment('model = "offline"'))
    key = f"sk-proj-{'a1b2' * 12}"
    _config(tmp_path, "stop", "models", "--why", f"It knew {key}\nmodels: running\n" + "x" * 2000)
    shown = _config(tmp_path, "show", "models")
    assert "It knew [redacted]" in " ".join(shown.split())
    assert "\nmodels: running" not in shown
    stopped = json.loads(_config(tmp_path, "show", "models", "--json"))
    assert (key in str(stopped), len(str(stopped["why"]))) == (False, 500)


@pytest.mark.story("5.5")
def test_to_look_makes_no_store_and_damage_is_told(tmp_path: Path) -> None:
    (tmp_path / "sentient.toml").write_text("[store]\nurl = 'sqlite:runs.db'\n" + _experiment('model = "offline"'))
    assert json.loads(_config(tmp_path, "--json"))["runs"] == 0
    assert "models      running  session  errors   0     control, other" in _config(tmp_path)
    assert not (tmp_path / "runs.db").exists()
    (tmp_path / "runs.db").write_bytes(b"no database" * 500)
    assert "runs.db" in "".join(part for part in _config(tmp_path, code=1) if part not in " \n│")  # folded anywhere


@pytest.mark.slow
@pytest.mark.story("5.5", "E5.2")
def test_all_workers_of_a_server_count_and_obey_together(tmp_path: Path, models: LLMServer) -> None:
    _settings(tmp_path, models, _experiment('model = "mine:broken"', "guard = {max_error_rate = 0.2, min_runs = 12}"))
    every = chats(24)
    with serve(tmp_path, "--workers", "2", agent=tmp_path / "asker.py") as server:
        _until(server.address, every, {"small None"})
        server.wait_line("stops its variant")
    assert len([line for line in server.lines if "stops its variant" in line]) == 1
    found = _results(tmp_path)
    assert found[""]["state"] == "stopped"
    assert int(str(found["other"]["runs"])) >= 12


@pytest.mark.story("5.5")
def test_validate_says_what_would_keep_a_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "sentient.toml").write_text(_experiment('preset = "precize"'))
    done = commands.run_text("config", "validate", directory=tmp_path, environment=environment(tmp_path))
    assert done.returncode == 3
    assert "There is no preset 'precize'" in " ".join(done.stdout.split())


@pytest.mark.story("5.5", "E5.1")
def test_validate_doubts_a_variant_that_would_change_nothing(tmp_path: Path) -> None:
    variant = 'model = "anthropic:claude-haiku-4-5"\nparameters = {seed = 7}'
    (tmp_path / "sentient.toml").write_text(_experiment(variant))
    done = commands.run_text("config", "validate", directory=tmp_path, environment=environment(tmp_path))
    assert done.returncode == 0
    said = " ".join(done.stdout.split())
    assert "the variant other of models: anthropic:claude-haiku-4-5: `seed` = 7 is left out" in said


@pytest.mark.parametrize(
    ("table", "place"), [(ExperimentSettings, ""), (VariantSettings, "variants.NAME."), (GuardSettings, "guard.")]
)
def test_the_page_has_every_setting(table: type[Section], place: str) -> None:
    page = (REPOSITORY / "docs" / "experiments.md").read_text("utf-8")
    tables = {"variants", "guard"}
    missing = [name for name in table.model_fields if f"`{place}{name}`" not in page and name not in tables]
    assert missing == []
