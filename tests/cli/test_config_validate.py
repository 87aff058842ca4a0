"""`sentient config validate`: everything that is wrong at once, each with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentient_cli.config import load
from sentient_cli.config.toml_text import key_text, value_text
from sentient_cli.config.validation import validate, validate_file
from sentient_cli.errors import SentientError
from tests.cli.config_kit import TOKEN, faults_of, rows, write_project, write_user
from tests.cli.keys_kit import at_a_terminal
from tests.cli.processes import Sentient

_BROKEN = f"""\
[server]
prot = 9000
port = "eight"

[llm.providers.work]
tiemout = 12
api_key = "{TOKEN}"
retry = {{ attempts = 50 }}

[llm.presets.a]
base = "b"
[llm.presets.b]
base = "a"

[profile.production.server]
port = 99999
[profile.staging]
audit.checkpoint = 5
"""


def test_nothing_is_wrong(commandline: Sentient) -> None:
    empty = commandline("config", "validate")
    assert (empty.returncode, empty.stdout) == (0, "")
    assert empty.stderr == "Nothing is wrong (no file, so the defaults hold).\n"
    write_project("[server]\nport = 1\n", variables="A=b\n")
    done = commandline("config", "validate")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Nothing is wrong (sentient.toml, .env).\n")
    assert commandline("config", "validate", "--json").stdout == ""


@pytest.mark.story("5.3")
def test_everything_is_said_at_once_with_its_place(commandline: Sentient) -> None:
    write_user("[log]\nlevel = 'loud'\n")
    write_project(_BROKEN, variables="SENTIENT_SERVER_WORKERS=zero\nSENTIENT_SERVER_PORT=8100\n")
    done = commandline("config", "validate", "--json", "--profile", "prodution")
    assert done.returncode == 3
    assert TOKEN not in done.stdout + done.stderr
    told = faults_of(done.stdout)
    assert sorted((line, column) for _, line, column, _ in told if line is not None) == [
        (2, 1),
        (2, 9),
        (3, 8),
        (6, 1),
        (7, 1),
        (8, 22),
        (13, 1),
        (16, 8),
        (18, 20),
    ]
    what = {str(each[3]) for each in told}
    assert "There is no profile 'prodution'" in what
    assert "The presets are each the base of the other: a -> b -> a" in what
    assert "The setting `server.workers` is wrong: it must be a valid integer" in what
    places = {str(row["where"]) for row in rows(done.stdout)}
    assert f"SENTIENT_SERVER_WORKERS in {Path('.env').absolute()}" in places
    assert done.stderr.startswith("11 errors (")


@pytest.mark.story("5.3")
def test_people_are_told_in_lines_that_editors_understand(commandline: Sentient) -> None:
    write_project('[server]\nprot = 9000\nport = "eight"\n')
    done = commandline("config", "validate")
    assert done.returncode == 3
    assert done.stdout == (
        "sentient.toml:2:1: error: There is no setting `server.prot`\n"
        "    fix: Did you mean `server.port`?\n"
        "sentient.toml:3:8: error: The setting `server.port` is wrong: it must be a valid integer\n"
        "    fix: Correct the value\n"
    )
    assert done.stderr == "2 errors (sentient.toml).\n"


def test_a_value_that_another_covers_is_looked_at(commandline: Sentient) -> None:
    write_project("[server]\nport = 'x'\n")
    done = commandline("config", "validate", "--json", env={"SENTIENT_SERVER_PORT": "8100"})
    assert [(line, column) for _, line, column, _ in faults_of(done.stdout)] == [(2, 8)]


@pytest.mark.story("E5.1")
@pytest.mark.story("5.3")
def test_what_a_model_does_not_take_is_a_warning_with_alternatives(commandline: Sentient) -> None:
    write_project('[llm]\nmodel = "openai:gpt-5-mini"\n\n[llm.parameters]\ntemperature = 0.2\n')
    done = commandline("config", "validate", "--json")
    (row,) = rows(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (row["level"], row["line"], row["column"]) == ("warning", 5, 1)
    assert str(row["what"]).startswith("openai:gpt-5-mini: `temperature` = 0.2 is left out: ")
    assert "Leave it out for this model" in str(row["fix"])
    assert str(row["why"]).startswith("See https://")
    assert commandline("config", "validate", "--strict").returncode == 3


def test_models_of_profiles_and_of_experiments_are_looked_at_too(commandline: Sentient) -> None:
    write_project("""
[profile.production.llm]
model = "openai:gpt-5-mini"
parameters = { temperature = 0.5 }

[experiments.size.variants]
control = {}
small = { model = "openai:gpt-5-mini", parameters = { temperature = 0.3 } }
""")
    done = commandline("config", "validate", "--json")
    told = rows(done.stdout)
    assert done.returncode == 0, done.stderr
    assert {row["level"] for row in told} == {"warning"}
    what = [str(row["what"]) for row in told]
    assert any(each.startswith("the variant small of size: openai:gpt-5-mini: `temperature` = 0.3") for each in what)
    assert any(each.startswith("With the profile production, openai:gpt-5-mini: `temperature` = 0.5") for each in what)


def test_an_experiment_that_a_server_would_refuse(commandline: Sentient) -> None:
    write_project("[experiments.a.variants]\ncontrol = {}\nwarm = { preset = 'nosuch' }\n")
    done = commandline("config", "validate", "--json")
    assert (done.returncode, [row["what"] for row in rows(done.stdout)]) == (3, ["There is no preset 'nosuch'"])
    assert str(rows(done.stdout)[0]["where"]).endswith("sentient.toml:3:19")


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (
            "[experiments]\na.variants = {control={}, b={model='x'}}\nc.variants = {control={}, b={model='y'}}\n",
            "sentient.toml:3:3",
            "both set model",
        ),
        (
            "[experiments.a]\nends = 2025-01-01T00:00:00Z\nstarts = 2025-01-01T00:00:00Z\nvariants={control={},b={}}\n",
            "sentient.toml:2:8",
            "it must start before it ends",
        ),
        (
            "[experiments.a.variants]\ncontrol = {}\nb = {parameters = {temperature = 5}}\n",
            "sentient.toml:3:34",
            "`experiments.a.variants.b.parameters.temperature` is wrong: it must be less than or equal to 2",
        ),
    ],
)
def test_what_is_wrong_with_a_whole_table_has_a_place(commandline: Sentient, text: str, where: str, what: str) -> None:
    write_project(text)
    done = commandline("config", "validate")
    assert done.returncode == 3
    assert done.stdout.startswith(f"{where}: error: ")
    assert what in done.stdout
    assert done.stderr == "1 error (sentient.toml).\n"


def test_another_encoding_has_a_place(commandline: Sentient) -> None:
    write_project("")
    Path("sentient.toml").write_bytes("# é\n# é = ".encode() + b"\xe9\n")
    done = commandline("config", "validate")
    assert done.returncode == 3
    assert done.stdout.startswith("sentient.toml:2:7: error: ")


@pytest.mark.parametrize(
    ("text", "level", "line", "what"),
    [
        ('[llm]\nmodel = "opnai:gpt-4.1"\n', "warning", 2, "No provider 'opnai' is known"),
        ('[llm]\nfallback = ["opnai"]\n', "warning", 2, "No provider 'opnai' is known"),
        ("[llm.providers.opnai]\ntimeout = 5\n", "error", 2, "There is no provider 'opnai'"),
        ('[llm.providers.work]\nkind = "opnai"\n', "error", 2, "There is no kind of provider 'opnai'"),
    ],
)
def test_a_provider_that_nobody_knows(commandline: Sentient, text: str, level: str, line: int, what: str) -> None:
    write_project(text)
    done = commandline("config", "validate", "--json")
    (row,) = rows(done.stdout)
    assert (row["level"], row["line"]) == (level, line)
    assert str(row["what"]).startswith(what)
    assert done.returncode == (3 if level == "error" else 0)


def test_a_variable_that_is_no_setting_is_a_warning(commandline: Sentient) -> None:
    done = commandline("config", "validate", env={"SENTIENT_SERVER_PROT": "1"})
    assert done.stdout == "warning: SENTIENT_SERVER_PROT is no setting; did you mean SENTIENT_SERVER_PORT?\n"
    assert (done.returncode, done.stderr) == (0, "1 warning (no file, so the defaults hold).\n")


def test_one_file_by_itself(commandline: Sentient) -> None:
    write_project("[server]\nport = 'x'\n")
    Path("other.toml").write_text(_BROKEN)
    done = commandline("config", "validate", "other.toml", "--json", env={"SENTIENT_SERVER_WORKERS": "zero"})
    assert done.returncode == 3
    assert {row["file"] for row in rows(done.stdout)} == {str(Path("other.toml").absolute())}
    Path("pyproject.toml").write_text("[tool.sentient.server]\nport = 'x'\n[tool.other]\nport = 'x'\n")
    done = commandline("config", "validate", "pyproject.toml", "--json")
    assert [each[1:3] for each in faults_of(done.stdout)] == [(2, 8)]


def test_what_is_not_for_a_project_is_for_the_user(commandline: Sentient) -> None:
    text = "[audit]\ncheckpoint = 'elsewhere'\n"
    write_project(text)
    assert "is not for a project to make" in commandline("config", "validate", "sentient.toml").stdout
    assert "is not for a project to make" in commandline("config", "validate").stdout
    Path("sentient.toml").unlink()
    own = write_user(text)
    assert commandline("config", "validate", str(own)).returncode == 0
    assert commandline("config", "validate").returncode == 0
    Path(".env").write_text("SENTIENT_AUDIT_CHECKPOINT=x\n")
    assert "is not for a project to make" in commandline("config", "validate").stdout


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("[server\n", "sentient.toml:1:8", "sentient.toml is not valid TOML"),
        ("x = [", "sentient.toml:1:6", "sentient.toml is not valid TOML"),
        ("[llm]\nx = [\n", "sentient.toml:2:6", "sentient.toml is not valid TOML"),
        (f"[llm]\nx = [1, {'9' * 5000}]\n", "sentient.toml:2:9", "A number in sentient.toml has too many digits"),
        ("a = " + "[" * 3000, "", "nested too deeply"),
    ],
)
def test_a_file_that_is_no_toml(commandline: Sentient, text: str, place: str, what: str) -> None:
    write_project(text, variables="SENTIENT_SERVER_PORT=x\n")
    done = commandline("config", "validate")
    assert done.returncode == 3
    assert done.stdout.startswith(f"{place}: error: " if place else "")
    assert what in done.stdout
    assert "`server.port` is wrong" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (("nothing.toml",), 3, "There is no file nothing.toml"),
        ((".",), 2, ". is a directory"),
        (("sentient.toml", "--profile", "x"), 2, "A file is looked at by itself"),
        (("--env-file", "nothing.env"), 3, ""),
        (("--project", "nothing"), 2, "There is no directory nothing"),
    ],
)
def test_arguments_that_lead_nowhere(commandline: Sentient, arguments: tuple[str, ...], code: int, what: str) -> None:
    write_project("")
    done = commandline("config", "validate", *arguments, "--json")
    assert done.returncode == code
    if what:
        assert json.loads(done.stderr)["error"]["what"] == what
    else:
        assert rows(done.stdout)[0]["what"] == "There is no file nothing.env"


def test_hostile_text_is_harmless(commandline: Sentient) -> None:
    write_project('"a\\u001b[2Jb" = 1\n[server]\non_disconnect = "\\u001b]0;x\\u0007"\n')
    done = commandline("config", "validate")
    assert done.returncode == 3
    assert "\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 4


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_it_fits_the_terminal(columns: int) -> None:
    write_project('[server]\nprot = 9000\nport = "eight"\n')
    with at_a_terminal("config", "validate", columns=columns) as (child, raw):
        child.expect_exact("2 errors")
        child.wait()
    text = raw.getvalue().decode()
    assert max(map(len, text.split("\r\n"))) <= columns
    assert "\x1b" not in text


_NAMES = st.sampled_from(["server", "port", "llm", "providers", "work", "timeout", "profile", "x", "presets", "base"])
_LEAVES = st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5) | st.booleans() | st.just("mine")
_TABLES = st.recursive(
    st.dictionaries(_NAMES, _LEAVES, max_size=3), lambda inner: st.dictionaries(_NAMES, inner | _LEAVES, max_size=4)
)


@pytest.mark.slow
@settings(max_examples=150)
@given(_TABLES)
def test_it_finds_something_where_and_only_where_settings_cannot_be_loaded(table: dict[str, object]) -> None:
    Path("sentient.toml").write_text("".join(f"{key_text([name])} = {value_text(table[name])}\n" for name in table))
    found = validate(environment={}, use_env_file=False)
    said = {fault.what for fault in found.faults if fault.level == "error"}
    refused = _refused()
    if refused is not None:
        assert refused in said
    else:
        assert not said or "profile" in table
    assert validate_file(Path("sentient.toml")).is_sound or said


def _refused() -> str | None:
    try:
        load(environment={}, use_env_file=False)
    except SentientError as error:
        return error.what
    return None


@pytest.mark.story("5.5")
def test_experiments_that_collide_are_told_with_their_place_wherever_settings_are_read(commandline: Sentient) -> None:
    write_project(
        "[experiments.a]\nvariants = { control = {}, b = { model = 'offline' } }\n[llm.presets.mine]\nmax_tokens = 5\n"
        "[experiments.b]\nends = 2026-01-01T00:00:00Z\n  variants = { control = {}, c = { preset = 'mine' } }\n"
        "[profile.p.experiments.b]\nvariants = { control = {}, d = { model = 'offline' } }\n"
    )
    what = "The experiments 'a' and 'b' both set model"
    for arguments in (("config", "validate", "--json"), ("config", "validate", "sentient.toml", "--json")):
        assert faults_of(commandline(*arguments).stdout) == [("error", 9, 1, what)]
    for command in (("serve", "--port", "0"), ("config", "show"), ("config", "experiments"), ("models",)):
        done = commandline(*command, "--profile", "p", "--json")
        error = json.loads(done.stderr)["error"]
        assert (done.returncode, error["what"]) == (3, what)
        assert error["why"].endswith(f"It stands in {Path.cwd()}/sentient.toml:9:1")
    apart = (
        Path("sentient.toml").read_text().replace("[experiments.a]", "[experiments.a]\nstarts = 2026-01-01T00:00:00Z")
    )
    write_project(apart)
    assert commandline("config", "validate").returncode == 0
