"""``sentient run``: a file as it is, in a real process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compat.framework_kit import CATCHING, REMEMBERING
from tests.plugins.isolation import REPOSITORY
from tests.support import commands

EXAMPLE = REPOSITORY / "docs" / "examples" / "framework_agent.py"
SERVER = """\
import sys
from sentient_agent_framework import AbstractAgent, DefaultServer
class Echo(AbstractAgent):
    async def assist(self, session, query, response_handler):
        await response_handler.respond("ANSWER", query.prompt)
DefaultServer(Echo("Echo")).run({arguments})
print("ended", flush=True)
"""


def environment(*path: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*path, REPOSITORY]))}


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return commands.run_text("run", *arguments, environment=environment() | (env or {}))


@contextmanager
def serving(*arguments: str, anew: bool = False) -> Generator[tuple[subprocess.Popen[str], str]]:
    """A process that serves, and its URL."""
    program = ["-m", "sentient_cli"] if anew else commands.attached()
    command = [sys.executable, *program, "run", *arguments]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                found = re.search(r"http://\S+:\d+", line)
                if found:
                    yield process, found[0]
                    break
            else:
                pytest.fail("it never served")
        finally:
            ended(process)


def ask(url: str, prompt: str) -> str:
    body = json.dumps({"query": {"id": "01JS4F4Z5V0000000000000001", "prompt": prompt}})
    request = urllib.request.Request(f"{url}/assist", body.encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=150) as answer:  # noqa: S310 - loopback
        return str(answer.read().decode())


def ended(process: subprocess.Popen[str], signal_: signal.Signals = signal.SIGINT) -> int:
    process.send_signal(signal_)
    try:
        return process.wait(30)
    finally:
        process.kill()


@pytest.mark.story("F7")
def test_an_unedited_example_serves_where_the_framework_is_absent() -> None:
    with serving("--port", "0", str(EXAMPLE), anew=True) as (process, url):
        text = ask(url, "tea")
        assert "event: SEARCH" in text
        assert '"content":{"results":[{"title":"tea"' in text
        assert "event: FINAL_RESPONSE" in text
        assert text.rstrip().splitlines()[-2] == "event: done"
        assert '"id":"' in text
        assert ended(process) == 0


@pytest.mark.story("F7")
def test_the_file_says_where_it_serves_and_goes_on_after(tmp_path: Path, free_port: int) -> None:
    file = tmp_path / "serve.py"
    file.write_text(SERVER.format(arguments=f"host='127.0.0.1', port={free_port}"))
    with serving(str(file)) as (process, url):
        assert url == f"http://127.0.0.1:{free_port}"
        assert '"content":"hi"' in ask(url, "hi")
        assert ended(process) == 0
        assert process.stdout is not None
        assert process.stdout.read() == "ended\n"


@pytest.mark.story("F7")
def test_a_flag_wins_over_the_file(tmp_path: Path, free_port: int) -> None:
    file = tmp_path / "serve.py"
    file.write_text(SERVER.format(arguments="'127.0.0.1', 1"))
    with serving("--port", str(free_port), str(file)) as (_, url):
        assert url.endswith(f":{free_port}")


@pytest.mark.story("F7")
def test_a_public_address_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "serve.py"
    file.write_text(SERVER.format(arguments="'0.0.0.0', 0"))
    done = run(str(file))
    assert done.returncode == 4
    assert "nothing protects the agent" in done.stderr


@pytest.mark.story("F7")
def test_a_file_may_run_the_application_itself(tmp_path: Path, free_port: int) -> None:
    file = tmp_path / "serve.py"
    code = SERVER.replace('DefaultServer(Echo("Echo")).run({arguments})', "server = DefaultServer(Echo('Echo'))")
    ask_it = """
import asyncio, uvicorn, threading, urllib.request
config = uvicorn.Config(server._app, port=%d, lifespan="on")
async def main():
    serving = uvicorn.Server(config)
    task = asyncio.create_task(serving.serve())
    while not serving.started:
        await asyncio.sleep(0)
    print("http://127.0.0.1:%d", file=sys.stderr, flush=True)
    await task
asyncio.run(main())
"""
    file.write_text(code + ask_it % (free_port, free_port))
    with serving(str(file)) as (_, url):
        assert '"content":"hi"' in ask(url, "hi")


@pytest.mark.story("F7")
def test_the_project_can_be_imported_from(tmp_path: Path) -> None:
    (tmp_path / "sentient.toml").touch()
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "shared.py").write_text("WORD = 'shared'\n")
    (tmp_path / "scripts").mkdir()
    file = tmp_path / "scripts" / "main.py"
    file.write_text("from shared import WORD\nprint(WORD)\n")
    assert run("--project", str(tmp_path), str(file)).stdout == "shared\n"


@pytest.mark.story("F7")
def test_it_is_the_main_program_with_its_own_arguments(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("WORD = 'beside'\n")
    file = tmp_path / "main.py"
    file.write_text("import sys\nfrom beside import WORD\nprint(__name__, __file__, WORD, sys.argv)\n")
    for given in (["--port", "x", "--json", "--help", "--"], ["--", "--port", "x"]):
        done = run("-q", str(file), *given)
        assert done.stdout == f"__main__ {file} beside {[str(file), *given[given[0] == '--' :]]}\n"
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.story("F7")
def test_the_options_of_the_file_are_none_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "main.py"
    file.write_text("raise ValueError('bad')\n")
    assert "Error: " in run(str(file), "--json").stderr
    assert json.loads(run("--json", str(file)).stderr)["error"]["exit_code"] == 1
    assert run("--jsn", str(file), "--json").returncode == 2


@pytest.mark.parametrize(
    ("code", "returned", "said"),
    [
        ("raise SystemExit(7)", 7, ""),
        ("raise SystemExit", 0, ""),
        ("raise SystemExit('no more')", 1, "no more"),
        ("def f():\n    raise ValueError('bad')\nf()", 1, "ValueError: bad"),
        ("import not_there", 1, "with pip or uv"),
        ("x = (", 5, "no valid Python"),
        ("raise KeyboardInterrupt", 130, "Interrupted"),
    ],
)
@pytest.mark.story("F7")
def test_how_it_ends(code: str, returned: int, said: str, tmp_path: Path) -> None:
    file = tmp_path / "main.py"
    file.write_text(f"{code}\n")
    done = run(str(file))
    assert done.returncode == returned
    assert said in done.stderr
    assert "sentient_cli" not in done.stderr
    assert "runpy" not in done.stderr


@pytest.mark.story("F7")
def test_no_such_file(tmp_path: Path) -> None:
    (tmp_path / "agent.py").touch()
    done = run(str(tmp_path / "agnet.py"))
    assert done.returncode == 5
    assert "Did you mean agent.py?" in " ".join(done.stderr.replace("│", " ").split())
    assert run(str(tmp_path)).returncode == 5


PROBE = """
import sys
from pathlib import Path
from sentient_cli.compat import load_agent
from sentient_cli.testing import make_session, run_agent_sync
session = make_session([("hi", "hello"), ("how?", "well")], processor_id="chat")
run = run_agent_sync(load_agent(sys.argv[1], project_dir=Path()).agent, "now", session=session)
run.raise_for_outcome()
print(sys.modules["sentient_agent_framework"].__file__)
print(run.json("LINES")["lines"] if "LINES" in run.names else getattr(sys.modules["catching"], "CAUGHT"))
"""


def site_packages(reference_python: Path) -> Path:
    return next(reference_python.parent.parent.glob("lib/python*/site-packages"))


@pytest.mark.story("F7")
@pytest.mark.parametrize("flag", [["--port", "8841"], ["--host", "127.0.0.1"]])
def test_a_flag_that_the_framework_itself_would_pass_over_is_refused(tmp_path: Path, flag: list[str]) -> None:
    file = tmp_path / "main.py"
    file.write_text("import sentient_agent_framework\nprint('executed')\n")
    assert run(*flag, str(file)).stdout == "executed\n"
    (tmp_path / "sentient_agent_framework.py").touch()
    assert run(str(file)).stdout == "executed\n"
    done = run("--json", *flag, str(file))
    assert (done.returncode, done.stdout) == (2, "")
    error = json.loads(done.stderr)["error"]
    assert error["what"].startswith(f"{flag[0]} cannot be heeded")
    assert "0.0.0.0:8000" in error["why"]


@pytest.mark.slow
@pytest.mark.story("F7")
def test_where_the_framework_is_present_it_is_used(reference_python: Path, tmp_path: Path) -> None:
    code = EXAMPLE.read_text().replace("server.run()", "print(type(server).__module__)")
    file = tmp_path / "agent.py"
    file.write_text(code)
    command = [sys.executable, "-m", "sentient_cli", "run", str(file)]
    site = site_packages(reference_python)
    done = subprocess.run(command, env=environment(site), capture_output=True, text=True, timeout=150, check=False)
    assert done.stdout == "sentient_agent_framework.implementation.default_server\n", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["catching", "remembering"])
def test_its_own_agents_run_with_its_own_classes(name: str, reference_python: Path, tmp_path: Path) -> None:
    catching = CATCHING.replace("self.caught.append", "CAUGHT.append") + "\nCAUGHT = []\n"
    (tmp_path / "catching.py").write_text(catching)
    (tmp_path / "remembering.py").write_text(REMEMBERING)
    site = site_packages(reference_python)
    command = [sys.executable, "-c", PROBE, f"{name}.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(site), capture_output=True, text=True, timeout=150, check=False
    )
    where, said = done.stdout.splitlines() or (done.stderr, "")
    assert where.startswith(str(site))
    if name == "catching":
        assert said == str(["no json", "stream closed", *["response closed"] * 5, "no stream"])
    else:
        assert said.startswith("['hi', 'hello', 'how?', 'well', True, True, 'chat', 'chat', 'chat', '")


ASKING = """\
import asyncio, threading
from sentient_cli import llm
ask = lambda: print(asyncio.run(llm.generate("What is 6 * 7?")).text, flush=True)
ask()
thread = threading.Thread(target=ask)
thread.start()
thread.join()
"""


def error_of(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    error: dict[str, str] = json.loads(done.stderr.splitlines()[-1])["error"]
    return error


@pytest.mark.story("F7")
@pytest.mark.parametrize("framework", [False, True])
def test_a_file_that_starts_no_server_of_ours_asks_the_model_that_is_named(tmp_path: Path, framework: bool) -> None:
    file = tmp_path / "plain.py"
    file.write_text(ASKING)
    if framework:
        (tmp_path / "sentient_agent_framework.py").touch()
    (tmp_path / "script.toml").write_text('[[rule]]\nanswer = "SCRIPTED"\n')
    assert run("--model", "offline:echo", str(file)).stdout == "What is 6 * 7?\n" * 2
    assert run("--script", str(tmp_path / "script.toml"), str(file)).stdout == "SCRIPTED\n" * 2
    Path("sentient.toml").write_text('[llm]\nmodel = "offline:echo"\n')
    assert run("-v", str(file)).stderr.count("try 1: offline:echo is asked\n") == 2
    assert run(str(file)).stdout == "What is 6 * 7?\n" * 2
    keyless = run("--json", "--model", "openai:gpt-5", str(file))
    assert (keyless.returncode, error_of(keyless)["code"]) == (3, "credential-not-found")


@pytest.mark.story("F7")
@pytest.mark.parametrize(
    ("flags", "named", "why"),
    [
        (["--model", "offline:echo"], "--model", "asks no model"),
        (["--store", "sqlite:runs.db", "--insecure"], "--insecure and --store", "starts no server of ours"),
        (["--log-level", "debug", "--host", "::1"], "--host and --log-level", "starts no server of ours"),
    ],
)
def test_a_flag_without_an_effect_is_refused(tmp_path: Path, flags: list[str], named: str, why: str) -> None:
    file = tmp_path / "plain.py"
    file.write_text("print('executed')\n")
    done = run("--json", *flags, str(file))
    assert (done.returncode, done.stdout) == (2, "executed\n")
    assert error_of(done)["what"].startswith(f"{named} had no effect on ")
    assert why in error_of(done)["why"]
    file.write_text("raise SystemExit(7)\n")
    done = run(*flags, str(file))
    assert done.returncode == 7
    assert f"Warning: {named} had no effect" in done.stderr
    if why != "asks no model":
        (tmp_path / "sentient_agent_framework.py").touch()
        done = run("--json", *flags, str(file))
        assert done.returncode == 2
        assert error_of(done)["what"].startswith(f"{named} cannot be heeded")


@pytest.mark.story("F7")
def test_what_is_wrong_with_a_model_is_said_before_the_file_is_executed(tmp_path: Path) -> None:
    file = tmp_path / "plain.py"
    file.write_text("print('executed')\n")
    for flags in (["--script", "gone.toml"], ["--model", "offline:gone"]):
        done = run(*flags, str(file))
        assert (done.returncode, done.stdout) == (3, "")


@pytest.mark.story("F7")
def test_a_server_of_ours_heeds_every_flag(tmp_path: Path, free_port: int) -> None:
    file = tmp_path / "serve.py"
    file.write_text("import logging\nlogging.basicConfig()\n" + SERVER.format(arguments=""))
    flags = ["--host", "127.0.0.1", "--port", str(free_port), "--insecure", "--log-level", "debug"]
    flags += ["--store", f"sqlite:{tmp_path}/runs.db", "--model", "offline:echo"]
    with serving(*flags, str(file)) as (process, url):
        assert '"content":"hi"' in ask(url, "hi")
        assert ended(process) == 0
    assert (tmp_path / "runs.db").is_file()
