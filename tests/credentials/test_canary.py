"""A secret goes through everything that writes, and is found nowhere, in no form; with the redactor off it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pexpect
import pytest

from tests.cli.keys_kit import ENV, at_a_terminal, quick_store
from tests.cli.llm_command_kit import chat_answer, project
from tests.credentials.canary_kit import CANARY, REDACTOR_OFF, Sinks, command_lines, forms
from tests.dev.developing import developing
from tests.support import commands
from tests.support.llm_server import Answer, LLMServer, Received, as_json
from tests.support.served import Served, environment, start
from tests.support.wire import ask_all, fetch

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]

_AGENT = """
import json, logging, sys, warnings
from pathlib import Path
from sentient_cli import agent, llm

FORMS = json.loads(Path(__file__).with_name("forms.json").read_text())
logger = logging.getLogger("leaker")

@agent
async def leaker(session, query, response):
    await response.stream_llm("MODEL", llm.stream(query.prompt))
    async with response.stream("PIECES") as stream:
        for form in FORMS:
            for at in range(0, len(form), 5):
                await stream.write(form[at : at + 5])
            await stream.write(" ")
    for form in FORMS:
        logger.debug("at debug %s", form)
        logger.info("at info", extra={"value": form})
        print(form)
        print(form, file=sys.stderr)
        sys.stdout.write(form[:7])
        sys.stdout.write(form[7:] + "\\n")
        warnings.warn(form)
        await response.json("DATA", {"value": form, "a " + form: [form]})
    try:
        raise ValueError(FORMS)
    except ValueError:
        logger.exception("with a traceback of %s", FORMS)
    if query.prompt == "fail":
        raise RuntimeError(" ".join(FORMS))
"""
_BROKEN = """
from sentient_cli import open_credentials
with open_credentials() as credentials:
    print(credentials.get("mine").secret.reveal())
    raise RuntimeError(" ".join([credentials.get("mine").secret.reveal(), *FORMS]))
"""
_SCRIPT = """
import json, sys
from pathlib import Path
FORMS = json.loads(Path(__file__).with_name("forms.json").read_text())
raise RuntimeError(" ".join(FORMS))
"""
_CRASH = """
import json
from pathlib import Path
from sentient_cli.credentials.catalogue import Catalogue

def cards(self):
    found = json.loads(Path("forms.json").read_text())
    raise KeyError(*found)

Catalogue.cards = cards
"""
_CHILD = """
import base64, json, os, sys, time
from pathlib import Path
key = os.environ["MINE_KEY"]
for form in [key, *json.loads(Path("forms.json").read_text())]:
    for at in range(0, len(form), 4):
        sys.stdout.write(form[at : at + 4])
        sys.stdout.flush()
    sys.stdout.write("\\n")
    print("and", form, file=sys.stderr)
"""


def _provider(received: Received) -> Answer:
    """Repeats the key to whoever asks; the first word of the question says how."""
    echoed = received.headers.get("authorization", "")
    words = f"You sent {echoed} {' '.join(forms().values())}"
    if received.path.endswith("/models"):
        taken = "refuse" not in received.headers.get("x-how", "")
        return as_json({"object": "list", "data": [{"id": "small"}]}) if taken else as_json(_fault(words), 401)
    prompt = received.body.decode()
    if "refuse" in prompt:
        return as_json(_fault(words), 401, x_request_id=forms()["hex"])
    pieces = [words[at : at + 6] for at in range(0, len(words), 6)]
    return chat_answer(*pieces)


def _fault(words: str) -> dict[str, object]:
    return {"error": {"message": words, "code": CANARY, "type": words}}


class _Day:
    """Everything that somebody does in a day, in one folder.

    Args:
        folder: The project.
        server: The provider.
        prelude: Python that runs in every process of ours before.
    """

    def __init__(self, folder: Path, server: LLMServer, prelude: str) -> None:
        self.sinks = Sinks()
        self._folder, self._server, self._prelude = folder, server, prelude
        (folder / "forms.json").write_text(json.dumps(list(forms().values())))
        for name, text in (("leaker.py", _AGENT), ("script.py", _SCRIPT), ("child.py", _CHILD)):
            (folder / name).write_text(text)
        (folder / "secret").write_text(CANARY)
        for name, text in (("secret", CANARY), ("words", "several words to take along")):
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        self.own = [*folder.iterdir(), folder / ".env"]

    @property
    def environment(self) -> Mapping[str, str]:
        """That of a started server."""
        return environment(Path.home(), {**ENV, "SENTIENT_LOG_LEVEL": "debug"})

    def run(self, sink: str, *arguments: str, stdin: str = "", prelude: str = "") -> int:
        """A command, and what it wrote."""
        done = commands.run(*arguments, stdin=stdin.encode(), prelude=self._prelude + prelude)
        self.sinks.add(f"{sink}: {' '.join(arguments)[:60]}", done.stdout, done.stderr)
        return done.returncode

    def keys(self) -> None:
        """What is done with keys."""
        (self._folder / "elsewhere").mkdir()
        flags = ("--passphrase-file", "words")
        assert self.run("keys", "keys", "set", "mine", "--from-file", "secret") == 0
        assert self.run("keys", "keys", "set", "mine", CANARY) == 2
        for command in ("list", "show mine", "which mine", "test mine", "audit", "use default", "set mine --yes -v"):
            self.run("keys", "keys", *command.split(), stdin=CANARY)
            self.run("keys", "--json", "keys", *command.split(), stdin=CANARY)
        assert self.run("keys", "keys", "export", "keys.bin", *flags) == 0
        assert self.run("keys", "keys", "import", "keys.bin", "--profile", "staging", *flags) == 0
        assert self.run("keys", "keys", "sync", "--from", "staging", "--to", "production", "--yes") == 0
        assert self.run("keys", "keys", "rotate", "mine", "-vv", stdin=CANARY) == 2
        assert self.run("keys", "keys", "rotate", "mine", "--profile", "staging", stdin="another-key-012345678") == 0
        assert self.run("keys", "keys", "rotate", "mine", "--profile", "staging", "--resume", "--grace", "0") == 0
        assert self.run("keys", "keys", "rotate", "mine", "--unchecked", "-vv", stdin=f"{CANARY}-next") == 0
        assert self.run("keys", "keys", "rotate", "mine", "--abort") == 3
        assert self.run("keys", "keys", "rotate", "mine", "--unchecked", stdin=CANARY) == 2
        assert self.run("keys", "keys", "rotate", "mine", "--resume", "--grace", "0") == 0
        assert self.run("keys", "keys", "rotate", "mine", "--unchecked", "--grace", "0", stdin=CANARY) == 0
        assert self.run("keys", "keys", "allow", "mine", "models.example.com") == 0
        assert self.run("keys", "keys", "allow", "mine", f"@{CANARY}") == 2
        assert self.run("keys", "keys", "allow", "OPENAI_API_KEY", f"@{CANARY}") == 2
        assert self.run("keys", "keys", "use", "staging", "--project", "elsewhere") == 0
        assert self.run("keys", "keys", "list", "--rebuild", "-vv") == 0
        assert self.run("keys", "keys", "move", "mine", "--to", "encrypted") == 0
        assert self.run("exec", "keys", "exec", "--", sys.executable, "child.py") == 0
        assert self.run("keys", "keys", "remove", "mine", "--profile", "production", "--yes") == 0
        for command in ("tail", "verify", "export audit.jsonl", "checkpoint"):
            assert self.run("audit", "audit", *command.split()) == 0

    def at_a_terminal(self) -> None:
        """A key is typed where it is not shown, and again in the place of one."""
        for arguments in (("set", "typed"), ("rotate", "typed", "--unchecked")):
            with at_a_terminal("keys", *arguments) as (child, raw):
                child.expect_exact(b"not shown")
                child.sendline(CANARY if arguments[0] == "set" else f"{CANARY}-next")
                child.expect(pexpect.EOF)
            self.sinks.add(f"terminal: {arguments[0]}", raw.getvalue())
        with at_a_terminal("keys", "exec", "--only", "mine", "--", sys.executable, "child.py") as (child, raw):
            child.expect(pexpect.EOF)
        self.sinks.add("terminal: exec", raw.getvalue())

    def questions(self) -> None:
        """A model is asked from the command line."""
        answered = commands.run("ask", "-vv", "go", prelude=self._prelude)
        assert answered.returncode == 0
        self.sinks.add("ask", answered.stderr, "its words are the model's own")
        assert self.run("refused", "ask", "-vv", "refuse") == 3
        assert self.run("refused", "--json", "ask", "refuse") == 3
        self.run("doctor", "doctor", "-vv")
        for command in (
            "models -vv",
            "models --live",
            "usage",
            "config show --all",
            "config explain llm",
            "config history",
        ):
            self.run(command.partition(" ")[0], *command.split())

    def with_a_file_of_variables(self) -> None:
        """The secret is in ``.env``, and something breaks."""
        (self._folder / ".env").write_text(f"DB_PASSWORD='{CANARY}'\n")
        assert self.run("run", "run", "script.py") == 1
        assert self.run("crash", "-vv", "keys", "list", prelude=_CRASH) == 1
        for arguments in ((CANARY,), ("create", "x", "--template", CANARY), ("chat", f"ftp://{CANARY}", "-m", "x")):
            assert self.run("usage", *arguments) in {2, 5}
        (self._folder / ".env").unlink()

    def serve(self) -> None:
        """A server with a store on disk, asked, watched, and misused."""
        store = ("--store", "sqlite:runs.db")
        server = start(self._folder, *store, agent="leaker.py", env=self.environment, prelude=self._prelude)
        try:
            self._misuse(server)
        finally:
            server.stop()
            self.sinks.add("serve", *server.lines)

    def _misuse(self, server: Served) -> None:
        server.port = int(server.wait_line(r"\bServing .* on http://[^\s\"]+:(\d+)")[1])
        ask_all(server.address, "go")
        frames = [*ask_all(server.address, "fail"), *ask_all(server.address, "refuse")]
        failed = [frame for frame in frames if frame.event not in {"MODEL", "PIECES", "DATA"}]
        assert failed
        self.sinks.add("error answers", *(json.dumps(frame.json) for frame in failed))
        for path, method, body in (
            ("/runs", "GET", None),
            (f"/{forms()['url']}?q={forms()['url']}", "GET", None),
            ("/assist", "POST", b"{"),
        ):
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {CANARY}"}
            _, answered = fetch(server.address, path, method, headers, body)
            self.sinks.add(f"answer of {method} {path[:8]}", answered)
        chat = ("chat", f"http://127.0.0.1:{server.port}", "-m", "refuse", "-vv", "--agent-token", CANARY)
        self.run("chat", *chat)
        self.sinks.add("command lines", command_lines())

    def develop(self) -> None:
        """The same while its code is written, with code that does not load."""
        agent = (self._folder / "leaker.py").read_text()
        with developing(
            self._folder, "leaker.py", "--log-level", "debug", version=None, env=self.environment, prelude=self._prelude
        ) as dev:
            assert "answer" not in dev.ask("go")
            dev.ask("fail")
            for path in ("/_sentient/state", "/_sentient/runs"):
                self.sinks.add(f"inspection {path}", dev.get(path, token=True).text)
            self.sinks.add("inspection entries", _entries(dev.url, dev.token))
            dev.wait("broken", since=dev.write("leaker.py", f"{agent}\n{_BROKEN}"))
            self.sinks.add("command lines", command_lines())
            dev.wait("reloaded", since=dev.write("leaker.py", agent))
        self.sinks.add("dev", *map(json.dumps, dev.events))

    def files(self) -> None:
        """All that is left on disk."""
        assert self.sinks.add_files("home", Path.home())
        assert self.sinks.add_files("project", self._folder, but=self.own)


def _entries(url: str, token: str) -> str:
    """What an inspector is shown of all runs, up to the end of the second."""
    text: list[str] = []
    headers = {"authorization": f"Bearer {token}"}
    with httpx.stream("GET", f"{url}/_sentient/entries", headers=headers, timeout=60) as answer:
        for line in answer.iter_lines():
            text.append(line)
            if sum("run.finished" in each for each in text) >= 2:
                break
    return "\n".join(text)


def _day(prelude: str) -> Sinks:
    quick_store()
    with LLMServer(_provider) as server:
        project(server)
        day = _Day(Path.cwd(), server, prelude)
        day.keys()
        day.at_a_terminal()
        day.questions()
        day.with_a_file_of_variables()
        day.serve()
        day.develop()
        day.files()
    return day.sinks


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)


@pytest.mark.story("6.4", "10.1")
def test_a_secret_is_nowhere() -> None:
    sinks = _day("")
    leaks = sinks.leaks()
    assert not leaks, json.dumps(leaks, indent=1)
    assert all(sinks.sizes().values())


@pytest.mark.usefixtures("spills")
def test_without_the_redactor_it_would_be_found() -> None:
    found = {sink.partition(":")[0] for sink in _day(REDACTOR_OFF).leaks()}
    assert {"exec", "run", "crash", "serve", "dev", "refused", "home", "project"} <= found
