"""What is wrong with a settings file is said with its place, and never with a traceback."""

from __future__ import annotations

import json
import re
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config import FlagValue, load
from sentient_cli.config.described import describe
from sentient_cli.config.keys import all_keys
from sentient_cli.config.lines import Mark, mark_of, marks
from sentient_cli.config.places import MAXIMUM_SIZE
from sentient_cli.errors import ConfigError, ConfigurationNotFoundError, UsageError
from tests.cli.processes import run_sentient
from tests.plugins.isolation import REPOSITORY


def _fault(text: str, **flags: str) -> ConfigError:
    Path("sentient.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(dict(flags), environment={})
    return caught.value


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("[server]\nprot = 1\n", "2:1", "There is no setting `server.prot` Did you mean `server.port`?"),
        ("\nagnet = 'x'\n", "2:1", "There is no setting `agnet` Did you mean `agent`?"),
        ("[sevrer]\nport = 1\n", "1:2", "There is no setting `sevrer` Did you mean `server`?"),
        ("[zzzzzz]\n", "1:2", "There is no setting `zzzzzz` docs/configuration.md"),
        ("[profile.x.server]\nprot = 1\n", "2:1", "There is no setting `server.prot`"),
        ("[profile.default]\nprofile = 'x'\n", "2:1", "There is no setting `profile`"),
        ("profile.default = 5\n", "1:19", "`profile.default` has the wrong type [profile.NAME.server]"),
        ("server = 5\n", "1:10", "`server` has the wrong type table [server]"),
        ("[server]\nhost = 'x'\n\nport = 'eight'\n", "4:8", "`server.port` is wrong must be a valid integer"),
        ("[server]\nport = true\n", "2:8", "`server.port` is wrong must be a valid number"),
        ("[server]\nport = 65536\n", "2:8", "`server.port` must be less than or equal to 65535"),
        ("[server]\nrun_timeout = inf\n", "2:15", "`server.run_timeout` must be a finite number"),
        ("[server]\nrun_timeout = 0\n", "2:15", "`server.run_timeout` must be greater than 0"),
        ("[server]\non_disconnect = 'no'\n", "2:17", "`server.on_disconnect` must be 'cancel' or 'continue'"),
        ("[server]\nallow_origins = [\n  1,\n]\n", "3:3", "`server.allow_origins` must be a valid string"),
        (
            "[server]\nallow_origins = ['example.org']\n",
            "2:18",
            "`server.allow_origins` an origin scheme",
        ),
        (
            "[server]\nallow_origins = ['http://a/b']\n",
            "2:18",
            "`server.allow_origins` an origin no path",
        ),
        (
            "[server]\nallow_hosts = ['http://a']\n",
            "2:16",
            "`server.allow_hosts` a host without a scheme",
        ),
        ("[server]\nallow_hosts = ['a:8000']\n", "2:16", "`server.allow_hosts` must be a host such as a port"),
        ("[server]\ntoken = 5\n", "2:9", "`server.token` must be a string that is not empty"),
        ("[server]\ntoken = ''\n", "2:9", "`server.token` must be a string that is not empty"),
        ("[store]\nurl = 'redis:'\n", "2:7", "`store.url` must be `memory`, `sqlite:PATH` or `file:DIR`"),
        ("agent = 2020-01-01\n", "1:9", "`agent` must be a valid string"),
        ("profile = 5\n", "1:11", "`profile` must be a valid string"),
        ("server = { port = 1, prot = 2 }\n", "1:22", "There is no setting `server.prot`"),
        ("server = { port = 'x' }\n", "1:19", "`server.port` is wrong"),
        ("server.port = 1\nserver . 'prot' = 2\n", "2:10", "There is no setting `server.prot`"),
        ("llm.retry.attempts = 99\n", "1:22", "`llm.retry.attempts` is wrong"),
        ("[llm]\nproviders.work = { retry = { attempts = 0 } }\n", "2:41", "`llm.providers.work.retry.attempts`"),
        ("[llm.providers.work]\nheaders = { a = 'é', b = 5 }\n", "2:26", "`llm.providers.work.headers.b`"),
        ("x = 1\r\n[server]\r\n", "1:1", "There is no setting `x`"),
    ],
)
def test_file_line_column_key_and_what_belongs_there(text: str, place: str, words: str) -> None:
    error = _fault(text)
    said = f"{error} {error.detail}"
    assert error.where in said
    assert error.where == f"{Path.cwd()}/sentient.toml:{place}"
    for word in words.split():
        assert word in said
    assert error.exit_code == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server\n", "not valid TOML sentient.toml:1:8"),
        ("a = 1\na = 2\n", "not valid TOML sentient.toml:2:"),
        ("a = '", "not valid TOML"),
        ("a = " + "[" * 5000, "sentient.toml"),
    ],
)
def test_what_is_no_toml(text: str, words: str) -> None:
    said = str(_fault(text))
    for word in words.split():
        assert word in said


def test_files_that_cannot_be_read() -> None:
    Path("sentient.toml").write_bytes(b"[server]\nhost = '\xff'\n")
    with pytest.raises(ConfigError, match="Line 2"):
        load(environment={})
    Path("sentient.toml").write_bytes(b"#" * (MAXIMUM_SIZE + 1))
    with pytest.raises(ConfigError, match="1 MiB"):
        load(environment={})
    Path("sentient.toml").unlink()
    Path("pyproject.toml").write_text("tool.sentient = 5\n")
    with pytest.raises(ConfigError, match=r"pyproject.toml:1"):
        load(environment={})


def test_a_file_that_went_away(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("sentient.toml").symlink_to("/proc/self/mem")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(environment={})


def test_all_wrong_values_are_named_at_once() -> None:
    error = _fault("[server]\nport = 'x'\nworkers = 0\n")
    assert "`server.port`" in error.what
    assert f"{Path.cwd()}/sentient.toml:3:11: `server.workers` must be" in error.detail


def test_a_wrong_flag_is_a_wrong_usage() -> None:
    with pytest.raises(UsageError, match=r"--log-level.*must be 'debug'"):
        load({"log.level": "loud"}, environment={})


_WRONG = {"server.allow_origins": "no origin", "llm.safety.patterns": "(?=nobody)"}


def _wrong(key: str) -> object:
    """A value that a setting does not take; None, where whatever is given can be the name of a file."""
    setting = describe(key)
    assert setting is not None
    kind = setting.of if setting.kind == "array" else setting.kind
    if kind == "path":
        return None
    free = kind in {"string", "secret"} and not setting.choices
    wrong = _WRONG.get(key, "" if free else "no such thing")
    return [wrong] if all_keys()[key].is_list else wrong


@pytest.mark.parametrize("key", [key for key in sorted(all_keys()) if _wrong(key) is not None])
def test_each_flag_is_called_by_its_name(key: str) -> None:
    with pytest.raises((UsageError, ConfigurationNotFoundError)) as caught:
        load({key: cast("FlagValue", _wrong(key))}, environment={})
    flag = re.search(r"--[a-z-]+", str(caught.value)) or re.search(r"--[a-z-]+", caught.value.why)
    assert flag, str(caught.value)
    assert flag[0] == all_keys()[key].flag


def _flags_of_serve() -> dict[str, str]:
    """The flags of the command, by the settings that they give."""
    source = (REPOSITORY / "sentient_cli" / "cli" / "serve.py").read_text("utf-8")
    return dict(re.findall(r'^        "([a-z.]+\.[a-z_]+)": ([a-z_]+),$', source, re.MULTILINE))


@pytest.mark.story("19.4")
def test_the_flags_that_are_named_are_there() -> None:
    shown = run_sentient("serve", "--help", env={"COLUMNS": "200"}).stdout
    given_by_flags = _flags_of_serve()
    assert len(given_by_flags) > 10
    for key, parameter in given_by_flags.items():
        assert all_keys()[key].flag == "--" + parameter.replace("_", "-")
        assert f"{all_keys()[key].flag} " in shown


@pytest.mark.story("19.4")
def test_a_wrong_store_at_the_command_line() -> None:
    done = run_sentient("serve", "agent.py", "--store", "foo:bar", "--json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["what"].startswith("The value of --store is wrong")


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(ConfigError, match="SENTIENT_SERVER_PORT") as caught:
        load(environment={"SENTIENT_SERVER_PORT": "tcp://10.0.0.1:8000"})
    assert "enableServiceLinks" in caught.value.fix


def test_a_secret_is_not_repeated() -> None:
    error = _fault("[server]\ntoken = ['very-secret']\n")
    assert "very-secret" not in f"{error} {error.detail}"


@pytest.mark.story("19.4")
def test_a_wrong_setting_at_the_command_line() -> None:
    Path("sentient.toml").write_text("[server]\nprot = 1\n")
    done = run_sentient("serve", "agent.py")
    assert done.returncode == 3
    assert "Did you mean `server.port`?" in done.stderr
    assert "Traceback" not in done.stderr


_KEYS = st.from_regex(r"[a-z]{1,3}", fullmatch=True)
_VALUES = st.sampled_from(
    ["1", "'x'", '"a # [b]"', "[\n 1, # c\n [2],\n]", '"""\n[a]\nb = 1\n"""', "'''\nx = 1\n'''", "{ a = 1 }", '"\\""']
)


@given(tables=st.dictionaries(_KEYS, st.dictionaries(_KEYS, _VALUES, max_size=4), max_size=4), gaps=st.integers(0, 3))
def test_the_line_of_every_key(tables: dict[str, dict[str, str]], gaps: int) -> None:
    lines: list[str] = []
    expected: dict[tuple[str, ...], int] = {}
    for table, values in tables.items():
        lines += ["# comment = 1"] * gaps + [f"[{table}] # x"]
        expected[(table,)] = len(lines)
        for key, value in values.items():
            expected[table, key] = len(lines) + 1
            lines += f"{key} = {value}".split("\n")
    source = "\n".join(lines)
    tomllib.loads(source)
    assert {path: mark.line for path, mark in marks(source).items() if path in expected} == expected


def test_the_line_of_what_is_not_there() -> None:
    found = marks("a.b = 1\n['c d'.e]\nf = 2\n[[g]]\n")
    assert found == {
        ("a",): Mark(1, 1, 1),
        ("a", "b"): Mark(1, 3, 7),
        ("c d",): Mark(2, 2, 2),
        ("c d", "e"): Mark(2, 8, 8),
        ("c d", "e", "f"): Mark(3, 1, 5),
        ("g",): Mark(4, 3, 3),
        ("g", "0"): Mark(4, 3, 3),
    }
    assert mark_of(found, ("c d", "e", "x", "y")) == Mark(2, 8, 8)
    assert mark_of(found, ("z",)) == Mark(1, 1, 1)


@given(
    text=st.text(max_size=60)
    | st.lists(st.sampled_from(["[", "]", "server", "=", "\n", '"', "'", "{", "}", ".", "profile", "1"])).map("".join)
)
def test_no_file_gives_another_error_than_ours(text: str) -> None:
    Path("sentient.toml").write_text(text, encoding="utf-8", errors="replace")
    with suppress(ConfigError):
        load(environment={})
