"""`sentient config show`: the settings that hold, as TOML, as values and as JSON."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.cli.config_text import type_told, value_told
from sentient_cli.config import load
from sentient_cli.config.described import describe
from sentient_cli.config.explain import explain
from sentient_cli.config.keys import all_keys, tables
from sentient_cli.config.shown import is_masked, shown
from tests.cli.config_kit import PROJECT, TOKEN, rows, write_project, write_user
from tests.cli.keys_kit import at_a_terminal
from tests.cli.processes import Sentient


def test_without_settings_there_is_nothing_to_show(commandline: Sentient) -> None:
    done = commandline("config", "show")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "Nothing is set, so the defaults hold. `--all` shows them.\n"
    assert commandline("config", "show", "-q").stderr == ""


@pytest.mark.story("5.6")
def test_what_holds_is_shown_in_the_order_of_a_file(commandline: Sentient) -> None:
    write_user("[server]\nworkers = 3\nport = 1\n")
    write_project(PROJECT, variables="SENTIENT_LOG_LEVEL=debug\n")
    done = commandline("config", "show", "--profile", "production", env={"SENTIENT_LLM_MODEL": "offline:echo"})
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout
        == """\
agent = "assistant:agent"
# profile = "production"

[server]
port = 80
workers = 3
allow_origins = ["http://localhost:3000"]

[llm]
model = "offline:echo"
preset = "code"

[llm.presets.mine]
max_tokens = 300
base = "precise"

[llm.providers.work]
kind = "openai"
# base_url = "http://[redacted]@127.0.0.1:9/v1"
# headers = { Authorization = "[redacted]", X-Team = "red" }
timeout = 12.0
retry = { attempts = 5 }

[llm.parameters]
temperature = 0.2
effort = "high"

[log]
level = "debug"
"""
    )


def test_where_each_value_comes_from(commandline: Sentient) -> None:
    user = write_user("[server]\nworkers = 3\n")
    write_project(variables="SENTIENT_LOG_LEVEL=debug\n")
    done = commandline("config", "show", "--sources", env={"COLUMNS": "200", "SENTIENT_STORE_URL": "memory"})
    lines = done.stdout.splitlines()
    assert "port = 9000  # sentient.toml:4:1" in lines
    assert f"workers = 3  # {user}:2:1" in lines or any(line.startswith("workers = 3  # ~/") for line in lines)
    assert 'level = "debug"  # SENTIENT_LOG_LEVEL in .env' in lines
    assert 'url = "memory"  # SENTIENT_STORE_URL' in lines
    assert "temperature = 0.2  # preset code" in lines
    narrow = commandline("config", "show", "--sources", env={"COLUMNS": "40"}).stdout
    assert "# sentient.toml:5:1\nallow_origins = " in narrow
    assert tomllib.loads(narrow)["server"]["port"] == 9000


def test_what_is_shown_can_be_a_settings_file(commandline: Sentient) -> None:
    clean = "\n".join(line for line in PROJECT.splitlines() if not line.startswith(("base_url", "headers")))
    write_project(clean)
    before = load(environment={}, use_env_file=False).settings
    for more in ((), ("--all",), ("--sources",), ("--all", "--sources")):
        text = commandline("config", "show", *more).stdout
        write_project(text)
        assert load(environment={}, use_env_file=False).settings == before
        write_project(clean)


def test_all_shows_every_setting_once(commandline: Sentient) -> None:
    done = commandline("config", "show", "--all", "--json")
    told = rows(done.stdout)
    assert [row["key"] for row in told] == sorted({str(row["key"]) for row in told}, key=list(all_keys()).index)
    assert {str(row["key"]) for row in told} == set(all_keys())
    assert all(row["layer"] == "default" and row["where"] is None and not row["masked"] for row in told)
    text = commandline("config", "show", "--all").stdout
    assert "# token =\n" in text
    assert tomllib.loads(text)["server"]["port"] == 8000


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("server.port", "9000\n"),
        ("server.workers", "1\n"),
        ("agent", "assistant:agent\n"),
        ("server.allow_origins", '["http://localhost:3000"]\n'),
        ("server.insecure", "false\n"),
        ("llm.providers.work.retry", "{ attempts = 5 }\n"),
        ("llm.providers.work.retry.attempts", "5\n"),
        ("llm.providers.work.headers.X-Team", "red\n"),
        ("llm.providers.work.headers.Authorization", "[redacted]\n"),
        ("llm.deadline", ""),
        ("llm.providers.nobody.timeout", ""),
    ],
)
def test_one_setting_is_its_value_alone(commandline: Sentient, key: str, value: str) -> None:
    write_project()
    done = commandline("config", "show", key)
    assert (done.returncode, done.stdout) == (0, value)
    assert done.stderr == ("" if value else f"{key} is not set.\n")


def test_a_table(commandline: Sentient) -> None:
    write_project()
    part = commandline("config", "show", "server")
    assert part.stdout == '[server]\nport = 9000\nallow_origins = ["http://localhost:3000"]\n'
    assert len(commandline("config", "show", "server", "--all").stdout.splitlines()) > 20
    entry = commandline("config", "show", "llm.providers.work", "--json")
    assert [row["key"] for row in rows(entry.stdout)] == [
        f"llm.providers.work.{field}" for field in ("kind", "base_url", "headers", "timeout", "retry")
    ]
    assert commandline("config", "show", "llm.providers.nobody").stdout == ""


def test_a_name_that_is_no_setting(commandline: Sentient) -> None:
    done = commandline("config", "show", "sevrer", "--json")
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, error["fix"]) == (3, "Did you mean `server`?")


def test_no_secret_is_shown(commandline: Sentient) -> None:
    write_project(f'[server]\ntoken = "{TOKEN}"\n')
    for more in ((), ("--all",), ("--json",), ("--sources",), ("server.token",), ("server", "-vv")):
        done = commandline("config", "show", *more)
        assert TOKEN not in done.stdout + done.stderr
        assert "[redacted]" in done.stdout
    assert rows(commandline("config", "show", "server.token", "--json").stdout)[0]["masked"] is True


def test_what_looks_wrong_is_said(commandline: Sentient) -> None:
    done = commandline("config", "show", env={"SENTIENT_SERVER_PROT": "1"})
    assert "Warning: SENTIENT_SERVER_PROT is no setting; did you mean SENTIENT_SERVER_PORT?\n" in done.stderr


@pytest.mark.parametrize(
    "variables",
    [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}],
)
def test_on_a_terminal_it_is_plain(variables: dict[str, str]) -> None:
    write_project()
    with at_a_terminal("config", "show", "--sources", columns=80, rows=24, **variables) as (child, raw):
        child.expect_exact("preset code")
        child.expect_exact("preset code")
        child.wait()
    text = raw.getvalue().decode()
    assert "\x1b" not in text
    assert max(map(len, text.split("\r\n"))) <= 80


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("sentient config explain server.po", ["server.port"]),
        ("sentient config explain llm.providers.work.", ["llm.providers.work.kind", "llm.providers.work.timeout"]),
        ("sentient config show server.allow", ["server.allow_origins", "server.allow_hosts"]),
        ("sentient config show sto", ["store", "store.url"]),
        ("sentient config presets mi", ["mine"]),
        ("sentient serve --profile prod", ["production"]),
        ("sentient config ex", ["explain"]),
    ],
)
def test_a_shell_completes_names(commandline: Sentient, words: str, found: list[str]) -> None:
    write_project()
    asked = {"_SENTIENT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3"}
    asked["COMP_CWORD"] = str(len(words.split()) - 1)
    answers = commandline(env=asked).stdout.split()
    assert set(found) <= set(answers)
    assert all(answer.startswith(words.rsplit(maxsplit=1)[-1]) for answer in answers)


def test_names_are_completed_where_the_settings_are_broken(commandline: Sentient) -> None:
    write_project("[server\n")
    asked = {
        "_SENTIENT_COMPLETE": "complete_bash",
        "COMP_WORDS": "sentient config explain server.po",
        "COMP_CWORD": "3",
    }
    assert commandline(env=asked).stdout.split() == ["server.port"]
    assert "server" in tables()


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(_VALUES, st.sampled_from(["Authorization", "X-Api-Key", "password"]), st.text("abcdef0123456789", min_size=8))
def test_whatever_stands_around_a_secret_it_is_masked(around: object, name: str, secret: str) -> None:
    told = shown({"first": around, "second": [{name: f"Bearer {secret}"}], name: secret})
    assert isinstance(told, dict)
    assert told["second"] == [{name: "[redacted]"}]
    assert told[name] == "[redacted]"
    assert is_masked(told)


def test_paths_are_where_the_file_says(commandline: Sentient) -> None:
    write_project('[store]\nurl = "sqlite:runs.db"\n[dev]\nwatch = ["data"]\n')
    here = Path.cwd()
    assert commandline("config", "show", "store.url").stdout == f"sqlite:{here}/runs.db\n"
    assert commandline("config", "show", "dev.watch").stdout == f'["{here}/data"]\n'


def test_what_nobody_sees_is_escaped_so_that_a_copy_has_it(commandline: Sentient) -> None:
    stop = ["a\x1b[31m\x9b", "b\u202ec\u2028", "\U000e0041", "\u2764\ufe0f"]
    write_project(f"[llm.parameters]\nstop = {json.dumps(stop[:2])[:-1]}, '{stop[2]}', '{stop[3]}']\n")
    whole = commandline("config", "show", "--sources").stdout
    assert tomllib.loads(whole) == {"llm": {"parameters": {"stop": stop}}}
    assert tomllib.loads(f"value = {commandline('config', 'show', 'llm.parameters.stop').stdout}") == {"value": stop}
    assert "\\u009b" in commandline("config", "explain", "llm.parameters.stop").stdout


@pytest.mark.parametrize("arguments", [("show",), ("explain", "server.port"), ("validate",), ("presets",)])
def test_a_directory_that_was_removed(
    commandline: Sentient, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Path.cwd() / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = commandline("config", *arguments, "--json")
    assert (done.returncode, json.loads(done.stderr)["error"]["what"]) == (2, "The current directory is gone")


def test_every_setting_can_be_shown_and_explained() -> None:
    loaded = load(environment={}, use_env_file=False)
    for key in all_keys():
        setting = describe(key)
        assert setting is not None
        assert setting.description.endswith("."), key
        assert type_told(setting) != "any value", key
        explained = explain(loaded, key)
        assert explained.source.layer == "default"
        assert value_told(explained.value, key) == value_told(setting.default, key)
