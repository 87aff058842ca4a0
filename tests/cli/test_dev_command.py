"""`sentient dev` without a terminal: its lines, its JSON, its port, and who finds it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from sentient_cli.cli import dev_start
from sentient_cli.cli.dev_screen import Looks
from sentient_cli.config.discovery import Announcement, RunningServer, find
from sentient_cli.errors import AddressInUseError
from tests.cli.dev_day import READY, TOKEN
from tests.cli.dev_terminal import DAY
from tests.cli.processes import Sentient
from tests.client.fault_server import Exchange, done, text, threaded
from tests.dev.developing import wait_until
from tests.support import commands
from tests.support.commands import Forked


@pytest.fixture(autouse=True)
def runtime_directory(isolated: None) -> None:
    """As the system makes it when a user comes; what others can enter is not taken."""
    Path(os.environ["XDG_RUNTIME_DIR"]).mkdir(mode=0o700, exist_ok=True)


@contextlib.contextmanager
def developing(*arguments: str) -> Generator[tuple[Forked, Path, Path]]:
    """A `sentient dev` whose output goes to files."""
    out, err = Path("out"), Path("err")
    order = commands._order(["dev", *arguments], Path.cwd(), os.environ, DAY)
    with out.open("wb") as stdout, err.open("wb") as stderr, Path(os.devnull).open("rb") as stdin:
        process = Forked(order, [stdin.fileno(), stdout.fileno(), stderr.fileno()])
    try:
        yield process, out, err
    finally:
        process.leave()


def running(process: Forked, path: Path, words: str) -> RunningServer:
    """Wait until it says something; what others find of it then."""
    await_(process, lambda: words in path.read_text())
    return next(server for server in find() if server.pid == process.pid)


def await_(process: Forked, true: Callable[[], object]) -> None:
    """Wait until something is so, while it runs."""

    def is_so() -> bool:
        assert process.poll() is None, Path("err").read_text()
        return bool(true())

    wait_until(is_so, "it goes on without an end")


def ended(process: Forked) -> int:
    process.terminate()
    return process.wait(20)


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_without_a_terminal_there_are_plain_lines_with_the_whole_link() -> None:
    with developing("--port", "0") as (process, out, err):
        server = running(process, err, "Python")
        assert ended(process) == 0
    assert out.read_text() == ""
    said = err.read_text()
    assert f"URL       {server.url}\n" in said
    assert f"Page      {server.url}/#token={TOKEN}\n" in said
    assert "quit" not in said
    assert "\x1b" not in said


@pytest.mark.story("20.5")
def test_settings_that_do_nothing_here_are_named_for_those_who_want_details() -> None:
    Path("sentient.toml").write_text('[server]\nworkers = 3\n[store]\nurl = "sqlite:runs.db"\n[log]\nformat = "json"\n')
    for more, named in (("-v", True), ("--no-color", False)):
        with developing("--port", "0", more) as (process, _, err):
            running(process, err, "  URL ")
            assert ended(process) == 0
        said = " ".join(err.read_text().split())
        assert ("Only `sentient serve` uses what is set of server.workers, store.url, log.format" in said) is named


@pytest.mark.story("20.5")
def test_a_second_one_says_so_and_takes_another_port(free_port: int) -> None:
    with (
        developing("--port", str(free_port)) as (first, _, err),
        contextlib.chdir(Path.cwd()),
    ):
        server = running(first, err, "Python")
        Path("second").mkdir()
        lines = second(server, "--port", str(free_port))
        assert ended(first) == 0
    notice = next(line for line in lines if line["event"] == "notice")
    url = str(next(line for line in lines if line["event"] == "ready")["url"])
    assert f"`sentient dev` serves this project already, on {server.url}" in str(notice["text"])
    assert url.rpartition(":")[2] in str(notice["text"])
    assert url != server.url


def second(server: RunningServer, *arguments: str) -> list[dict[str, object]]:
    """What another one of the same project says, until it is told to end."""
    out = Path("second/out")
    order = commands._order(["dev", "--json", *arguments], server.project, os.environ, DAY)
    with out.open("wb") as stdout, Path(os.devnull).open("r+b") as nothing:
        process = Forked(order, [nothing.fileno(), stdout.fileno(), nothing.fileno()])
    try:
        mine = running(process, out, '"ready"')
        assert {each.pid for each in find(server.project)} == {server.pid, mine.pid}
        assert ended(process) == 0
    finally:
        process.leave()
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_json_is_one_event_a_line() -> None:
    with developing("--json", "--port", "0") as (process, out, err):
        server = running(process, out, '"ready"')
        assert ended(process) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["starting", "ready", "stopping"]
    assert lines[1]["url"] == server.url
    assert lines[1]["inspect_url"] == f"{server.url}/#token={TOKEN}"
    assert err.read_text() == ""


@pytest.mark.slow
def test_quiet_says_nothing_of_what_is_fine() -> None:
    with developing("-q", "--port", "0") as (process, out, err):
        await_(process, find)
        assert ended(process) == 0
    assert (out.read_text(), err.read_text()) == ("", "")


def test_whoever_reads_the_json_may_leave() -> None:
    reader, writer = os.pipe()
    order = commands._order(["dev", "--json", "--port", "0"], Path.cwd(), {**os.environ, "DAY_BEAT": "0.2"}, DAY)
    with Path(os.devnull).open("r+b") as nothing:
        process = Forked(order, [nothing.fileno(), writer, nothing.fileno()])
    os.close(writer)
    assert os.read(reader, 10)
    os.close(reader)
    assert process.wait(20) == 0


# -- the port --------------------------------------------------------------------------------------------------------


@pytest.fixture
def taken() -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_a_port_that_is_taken_names_its_holder_and_another_one_is_used(taken: int) -> None:
    listener, said = dev_start.listen("127.0.0.1", taken, [], strict=False)
    with listener:
        port = listener.getsockname()[1]
    assert port != taken
    assert f"Port {taken} on 127.0.0.1 is taken" in said
    assert f"(process {os.getpid()}) listens on it" in said
    assert said.endswith(f"This one takes port {port}")


def test_a_strict_port_is_an_error(taken: int, commandline: Sentient) -> None:
    with pytest.raises(AddressInUseError):
        dev_start.listen("127.0.0.1", taken, [], strict=True)
    done_ = commandline("dev", "--port", str(taken), "--strict-port", "--json")
    assert done_.returncode == 4
    assert json.loads(done_.stderr)["error"]["code"] == "address-in-use"
    assert list((Path(os.environ["XDG_RUNTIME_DIR"])).rglob("*.json")) == []


def test_the_last_port_has_none_after_it() -> None:
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", 65535)):
        listener, said = dev_start.listen("127.0.0.1", 65535, [], strict=False)
        with listener:
            assert listener.getsockname()[1] != 65535
        assert "This one takes port" in said


@pytest.mark.story("20.5")
def test_the_help_names_the_level_that_is_shown_unless_another_is_asked_for(commandline: Sentient) -> None:
    said = " ".join(commandline("dev", "--help").stdout.split())
    assert f"debug, info, warning or error ({Looks().level})." in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("a.py", "--agent", "b.py"), 2, "named twice"),
        (("--host", "::"), 4, "nothing protects"),
        (("--port", "70000"), 2, "--port"),
        (("--profile", "nowhere"), 3, "no profile"),
        (("--debugpy-port", "0"), 2, "--debugpy-port"),
    ],
)
def test_what_cannot_be_is_said(
    commandline: Sentient, arguments: tuple[str, ...], code: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done_ = commandline("dev", *arguments)
    assert (done_.returncode, done_.stdout) == (code, "")
    assert words in done_.stderr


def test_a_debugger_has_to_be_installed(commandline: Sentient, monkeypatch: pytest.MonkeyPatch) -> None:
    def finds_nothing(name: str) -> None:
        """As where it is not installed."""

    monkeypatch.setattr("importlib.util.find_spec", finds_nothing)
    done_ = commandline("dev", "--debugpy", "--json")
    assert done_.returncode == 5
    assert "uv add --dev debugpy" in json.loads(done_.stderr)["error"]["fix"]


@pytest.mark.slow
def test_a_public_address_needs_a_token_or_a_word_for_it(commandline: Sentient) -> None:
    everywhere = ("--host", "::")
    refused = commandline("dev", *everywhere, "--json")
    assert refused.returncode == 4
    assert "--insecure" in json.loads(refused.stderr)["error"]["fix"]
    with developing(*everywhere, "--insecure", "--port", "0") as (process, _, err):
        assert running(process, err, "Python").pid == process.pid
        assert ended(process) == 0


# -- chat ------------------------------------------------------------------------------------------------------------


async def answer(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(text("hello", 1, stream="s") + done(2))


def chat(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return commands.run("chat", "-m", "hi", *arguments)


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_chat_finds_the_one_of_this_project() -> None:
    project = Path("weather/deep")
    project.mkdir(parents=True)
    with threaded(answer) as server, Announcement(project.parent, "1") as announcement:
        announcement.publish(server.url, "greeter")
        with contextlib.chdir(project):
            here = chat()
        elsewhere = chat()
        named = chat("--project", str(project))
    for done_ in (here, named):
        assert done_.stdout == b"hello\n"
        assert f"greeter, served by `sentient dev` on {server.url}" in done_.stderr.decode()
    assert f"greeter, served by `sentient dev` in {project.parent.absolute()} on" in elsewhere.stderr.decode()


@pytest.mark.slow
def test_chat_with_an_address_asks_nobody_else(free_port: int) -> None:
    with Announcement(Path(), "1") as announcement:
        announcement.publish("http://127.0.0.1:1", READY.agent)
        done_ = chat(f"http://127.0.0.1:{free_port}", "--json")
    assert done_.returncode == 4
    assert str(free_port) in done_.stderr.decode()
    assert READY.agent not in done_.stderr.decode()


def test_signals_while_it_is_being_loaded_end_it() -> None:
    prelude = DAY + "import tests.cli.dev_day as d; d.day = lambda: iter([open('loading', 'w').close()][1:])\n"
    order = commands._order(["dev", "--port", "0"], Path.cwd(), os.environ, prelude)
    with Path(os.devnull).open("r+b") as nothing, Path("err").open("wb") as err:
        process = Forked(order, [nothing.fileno(), nothing.fileno(), err.fileno()])
    await_(process, Path("loading").exists)
    folder = Path(os.environ["XDG_RUNTIME_DIR"])
    assert len(list(folder.rglob("*.json"))) == 1
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert list(folder.rglob("*.json")) == []
