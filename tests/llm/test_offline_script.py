from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import ConfigError, ConfigurationNotFoundError
from sentient_cli.llm.offline import Script, load_script, parse_script
from sentient_cli.llm.offline.locate import json_line, toml_line
from sentient_cli.llm.offline.script import Failure, Pace, Rule, ScriptedCall, ScriptedUsage

WHOLE = r"""
models = ["fast"]
seed = 7
fallback = "echo"

[pace]
tokens_per_second = 20
first_token = 0.5

[[rule]]
name = "weather"
match = '(?i)weather in (?P<city>\w+)'
on = "user"
turn = 1
model = "fast"
times = 2
answer = "Let me see, ${city}."
finish = "tool_call"
usage = { input = 10, output = 4 }
tool_calls = [{ name = "weather", arguments = { city = "${city}" } }]

[[rule]]
on = "tool"
tool = "weather"
usage = false
[rule.pace]
first_token = 1.5
[rule.fail]
kind = "rate_limit"
after = 3
delay = 0.5
retry_after = 2
"""


def test_a_script_is_read_whole() -> None:
    assert parse_script(WHOLE) == Script(
        models=("fast",),
        seed=7,
        fallback="echo",
        pace=Pace(tokens_per_second=20, first_token=0.5),
        rule=(
            Rule(
                name="weather",
                match=r"(?i)weather in (?P<city>\w+)",
                turn=1,
                model="fast",
                times=2,
                answer="Let me see, ${city}.",
                finish="tool_call",
                usage=ScriptedUsage(input=10, output=4),
                tool_calls=(ScriptedCall(name="weather", arguments={"city": "${city}"}),),
            ),
            Rule(
                on="tool",
                tool="weather",
                usage=False,
                pace=Pace(first_token=1.5),
                fail=Failure(kind="rate_limit", after=3, delay=0.5, retry_after=2),
            ),
        ),
    )


@pytest.mark.parametrize("suffix", [".toml", ".json", ".jsonl"])
def test_every_format_says_the_same(tmp_path: Path, suffix: str) -> None:
    rules = [{"match": "a", "answer": "A"}, {"answer": "é"}]
    text = {
        ".toml": '[[rule]]\nmatch = "a"\nanswer = "A"\n[[rule]]\nanswer = "é"\n',
        ".json": json.dumps({"rule": rules}),
        ".jsonl": "\n".join([*map(json.dumps, rules), "", ""]),
    }[suffix]
    path = tmp_path / f"script{suffix}"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert load_script(path).rule == (Rule(match="a", answer="A"), Rule(answer="é"))


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("seed = ", "line 1", "Invalid value"),
        ('seed = 1\nseed = "x"', "line 2", "overwrite"),
        ('seed = "x"', "line 1 at seed", "Expected `int`"),
        ("\n\nsede = 1", "line 3 at sede", "unknown field"),
        ("[[rule]]\n[[rule]]\nanswer = 1", "line 3 at rule[1].answer", "Expected `str`"),
        ("[[rule]]\n[[rule]]\n\nmatch = '('", "line 2 at rule[1]", "no regular expression"),
        ('[[rule]]\nanswer = "${who}"', "line 1 at rule[0]", "${who}"),
        ("[[rule]]\n[rule.fail]\nkind = 'bad'", "line 3 at rule[0].fail.kind", "Invalid enum value"),
        ("[[rule]]\nfail = {kind = 'timeout', after = -1}", "line 2 at rule[0].fail.after", ">= 0"),
        ("[pace]\ntokens_per_second = nan", "line 2 at pace.tokens_per_second", ">= 0"),
        ("[[rule]]\nfail = {kind = 'timeout', retry_after = nan}", "line 2 at rule[0].fail.retry_after", ">= 0"),
        ("[[rule]]\nanswer = '''\n[[rule]]\n[[rule]]\n'''\n[[rule]]\ntimes = 0", "line 7 at rule[1].times", ">= 1"),
        ("[[rule]]\ntool_calls = [{name = ''}]", "line 2 at rule[0].tool_calls[0].name", "length"),
        ("[[rule]]\nmatch = '[[a]'", "line 1 at rule[0]", "Possible nested set"),
    ],
)
def test_a_fault_in_toml_has_its_place(text: str, place: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_script(text, name="my.toml")
    assert f"my.toml, {place} is not valid" in caught.value.what
    assert why in caught.value.why


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"seed": 1,\n "x"}', "line 2"),
        ("[]", "line 1"),
        ('{"rule": [\n {"answer": "a"},\n {"answer":\n 1}]}', "line 3 at rule[1].answer"),
        ('{"rule": [{"usage": {"input": 1}},\n{"fail":\n{"kind": "x"}}]}', "line 3 at rule[1].fail.kind"),
        ('{"models": ["a",\n"b", 3]}', "line 2 at models[2]"),
        ("[" * 100_000, "line 1"),
        ('{"seed": ' + "9" * 5000 + "}", "line 1"),
    ],
)
def test_a_fault_in_json_has_its_place(text: str, place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_script(text, "json", name="my.json")
    assert f"my.json, {place} is not valid" in caught.value.what


@pytest.mark.parametrize("line", ['{"answer": 1}', "{", '{"rule": []}', "[" * 100_000])
def test_a_fault_in_json_lines_has_its_line(line: str) -> None:
    with pytest.raises(ConfigError, match="line 3"):
        parse_script('{"answer": "a"}\n\n' + line, "jsonl")


def test_a_file_that_cannot_be_read_is_a_typed_error(tmp_path: Path) -> None:
    for missing in ("none.toml", "none.yaml", "none"):  # what is missing matters more than what it is called
        with pytest.raises(ConfigurationNotFoundError, match="There is no offline script"):
            load_script(tmp_path / missing)
    (tmp_path / "script.yaml").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="suffix"):
        load_script(tmp_path / "script.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_script("nul\0.toml")
    (tmp_path / "dir.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_script(tmp_path / "dir.toml")
    (tmp_path / "latin.toml").write_bytes(b"seed = 1\n# \xe9")
    with pytest.raises(ConfigError, match=r"line 2 is not valid\. It is not UTF-8"):
        load_script(tmp_path / "latin.toml")


def test_a_huge_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="too large"):
        parse_script(b" " * (8 * 1024 * 1024 + 1))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["rule", "answer", "match", "fail", "kind", "usage", "tool_calls", "name", "pace"]), inner
        )
    ),
    max_leaves=12,
)


@given(values)
def test_json_of_any_shape_raises_only_config_errors(value: object) -> None:
    text = json.dumps(value)
    for form, written in (("json", text), ("jsonl", text)):
        try:
            parse_script(written, "json" if form == "json" else "jsonl")
        except ConfigError as error:
            assert error.fix  # noqa: PT017 - most inputs fail, some do not


@given(st.binary(max_size=200) | st.text(alphabet="[]{}=\"'.,\n\\ #rule answer=match1(${a}", max_size=60))
def test_toml_of_any_shape_raises_only_config_errors(data: bytes | str) -> None:
    try:
        parse_script(data)
    except ConfigError as error:
        assert "script, line" in error.what  # noqa: PT017 - most inputs fail, some do not


@pytest.mark.slow
@given(st.text(max_size=80), st.text(max_size=30))
def test_locating_never_fails(text: str, path: str) -> None:
    assert 1 <= toml_line(text, path) <= text.count("\n") + 1
    assert 1 <= json_line(text, path) <= text.count("\n") + 1
