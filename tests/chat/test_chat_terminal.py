from __future__ import annotations

import asyncio
import json
import re
import threading
from pathlib import Path

import pytest

from tests.chat.terminal import OWN_SEQUENCES, chatting
from tests.client.fault_server import Exchange, closed, done, error, json_event, text, threaded
from tests.support.wire import dig

MARKDOWN = (
    "# Hello\n\nSome **bold** text with a [link](https://example.org/x) and quite some more words to wrap.\n\n"
    "- one\n- two\n\n```py\ndef f():\n    return 1\n```\n\nThe end."
)
EXPECTED = """\
  PLAN
  Thinking

  SOURCES
  {
    "results": [
      1
    ]
  }

  ANSWER
  Hello

  Some bold text with a link (https://example.org/x) and quite some more words
  to wrap.

  • one
  • two

    def f():
        return 1

  The end.

  NOTES
  beside it

  ✗ boom (503)
"""


async def an_answer(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(text("Thinking", 1, name="PLAN") + json_event({"results": [1]}, 2))
    for index in range(0, len(MARKDOWN), 9):
        await exchange.chunk(text(MARKDOWN[index : index + 9], 10 + 2 * index, stream="s"))
        if index == 27:
            await exchange.chunk(text("beside ", 11 + 2 * index, name="NOTES", stream="n"))
    await exchange.chunk(text("it", 9000, name="NOTES", stream="n") + closed("s", 9001) + closed("n", 9002))
    await exchange.chunk(error("boom", 503, 9003) + done(9004))


@pytest.mark.slow
def test_a_conversation_on_a_terminal() -> None:
    with threaded(an_answer) as server, chatting(server.url) as chat:
        chat.prompt()
        chat.ask("hi there")
        chat.ask("again")
        assert chat.leave() == 0
    assert chat.text().count(EXPECTED) == 2
    head = f"sentient chat · {server.url}\n/help shows the commands, Ctrl-D leaves.\n\n"
    assert chat.text().startswith(head)
    assert [dig(exchange.json(), "query", "prompt") for exchange in server.exchanges] == ["hi there", "again"]
    assert b"\x1b[1;4mHello" in chat.raw


def test_without_colours_there_are_none() -> None:
    with threaded(an_answer) as server, chatting(server.url, environment={"NO_COLOR": "1"}) as chat:
        chat.prompt()
        chat.ask("hi")
        assert chat.leave() == 0
    assert EXPECTED in chat.text()
    assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", chat.raw)


@pytest.mark.parametrize("rows", [4, pytest.param(10, marks=pytest.mark.slow)])
def test_a_long_answer_is_whole_in_the_scrollback(rows: int) -> None:
    source = "".join(f"line {number}\n" + "\n" * (number % 3) for number in range(120))
    code = "```\n" + "".join(f"code {number}\n" for number in range(60)) + "```\n"

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        whole = source + code
        for number, index in enumerate(range(0, len(whole), 23)):
            await exchange.chunk(text(whole[index : index + 23], number + 1, stream="s"))
            await asyncio.sleep(0.002)
        await exchange.chunk(done(9999))

    with threaded(handler) as server, chatting(server.url, rows=rows) as chat:
        chat.prompt()
        chat.ask("go")
        assert chat.leave() == 0
    found = re.findall(r"(?:line|code) \d+", chat.text())
    assert found == [f"line {number}" for number in range(120)] + [f"code {number}" for number in range(60)]


HOSTILE = [
    "\x1b]0;pwned\x07title",
    "\x1b[2J\x1b[Hclear",
    "\x9b2Jc1 \x9d0;pwned\x9c",
    "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
    "back\x08\x08\x08\rreturn",
    "&#27;[2J &#x9b;2J &#8;&#13;entity&#12; &#x202e;bidi",
    "<https://h/%1b%5b2J%E2%80%AE>",
    "[x](http://h/\x1b[31m) [red]markup[/red] [link=http://evil]rich[/link]",
    "\u202eevil\u2066 zero\u200bwidth \U000e0041tag",
    "`code \x1b[5m` **\x1b[7m**\n\n    \x1b[31mindented\n\n```\n\x1b[31mfence\r\n```\n",
    "| \x1b[31ma | &#27;b |\n|---|---|\n| \x07 | \x1bc |\n",
    "\x1bP0;0|payload\x1b\\dcs \x1b_apc\x1b\\ \x1b(0qqq",
]


def hostile_answer(exchange: Exchange) -> bytes:
    name = "NAME\u202e\x9b31m"
    found = [text(part, number, name=name) for number, part in enumerate(HOSTILE, 1)]
    found += [text(char, 100 + number, name="S", stream="s") for number, char in enumerate("".join(HOSTILE))]
    found += [json_event({f"k{number}\x1b]0;x\x07": part}, 5000 + number) for number, part in enumerate(HOSTILE)]
    found += [error(f"{part} failed", 500, 6000 + number) for number, part in enumerate(HOSTILE)]
    return b"".join([*found, done(7000)])


async def hostile(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(hostile_answer(exchange))


@pytest.mark.parametrize(
    "environment", [{}, *(pytest.param(each, marks=pytest.mark.slow) for each in ({"TERM": "dumb"}, {"NO_COLOR": "1"}))]
)
def test_hostile_text_does_nothing_to_the_terminal(environment: dict[str, str]) -> None:
    with threaded(hostile) as server, chatting(server.url, environment=environment) as chat:
        chat.prompt()
        chat.ask("hi")
        assert chat.leave() == 0
    rest = OWN_SEQUENCES.sub(b"", chat.raw).decode()
    assert not re.search(
        "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]", rest
    )
    # A carriage return is only ours: at the end of a line, or where a live line is drawn anew.
    assert "return" in rest
    assert not re.search("\r(?!\n|\r| |$)[a-z]*return", rest)
    assert b"\x1b]" not in chat.raw
    assert "[red]markup[/red]" in chat.text().replace("\n  ", "")
    assert not re.search(rb"\x1b\[[0-9;]*[57]m", chat.raw)
    lines = chat.lines()
    assert any("clear" in line for line in lines)
    assert lines[0].startswith("sentient chat")


class Stoppable:
    """An agent that streams until it is told to stop."""

    def __init__(self, *, run_id: str | None = "run-1") -> None:
        self.stopped = threading.Event()
        self.left = threading.Event()
        self._run_id = run_id

    async def __call__(self, exchange: Exchange) -> None:
        if exchange.path.endswith("/cancel"):
            self.stopped.set()
            await exchange.answer(202, b"{}")
            return
        await exchange.begin(self._run_id)
        await exchange.chunk(text("begun and running now", 1, stream="s"))
        if "short" in str(exchange.json()["query"]):
            await exchange.chunk(done(2))
            return
        if self._run_id is None:
            await exchange.gone()
            self.left.set()
            return
        await asyncio.to_thread(self.stopped.wait, 30)
        await exchange.chunk(error("The run was cancelled", 499, 3) + done(4))


@pytest.mark.parametrize("environment", [{}, pytest.param({"TERM": "dumb"}, marks=pytest.mark.slow)])
def test_an_interrupt_stops_the_run_and_not_the_chat(environment: dict[str, str]) -> None:
    agent = Stoppable()
    with threaded(agent) as server, chatting(server.url, environment=environment) as chat:
        chat.prompt()
        chat.child.sendline("go")
        chat.wait_for("running")
        chat.child.sendintr()
        chat.prompt()
        chat.ask("short one")
        assert chat.leave() == 0
    assert agent.stopped.is_set()
    assert server.requests() == ["POST /assist", "POST /runs/run-1/cancel", "POST /assist"]
    assert "Stopped" in chat.text()
    assert "499" not in chat.text()


def test_an_interrupt_lets_go_of_a_server_that_cannot_stop() -> None:
    agent = Stoppable(run_id=None)
    with threaded(agent) as server, chatting(server.url) as chat:
        chat.prompt()
        chat.child.sendline("go")
        chat.wait_for("running")
        chat.child.sendintr()
        chat.prompt()
        assert chat.leave() == 0
        assert agent.left.wait(30)
    shown = chat.text()
    assert 0 < shown.index("begun and running now") < shown.index("Stopped")


def test_interrupts_at_the_prompt() -> None:
    with threaded(hostile) as server, chatting(server.url) as chat:
        chat.prompt()
        chat.child.send("half a line")
        chat.wait_for("half a line")
        chat.child.sendintr()
        chat.wait_for("leaves.")
        chat.prompt()
        chat.ask("/help")
        chat.child.sendintr()
        chat.prompt()
        chat.child.sendintr()
        assert chat.exit_code() == 0
    assert server.exchanges == []


def test_what_is_typed_during_an_answer_is_there_for_the_next_prompt() -> None:
    agent = Stoppable()
    with threaded(agent) as server, chatting(server.url) as chat:
        chat.prompt()
        chat.child.sendline("go")
        chat.wait_for("running")
        chat.child.send("short typed ahead")
        chat.child.sendintr()
        chat.prompt()
        assert chat.leave() in {0, 1}
    assert "Stopped" in chat.text()


@pytest.mark.slow
def test_a_broken_connection_is_resumed_and_said() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        if exchange.method == "POST":
            await exchange.chunk(text("first ", 1, stream="s"))
            exchange.reset()
        else:
            await exchange.chunk(text("second", 2, stream="s") + closed("s", 3) + done(4))

    with threaded(handler) as server, chatting(server.url) as chat:
        chat.prompt()
        chat.ask("hi")
        assert chat.leave() == 0
    assert "  ANSWER\n  first second\n\n  The connection broke and was resumed; nothing is missing\n" in chat.text()


def test_an_error_is_shown_and_the_chat_goes_on(free_port: int) -> None:
    with chatting(f"127.0.0.1:{free_port}") as chat:
        chat.prompt()
        chat.ask("hi")
        chat.ask("hi")
        assert chat.leave() == 0
    assert chat.text().count(f"✗ There is no agent at http://127.0.0.1:{free_port}") == 2
    assert "Nothing listens there" in chat.text()
    assert "sentient dev" in chat.text()


def test_commands() -> None:
    with threaded(an_answer) as server, chatting(server.url) as chat:
        chat.prompt()
        chat.ask("one")
        chat.ask("/new")
        chat.ask("/json")
        chat.ask("two")
        chat.ask("/session")
        chat.ask("/jsn")
        chat.ask("//etc is a path")
        chat.child.sendline("/quit")
        assert chat.exit_code() == 0
    assert len({dig(exchange.json(), "session", "activity_id") for exchange in server.exchanges}) == 2
    assert dig(server.exchanges[2].json(), "query", "prompt") == "/etc is a path"
    assert '{"content_type":"atomic.json","event_name":"SOURCES"' in chat.text()
    assert "A new session." in chat.text()
    assert ", 1 turns remembered." in chat.text()
    assert "Did you mean /json?" in chat.text()


def test_history_and_completion(tmp_path: Path) -> None:
    state = tmp_path / "state"
    environment = {"XDG_STATE_HOME": str(state)}
    with threaded(an_answer) as server:
        with chatting(server.url, environment=environment) as chat:
            chat.prompt()
            chat.ask("remember sk-abcdefghijklmnopqrstuvwx")
            chat.child.send("/se\t\r")
            chat.wait_for("1 turns")
            chat.prompt()
            assert chat.leave() == 0
        with chatting(server.url, environment=environment) as chat:
            chat.prompt()
            chat.child.send("\x1b[A\x1b[A\r")
            chat.prompt()
            assert chat.leave() == 0
    kept = state / "sentient" / "chat_history"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "sk-abc" not in kept.read_text("utf-8")
    assert [json.loads(exchange.body)["query"]["prompt"][:8] for exchange in server.exchanges] == ["remember"] * 2


@pytest.mark.slow
def test_twenty_columns() -> None:
    with threaded(an_answer) as server, chatting(server.url, columns=20) as chat:
        chat.prompt()
        chat.ask("hi")
        assert chat.leave() == 0
    assert "[ANSWER]\n# Hello\n\nSome **bold** text\nwith a\n" in chat.text()
    assert "Error: boom (503)" in chat.text()


@pytest.mark.slow
def test_a_terminal_without_unicode() -> None:
    environment = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(text("- häuser 🏠", 1) + error("boom", 500, 2) + done(3))

    with threaded(handler) as server, chatting(server.url, environment=environment) as chat:
        chat.prompt()
        chat.ask("hi")
        assert chat.leave() == 0
    assert chat.raw.isascii()
    assert "  - h\\xe4user \\U0001f3e0\n\n  x boom (500)" in chat.text()


def test_a_dumb_terminal_gets_no_sequences() -> None:
    with threaded(an_answer) as server, chatting(server.url, environment={"TERM": "dumb"}) as chat:
        chat.prompt()
        chat.ask("hi")
        assert chat.leave() == 0
    assert b"\x1b" not in chat.raw
    assert "# Hello" in chat.text()
