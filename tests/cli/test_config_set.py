"""`sentient config set` and `unset`, over the real command line."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sentient_cli import paths
from sentient_cli.config.versions import Versions
from tests.cli.processes import Sentient
from tests.support import commands

_FILE = Path("sentient.toml")
_TEXT = """\
# What this project is
agent = 'main:agent'  # the one

[server]   # where
port = 8000
allow_origins = [
    "http://a",  # first
]
"""


def _fields(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def _error(done: subprocess.CompletedProcess[str], code: int = 3) -> str:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    error = json.loads(done.stderr)["error"]
    return f"{error['what']} {error.get('why', '')} {error['fix']}"


@pytest.mark.story("5.2")
@pytest.mark.story("5.7")
def test_a_setting_is_set_and_nothing_else_changes(sentient: Sentient) -> None:
    _FILE.write_text(_TEXT)
    done = sentient("config", "set", "server.port", "9000")
    assert (done.returncode, done.stdout) == (0, "")
    assert "server.port = 9000 in sentient.toml, version 2." in done.stderr
    assert _FILE.read_text() == _TEXT.replace("8000", "9000")
    assert "was set already" in sentient("config", "set", "server.port", "9000").stderr


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("llm.parameters.temperature", "0.2", "temperature = 0.2"),
        ("llm.usage", "no", "usage = false"),
        ("server.workers", "2", "workers = 2"),
        ("llm.model", "offline:echo", 'model = "offline:echo"'),
        ("llm.model", '"offline:echo"', 'model = "offline:echo"'),
        ("server.allow_hosts", "a.example, b.example", 'allow_hosts = ["a.example", "b.example"]'),
        ("server.allow_hosts", "['a.example']", 'allow_hosts = ["a.example"]'),
        ("llm.parameters.stop", '"a, b"', 'stop = ["a, b"]'),
        ("llm.parameters.stop", '"a, b", "c"', 'stop = ["a, b", "c"]'),
        ("llm.parameters.stop", '"', 'stop = ["\\""]'),
        ("llm.providers.work.retry.attempts", "5", "attempts = 5"),
        ('llm.providers.work.headers."X-Team: A"', "red", '"X-Team: A" = "red"'),
        ('llm.providers.work.headers."X.Team"', "red", '"X.Team" = "red"'),
        ("llm.parameters.extra.openai.max_tokens", "5", "max_tokens = 5"),
        ("llm.parameters.cache_key", "team-1", 'cache_key = "team-1"'),
        ("llm.providers.work.base_url", "https://h.example/v1?a=b", 'base_url = "https://h.example/v1?a=b"'),
        ("llm.groups.fast", "offline,offline:echo", 'fast = ["offline", "offline:echo"]'),
    ],
)
@pytest.mark.story("5.1")
def test_values_are_read_as_the_setting_has_them(sentient: Sentient, key: str, value: str, line: str) -> None:
    _FILE.write_text("")
    assert _fields(sentient("config", "set", key, value, "--json"))["changed"] is True
    assert line in _FILE.read_text().splitlines()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("server.port", "eight"), "must be a valid integer"),
        (("server.port", "70000"), "less than or equal to 65535"),
        (("server.prot", "1"), "Did you mean `server.port`?"),
        (("server", "1"), "is a table of settings"),
        (("profile.production.server.port", "2"), "Give --profile production, and the name `server.port`"),
        (("server.token", "abcdefgh"), "SENTIENT_SERVER_TOKEN"),
        (("llm.providers.work.api_key", "sk-proj-0123456789abcdefghij"), "sentient keys set work"),
        (("llm.model", "sk-proj-0123456789abcdefghij"), "sentient keys"),
        (("llm.providers.work.headers.Authorization", "abc"), "secret"),
        (("llm.providers.work.base_url", "https://u:hunter2hunter2@h.example/v1"), "sentient keys set work"),
        (("llm.providers.work.proxy", "http://u:hunter2hunter2@h.example"), "sentient config edit --user"),
        (("llm.providers.work.headers", '{Authorization = "abc"}'), "would put a secret"),
        (("store.url", "postgresql://u:hunter2hunter2@h.example/db"), "SENTIENT_STORE_URL"),
        (("llm.parameters.extra.openai.password", "hunter2hunter2"), "would put a secret"),
        (("llm.parameters.extra.openai", "{a = [{pin_token = 91827364}]}"), "would put a secret"),
        (("llm.parameters.metadata.token", "tok-secret-123456"), "would put a secret"),
        (("llm.presets.mine", '{metadata = {token = "tok-secret"}}'), "would put a secret"),
        (("server", '{token = "abcdefgh"}'), "would put a secret"),
        (("server.port", "9" * 5000), "too many digits"),
        (("llm.parameters.extra.openai.a", "0x" + "f" * 5000), "too many digits"),
        (("profile", "staging"), "holds profiles"),
        (("audit.checkpoint", "x"), "not for a project to make"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_written(
    sentient: Sentient, arguments: tuple[str, str], said: str
) -> None:
    text = _TEXT + "[profile.production.server]\nport = 1\n"
    _FILE.write_text(text)
    assert said in _error(sentient("config", "set", *arguments, "--json"))
    assert _FILE.read_text() == text


def test_a_fault_elsewhere_in_the_file_is_told_with_its_place(sentient: Sentient) -> None:
    _FILE.write_text("[server]\nport = 'x'\n")
    error = _error(sentient("config", "set", "server.workers", "2", "--json"))
    assert "sentient.toml:2:8" in error
    assert _FILE.read_text() == "[server]\nport = 'x'\n"
    assert sentient("config", "set", "server.port", "9000").returncode == 0
    _FILE.write_text("[server\n")
    error = _error(sentient("config", "set", "server.port", "1", "--json"))
    assert "sentient.toml is not valid TOML" in error
    assert "sentient.toml:1:8" in error


def test_a_number_that_nobody_reads_and_a_pipe_are_told(sentient: Sentient) -> None:
    _FILE.write_text(f"[server]\nport = {'9' * 5000}\n")
    assert "too many digits" in _error(sentient("config", "set", "server.workers", "2", "--json"))
    assert "no name of a setting" in _error(sentient("config", "set", f"a = {'9' * 5000}\nb", "2", "--json"), 2)
    _FILE.unlink()
    os.mkfifo(_FILE)
    assert "is no file" in _error(sentient("config", "set", "server.port", "2", "--project", ".", "--json"))
    _FILE.unlink()
    _FILE.mkdir()
    assert "is no file" in _error(sentient("config", "set", "server.port", "2", "--project", ".", "--json"))


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (("llm.preset", "nobody"), "what was given"),
        (("llm.presets.late.base", "nobody"), "what was given"),
        (("experiments.e.variants", "{control = {}, b = {preset = 'nobody'}}"), "what was given"),
        (("llm.presets.first.base", "last"), ":9:1"),  # which the file has in line 9 now, and would have in line 10
        (("experiments.x.variants", "{control = {}, b = {model = 'offline'}}"), "what was given"),
        (("experiments.a.variants", "{control = {}, b = {model = 'offline'}}"), ":11:1"),
    ],
)
def test_a_fault_is_told_with_a_place_that_is_there(sentient: Sentient, given: tuple[str, str], place: str) -> None:
    text = (
        "# What this project is\n[llm.presets.first]\nmax_tokens = 5\n\n[server]\nport = 1\n\n[llm.presets.last]\n"
        "base = 'first'\n[experiments.m]\nvariants = { control = {}, b = { model = 'offline' } }\n"
    )
    _FILE.write_text(text)
    error = _error(sentient("config", "set", *given, "--json"))
    assert place in error
    assert place.startswith(":") == (str(_FILE.absolute()) in error)
    assert _FILE.read_text() == text


def test_a_version_that_no_longer_fits_is_told_without_lines(sentient: Sentient) -> None:
    _FILE.write_text("[server]\nport = 1\n")
    Versions(_FILE).note({"llm": {"preset": "gone"}, "server": {"port": 1}}, "file")
    error = _error(sentient("config", "rollback", "1", "--json"))
    assert "There is no preset 'gone'. It is named by version 1" in error
    assert str(_FILE.absolute()) not in error


@pytest.mark.story("10.1")
def test_a_place_that_holds_no_checkpoint_is_refused_before_nothing_can_be_changed(sentient: Sentient) -> None:
    Path("other").write_text("something else\n")
    sentient("config", "set", "server.port", "1", "--user")
    error = _error(sentient("config", "set", "audit.checkpoint", str(Path("other").absolute()), "--user", "--json"))
    assert "holds no checkpoint of an audit log" in error
    assert Path("other").read_text() == "something else\n"
    assert paths.user_config_file().read_text() == "[server]\nport = 1\n"
    Path("other").unlink()
    sentient("config", "set", "audit.checkpoint", str(Path("other").absolute()), "--user")
    assert sentient("config", "set", "server.port", "2", "--user").returncode == 0
    assert Path("other").exists()
    assert sentient("audit", "verify").returncode == 0


@pytest.mark.story("5.5")
def test_experiments_that_no_server_starts_are_refused(sentient: Sentient) -> None:
    text = "[experiments.a]\nvariants = { control = {}, b = { model = 'offline' } }\n"
    _FILE.write_text(text)
    given = "config", "set", "experiments.b.variants", "{control = {}, c = {model = 'offline'}}", "--json"
    assert "both set model" in _error(sentient(*given))
    assert "both set model" in _error(sentient(*given, "--profile", "production"))
    assert _FILE.read_text() == text
    assert sentient("config", "set", "experiments.a.enabled", "no").returncode == 0
    assert sentient(*given).returncode == 0
    assert "both set model" in _error(sentient("config", "unset", "experiments.a.enabled", "--json"))
    _FILE.write_text(_FILE.read_text().replace("enabled = false", "enabled = true"))
    assert sentient("config", "set", "experiments.a.enabled", "no").returncode == 0


def test_each_of_the_three_places(sentient: Sentient) -> None:
    assert "There is no project here" in _error(sentient("config", "set", "server.port", "1", "--json"))
    sentient("config", "set", "server.port", "1", "--user")
    own = paths.user_config_file()
    assert own.read_text() == "[server]\nport = 1\n"
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    sentient("config", "set", "server.port", "2", "--project", ".")
    assert _FILE.read_text() == "[server]\nport = 2\n"
    done = sentient("config", "set", "server.port", "3", "--profile", "production")
    assert "It holds when the profile production is chosen" in done.stderr
    shown = sentient("config", "show", "server.port", "--profile", "production")
    assert (shown.stdout, sentient("config", "show", "server.port").stdout) == ("3\n", "2\n")


@pytest.mark.story("5.3", "E5.1")
def test_what_the_model_does_not_take_is_said_at_once_and_once(sentient: Sentient) -> None:
    _FILE.write_text("[llm]\nmodel = 'openai:gpt-5'\n")
    done = sentient("config", "set", "llm.parameters.temperature", "0.2")
    assert done.returncode == 0
    assert "Warning: openai:gpt-5: `temperature` = 0.2 is left out" in done.stderr
    assert "left out" not in sentient("config", "set", "server.port", "2").stderr
    assert "left out" not in sentient("config", "set", "llm.parameters.seed", "2", "--profile", "p").stderr
    said = sentient("config", "set", "llm.model", "openai:gpt-4.1", "--profile", "p").stderr
    assert "left out" not in said
    said = sentient("config", "set", "llm.providers.work.kind", "opnai").stderr
    assert "Warning: There is no kind of provider 'opnai', which 'work' would be" in said
    assert sentient("config", "set", "llm.parameters.temperature", "0.3", "-q").stderr == ""


def test_what_goes_before_it_is_said(sentient: Sentient) -> None:
    _FILE.write_text("")
    done = sentient("config", "set", "log.level", "debug", env={"SENTIENT_LOG_LEVEL": "error"})
    assert "SENTIENT_LOG_LEVEL goes before it" in done.stderr


def test_pyproject_keeps_all_that_is_not_ours(sentient: Sentient) -> None:
    text = '[project]\nname = "x"  # mine\r\n\r\n[tool.sentient]\r\nagent = "a"\r\n\r\n[tool.ruff]\r\n'.replace(
        "\r\n", "\n"
    ).replace("\n", "\r\n")
    Path("pyproject.toml").write_bytes(text.encode())
    assert sentient("config", "set", "server.port", "9000").returncode == 0
    added = "[tool.sentient.server]\r\nport = 9000\r\n\r\n"
    assert Path("pyproject.toml").read_bytes().decode() == text.replace("[tool.ruff]", f"{added}[tool.ruff]")
    assert sentient("config", "unset", "server.port").returncode == 0
    assert Path("pyproject.toml").read_bytes().decode().split() == text.split()


def test_a_file_of_very_many_levels_is_told(sentient: Sentient) -> None:
    Path("pyproject.toml").write_text("[tool.sentient]\n[" + ".".join(["a"] * 2000) + "]\nx = 1\n")
    for command in (("set", "server.port", "9000"), ("unset", "server.port")):
        done = sentient("config", *command, "--json")
        assert (done.returncode, json.loads(done.stderr)["error"]["what"]) == (
            3,
            "The settings file is nested too deeply",
        )


def test_a_link_stays_one_and_rights_stay(sentient: Sentient, tmp_path: Path) -> None:
    real = tmp_path / "real.toml"
    real.write_text("[server]\nport = 1\n")
    real.chmod(0o640)
    _FILE.symlink_to(real)
    assert sentient("config", "set", "server.port", "2").returncode == 0
    assert _FILE.is_symlink()
    assert real.read_text() == "[server]\nport = 2\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".real")] == []


def test_where_nothing_can_be_written(sentient: Sentient) -> None:
    _FILE.write_text("[server]\nport = 1\n")
    error = _error(sentient("config", "set", "server.port", "2", "--json", env={"XDG_STATE_HOME": "/proc/nowhere"}))
    assert "cannot be written" in error
    error = _error(
        sentient("config", "set", "server.port", "2", "--user", "--json", env={"XDG_CONFIG_HOME": "/proc/x"})
    )
    assert "cannot be written" in error
    assert "cannot be written" in _error(sentient("config", "schema", "-o", "/proc/x/schema.json", "--json"))
    assert _FILE.read_text() == "[server]\nport = 1\n"
    folder = Versions(_FILE).lock.parent
    folder.mkdir(parents=True)
    (folder / "000001.json").mkdir()
    done = sentient("config", "set", "server.port", "2")
    assert done.returncode == 0
    assert "server.port = 2 in sentient.toml, version 3." in done.stderr


def test_unset_takes_one_setting_or_a_table(sentient: Sentient) -> None:
    _FILE.write_text(_TEXT)
    assert "is no longer set" in sentient("config", "unset", "server.allow_origins").stderr
    assert _FILE.read_text() == _TEXT.partition("allow_origins")[0]
    assert _fields(sentient("config", "unset", "server", "--json"))["changed"] is True
    assert _FILE.read_text() == _TEXT.partition("\n[server]")[0] + "\n"
    assert "is not set" in _error(sentient("config", "unset", "server.port", "--json"))
    assert "no name of a setting" in _error(sentient("config", "unset", "a..b", "--json"), 2)


@pytest.mark.slow
def test_many_writers_at_once_lose_nothing(sentient: Sentient) -> None:
    _FILE.write_text("# kept\n")
    with ThreadPoolExecutor(8) as pool:
        writers = [
            pool.submit(sentient, "config", "set", f"llm.providers.p{number}.timeout", str(number + 1))
            for number in range(8)
        ]
    assert [writer.result().returncode for writer in writers] == [0] * 8
    for number in range(8):
        assert f"timeout = {number + 1}\n" in _FILE.read_text()
    assert _FILE.read_text().startswith("# kept\n")
    assert len(Versions(_FILE).all()) == 9


@pytest.mark.parametrize("moment", ["os.fsync", "pathlib.Path.replace"])
def test_who_is_killed_in_the_middle_leaves_the_file_as_it_was(sentient: Sentient, moment: str) -> None:
    _FILE.write_text("[server]\nport = 1\n")
    killed = f"import os, pathlib, signal\n{moment} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)"
    done = commands.run("config", "set", "server.port", "2", prelude=killed)
    assert done.returncode == -9
    assert _FILE.read_text() == "[server]\nport = 1\n"
    assert sentient("config", "set", "server.port", "3").returncode == 0
    assert _FILE.read_text() == "[server]\nport = 3\n"
