"""Errors, exit codes and global options, through the real door."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sentient_cli import __version__, errors
from sentient_cli.cli.commands import COMMANDS
from sentient_cli.cli.crash import KEPT_REPORTS
from sentient_cli.cli.main import main
from sentient_cli.paths import crash_dir
from tests.cli.processes import Sentient
from tests.plugins.isolation import REPOSITORY


def _error(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    error: dict[str, object] = json.loads(lines[0])["error"]
    return error


@pytest.mark.parametrize("before", [True, False])
def test_json_stands_before_or_after_the_command(commandline: Sentient, before: bool) -> None:
    done = commandline(*(["--json", "completion", "tcsh"] if before else ["completion", "tcsh", "--json"]))
    error = _error(done)
    assert done.returncode == 2
    assert error["code"] == "usage"
    assert error["exit_code"] == 2
    assert "completion --help" in str(error["fix"])


@pytest.mark.slow
@pytest.mark.story("18.6")
def test_a_wrong_command_suggests_the_right_one(sentient_started: Sentient) -> None:
    done = sentient_started("serv")
    assert done.returncode == 2
    assert "There is no command 'serv'" in done.stderr
    assert "Did you mean `serve`?" in done.stderr
    assert done.stdout == ""


def test_a_wrong_option_suggests_the_right_one(commandline: Sentient) -> None:
    done = commandline("serve", "--prot", "1", "--json")
    assert done.returncode == 2
    assert "`--port`" in str(_error(done)["why"])


@pytest.mark.parametrize("arguments", [["--nothing"], ["completion"], ["serve", "--port", "x"], ["chat", "a", "b"]])
def test_a_wrong_usage_is_exit_2(commandline: Sentient, arguments: list[str]) -> None:
    done = commandline(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["serve", "--port"], ["chat", "-m"], ["serve", "--json", "x", "y"]])
def test_a_wrong_usage_names_the_help_of_its_command(commandline: Sentient, arguments: list[str]) -> None:
    assert f"`sentient {arguments[0]} --help`" in commandline(*arguments).stderr


def test_after_two_dashes_nothing_is_an_option(commandline: Sentient) -> None:
    done = commandline("completion", "--", "--json")
    assert done.returncode == 2
    assert "--json" in done.stderr
    assert not done.stderr.startswith("{")


def test_help_lists_every_command_and_writes_nothing(sentient: Sentient, sentient_started: Sentient) -> None:
    done = sentient_started("--help")
    bare = sentient()
    assert done.returncode == bare.returncode == 0
    assert done.stdout == bare.stdout
    assert done.stderr == ""
    assert all(row.name in done.stdout and row.help in done.stdout for row in COMMANDS)
    assert sentient("--version").stdout.startswith("sentient ")
    assert [path for path in Path.home().rglob("*") if not path.is_dir()] == []
    assert list(Path.cwd().iterdir()) == []


def test_the_help_of_a_command_has_its_options_and_the_global_ones(commandline: Sentient) -> None:
    done = commandline("serve", "--help")
    assert done.returncode == 0
    own, _, common = done.stdout.partition("Global options:")
    assert "--port" in own
    assert "--json" not in own
    assert "--project DIR" in common


@pytest.mark.parametrize("command", ["", *(row.name for row in COMMANDS)])
def test_help_is_understood_by_its_short_name(commandline: Sentient, command: str) -> None:
    arguments = [command] if command else []
    done, whole = commandline(*arguments, "-h"), commandline(*arguments, "--help")
    assert (done.returncode, done.stdout) == (0, whole.stdout)
    assert "-h, --help" in done.stdout


def test_usage_says_what_may_be_left_out(commandline: Sentient) -> None:
    usage = {name: commandline(name, "--help").stdout.splitlines()[0] for name in ("serve", "chat", "run")}
    assert [line.partition("[OPTIONS] ")[2] for line in usage.values()] == ["[AGENT]", "[URL]", "{FILE} [ARGS]..."]


@pytest.mark.parametrize("columns", ["20", "60", "200"])
def test_help_fits_the_terminal(commandline: Sentient, columns: str) -> None:
    done = commandline("serve", "--help", env={"COLUMNS": columns})
    assert max(map(len, done.stdout.splitlines())) <= int(columns)


@pytest.mark.parametrize("command", [("create", "x", "--yes"), ("completion", "bash"), ("doctor",), ("chat", "hi")])
def test_every_command_refuses_a_project_that_is_not_there(commandline: Sentient, command: tuple[str, ...]) -> None:
    missing = Path("nowhere").absolute()
    done = commandline("--project", str(missing), "--json", *command)
    assert done.returncode == 2
    assert str(missing) in str(_error(done)["what"])
    assert not missing.exists()


def test_the_version_as_text_and_json(commandline: Sentient) -> None:
    assert commandline("--version").stdout == f"sentient {__version__}\n"
    assert json.loads(commandline("--json", "--version").stdout) == {"version": __version__}
    assert json.loads(commandline("--json", "--project", ".", "--version").stdout) == {"version": __version__}


@pytest.mark.usefixtures("unmeasured")
def test_the_version_needs_no_typer_and_no_rich() -> None:
    code = (
        "import sys; from sentient_cli.cli.main import main; main(['--version']); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert {"typer", "rich", "pydantic"}.isdisjoint(done.stderr.split())


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_help_needs_no_rich_and_no_pydantic() -> None:
    code = (
        "import sys; from sentient_cli.cli.main import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    )
    for arguments in (["--help"], ["chat", "--help"]):
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        assert {"rich", "pydantic", "httpx", "uvicorn", "starlette"}.isdisjoint(done.stderr.split())


@pytest.mark.slow
def test_every_error_has_its_exit_code(probe_process: Sentient) -> None:
    Path("probe.py").write_text(
        "import inspect\n"
        "from sentient_cli import errors\n"
        "from sentient_cli.cli import commands\n"
        "from sentient_cli.cli.main import main\n"
        "from sentient_cli.cli.invocation import current\n"
        "raised = None\n"
        "examples = {'first_seq': 1, 'faults': {'days[0]': 'It is no number'}}\n"
        "def inner() -> None:\n"
        "    raise raised\n"
        "def probe() -> None:\n"
        "    global raised\n"
        "    found = {}\n"
        "    here = current()\n"
        "    commands.COMMANDS += (commands.CommandRow('inner', 'probe', ''),)\n"
        "    for name in errors.__all__:\n"
        "        kind = getattr(errors, name)\n"
        "        needed = inspect.signature(kind).parameters\n"
        "        raised = kind('x', **{key: value for key, value in examples.items() if key in needed})\n"
        "        found[name] = main(['inner', '--json'])\n"
        "    here.console.json_line(found)\n"
    )
    done = probe_process("probe")
    found: dict[str, int] = json.loads(done.stdout)
    shown = [json.loads(line)["error"] for line in done.stderr.splitlines()]
    kinds: list[type[errors.SentientError]] = [getattr(errors, name) for name in errors.__all__]
    assert found == {kind.__name__: kind.exit_code for kind in kinds}
    assert [(error["code"], error["exit_code"]) for error in shown] == [(kind.code, kind.exit_code) for kind in kinds]


def test_an_error_in_a_panel(probe: Sentient) -> None:
    Path("probe.py").write_text(
        "from sentient_cli.errors import AgentImportError\n"
        "def probe() -> None:\n"
        "    raise AgentImportError('It \\x1b]0;x\\x07broke [bold]', why='Because', fix='Mend it', detail='frame 1')\n"
    )
    done = probe("probe")
    assert done.returncode == 5
    assert "\x1b" not in done.stderr
    for text in ("Error: agent-import", "It broke [bold]", "why Because", "fix Mend it", "frame 1"):
        assert text in done.stderr
    assert _error(probe("probe", "--json")) == {
        "code": "agent-import",
        "what": "It \x1b]0;x\x07broke [bold]",
        "why": "Because",
        "fix": "Mend it",
        "exit_code": 5,
        "detail": "frame 1",
    }
    assert "\x1b" not in probe("probe", "--json").stderr


@pytest.mark.parametrize("columns", [20, 200])
def test_a_panel_fits_the_terminal(probe: Sentient, probe_process: Sentient, columns: int) -> None:
    Path("probe.py").write_text(
        "from sentient_cli.errors import ConfigError\n"
        "def probe() -> None:\n"
        "    raise ConfigError('é' * 40, why='a/very/long/path/' * 9, fix='x ' * 90, detail='y' * 200)\n"
    )
    for run, env in ((probe, {}), (probe_process, {"PYTHONIOENCODING": "ascii"})):
        done = run("probe", env={"COLUMNS": str(columns), **env})
        assert done.returncode == 3
        assert max(map(len, done.stderr.splitlines())) <= min(columns, 100)


def test_secrets_are_redacted_in_errors(probe: Sentient) -> None:
    Path("probe.py").write_text(
        "from sentient_cli.errors import ConfigError\n"
        "def probe() -> None:\n"
        "    raise ConfigError('The key sk-abcdefghijklmnop1234567890 is bad', detail='token=verysecretvalue')\n"
    )
    for done in (probe("probe"), probe("probe", "--json")):
        assert "[redacted]" in done.stderr
        assert "abcdefghijklmnop" not in done.stderr
        assert "verysecret" not in done.stderr


@pytest.mark.story("18.6")
def test_an_unknown_exception_is_a_bug_with_a_private_report(probe_process: Sentient) -> None:
    Path("probe.py").write_text(
        "def probe() -> None:\n    hidden = len('local-variable')\n    raise KeyError('Bearer abcdef1234567890')\n"
    )
    done = probe_process("probe", "--json")
    error = _error(done)
    assert done.returncode == 1
    assert error["code"] == "internal"
    assert "detail" not in error
    path = Path(str(error["why"]).removeprefix("The traceback is in "))
    report = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "KeyError" in report
    assert "probe.py" in report
    assert "abcdef1234567890" not in report
    assert "hidden = " not in report
    assert "Traceback" not in done.stderr
    assert "Traceback" in probe_process("probe", "-vv").stderr


@pytest.mark.parametrize(
    "raised", ["asyncio.CancelledError('x')", "BaseExceptionGroup('x', [asyncio.CancelledError()])"]
)
def test_whatever_is_raised_none_of_it_reaches_the_interpreter(probe_process: Sentient, raised: str) -> None:
    Path("probe.py").write_text(f"import asyncio\ndef probe() -> None:\n    raise {raised}\n")
    done = probe_process("probe", "--json")
    assert done.returncode == 1
    assert _error(done)["code"] == "internal"
    assert "Traceback" not in done.stderr


def test_only_the_newest_reports_are_kept(probe: Sentient) -> None:
    crash_dir().mkdir(parents=True)
    for number in range(KEPT_REPORTS + 5):
        (crash_dir() / f"crash-{number:03}-1.txt").touch()
    Path("probe.py").write_text("def probe() -> None:\n    raise KeyError\n")
    probe("probe")
    left = sorted(path.name for path in crash_dir().iterdir())
    assert len(left) == KEPT_REPORTS
    assert left[0] == "crash-006-1.txt"


def test_a_report_that_cannot_be_written_is_shown(probe: Sentient) -> None:
    state = Path("state")
    state.write_text("in the way")
    Path("probe.py").write_text("def probe() -> None:\n    raise KeyError('x')\n")
    done = probe("probe", env={"XDG_STATE_HOME": str(state.absolute())})
    assert done.returncode == 1
    assert "No report could be written" in done.stderr
    assert "Traceback" in done.stderr


def test_a_group_of_known_errors_is_no_bug(probe: Sentient) -> None:
    Path("probe.py").write_text(
        "from sentient_cli.errors import NetworkError\n"
        "def probe() -> None:\n    raise ExceptionGroup('', [ExceptionGroup('', [NetworkError('gone')])])\n"
    )
    assert probe("probe").returncode == 4
    Path("probe.py").write_text("def probe() -> None:\n    raise ExceptionGroup('', [KeyError('gone')])\n")
    assert probe("probe").returncode == 1


@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "typer.Abort"])
def test_an_interrupt_is_130(probe: Sentient, raised: str) -> None:
    Path("probe.py").write_text(f"import typer\ndef probe() -> None:\n    raise {raised}\n")
    done = probe("probe")
    assert done.returncode == 130
    assert done.stderr == "Interrupted.\n"
    assert _error(probe("probe", "--json"))["code"] == "interrupted"
    assert probe("probe", "-q").stderr == ""


def test_an_exit_without_an_error(probe: Sentient) -> None:
    Path("probe.py").write_text("import typer\ndef probe() -> None:\n    raise typer.Exit(6)\n")
    done = probe("probe")
    assert (done.returncode, done.stdout, done.stderr) == (6, "", "")


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error() -> None:
    start, end = os.pipe()
    os.close(start)
    with os.fdopen(end, "w") as gone:
        command = [sys.executable, "-m", "sentient_cli", "--help"]
        done = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, cwd=REPOSITORY, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == ""


@pytest.mark.slow
def test_a_full_disk_is_said() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "sentient_cli", "completion", "bash"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=REPOSITORY, text=True, check=False)
    assert done.returncode == 1
    assert "The output could not be written" in done.stderr
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_closed_streams_are_no_error() -> None:
    command = f"{sys.executable} -m sentient_cli --version >&- 2>&- <&-"
    assert subprocess.run(command, shell=True, cwd=REPOSITORY, check=False).returncode == 0  # noqa: S602


@pytest.mark.slow
def test_a_locale_without_utf_8(sentient_started: Sentient) -> None:
    done = sentient_started("sérve", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, encoding="ascii")
    assert done.returncode == 2
    assert "s\\xe9rve" in done.stderr


def test_main_in_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("sentient ")
    assert main(["nothing", "--json"]) == 2
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "usage"


def test_a_project_directory_that_is_not_there(commandline: Sentient) -> None:
    done = commandline("serve", "--project", "nowhere", "--json")
    assert done.returncode == 2
    assert "--project" in str(_error(done)["fix"])
