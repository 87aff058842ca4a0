"""What stands in settings acts on no terminal, and what is shown of it can be copied, whatever the locale knows."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pexpect
import pytest

from sentient_cli.config import load
from tests.cli.config_kit import write_project
from tests.cli.keys_kit import at_a_terminal
from tests.cli.processes import Sentient, run_sentient

_HOSTILE = "a\x1b[31mred\x1b]0;owned\x07\x9b2J\x90x\x9c\u202eb\u2066\u200b\U000e0041\r\x08"
_OTHER = f"other{_HOSTILE}"
_ACTS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]|\r(?!\n)"
)
_COMMANDS = [
    ("show",),
    ("show", "--sources"),
    ("show", "llm.parameters.user"),
    ("show", "llm.parameters.stop"),
    ("explain", "llm.parameters.user"),
    ("explain", "llm.providers.work.headers"),
    ("explain", _HOSTILE),
    ("presets",),
    ("presets", "mine"),
    ("history",),
    ("diff", "1", "2"),
    ("diff", "default", "other"),
    ("diff", _HOSTILE),
    ("validate",),
    ("rollback", "1"),
    ("set", "llm.parameters.user", f"new{_HOSTILE}"),
    ("set", f"llm.{_HOSTILE}", "1"),
    ("set", "llm.parameters.user", _OTHER, "--profile", "other"),
    ("unset", "llm.parameters.user"),
]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _prepare() -> None:
    write_project("[server]\nport = 1\n")
    run_sentient("config", "history")
    write_project(
        f'[llm.parameters]\nuser = {_quoted(_HOSTILE)}\nstop = [{_quoted(_HOSTILE)}, "two  spaces    here"]\n'
        f"[llm.presets.mine]\nmetadata = {{ a = {_quoted(_HOSTILE)} }}\n"
        f"[llm.providers.work]\nheaders = {{ {_quoted(f'X-{_HOSTILE}')} = {_quoted(_HOSTILE)} }}\n"
        f"[profile.other.llm.parameters]\nuser = {_quoted(_OTHER)}\n"
    )
    run_sentient("config", "history")


@pytest.mark.story("5.6")
@pytest.mark.parametrize("given", _COMMANDS, ids=lambda given: given[0])
def test_nothing_acts_on_who_reads_a_pipe(given: tuple[str, ...]) -> None:
    _prepare()
    done = run_sentient("config", *given)
    assert not _ACTS.search(done.stdout + done.stderr), done
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 2, 3}


@pytest.mark.slow
@pytest.mark.parametrize("given", _COMMANDS, ids=lambda given: given[0])
def test_nothing_acts_on_a_terminal(given: tuple[str, ...]) -> None:
    _prepare()
    with at_a_terminal("config", *given, columns=100, NO_COLOR="1", TERM="dumb") as (child, raw):
        child.expect(pexpect.EOF)
    assert raw.getvalue()
    assert not _ACTS.search(raw.getvalue().decode()), raw.getvalue()


def test_what_differs_only_in_what_nobody_sees_is_shown_as_different(sentient: Sentient) -> None:
    write_project('[llm.parameters]\nuser = "ab"\n')
    sentient("config", "set", "llm.parameters.user", "a\u202eb")
    assert sentient("config", "diff").stdout == ('- llm.parameters.user = "ab"\n+ llm.parameters.user = "a\\u202eb"\n')
    assert 'user = "a\\u202eb"' in Path("sentient.toml").read_text()  # nobody who reads the file is deceived either
    said = sentient("config", "set", "llm.parameters.user", "a  \u200b  b").stderr
    assert 'llm.parameters.user = "a  \\u200b  b" in sentient.toml' in said
    assert '"a  \\u200b  b"' in sentient("config", "history", env={"COLUMNS": "200"}).stdout
    assert '"a  \\u200b  b"' in sentient("config", "explain", "llm.parameters.user").stdout


_ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
_LATIN = {"PYTHONIOENCODING": "latin-1"}


@pytest.mark.parametrize(("variables", "encoding"), [(_ASCII, "ascii"), (_LATIN, "latin-1")])
def test_what_the_locale_does_not_know_is_escaped_as_toml_has_it(
    sentient: Sentient, variables: dict[str, str], encoding: str
) -> None:
    stop = ["é", "\u0416", "\U0001f600", "plain"]
    write_project(f"[llm.parameters]\nstop = {json.dumps(stop, ensure_ascii=False)}\n")
    before = load(environment={}, use_env_file=False).settings
    for more in ((), ("--all",), ("--sources",)):
        done = sentient("config", "show", *more, env=variables, encoding=encoding)
        assert tomllib.loads(done.stdout)["llm"]["parameters"]["stop"] == stop
        Path("copy.toml").write_text(done.stdout)
        assert load(drafts={Path("sentient.toml").absolute(): done.stdout}, environment={}).settings == before
    for command in (
        ("show", "llm.parameters.stop"),
        ("history",),
        ("explain", "llm.parameters.stop"),
        ("diff", "now", "1"),
    ):
        done = sentient("config", *command, env=variables, encoding=encoding)
        assert "\\xe9" not in done.stdout + done.stderr
        assert done.returncode == 0, done.stderr
    done = sentient("config", "set", "llm.parameters.user", "caf\u0416", env=variables | {"PYTHONUTF8": "1"})
    assert "\\xe9" not in done.stderr


def test_one_value_that_the_locale_does_not_know_is_escaped_in_quotes(sentient: Sentient) -> None:
    write_project('[llm.parameters]\nuser = "caf\u00e9"\n')
    done = sentient("config", "show", "llm.parameters.user", env=_ASCII, encoding="ascii")
    assert done.stdout == '"caf\\u00e9"\n'
    assert sentient("config", "show", "llm.parameters.user").stdout == "caf\u00e9\n"
