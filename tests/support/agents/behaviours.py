"""One agent that does whatever the first word of the prompt says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn, cast

from sentient_cli import Query, Response, SentientError, Session, agent

SECRET_TEXT = "a text that only the operator may see"
KEY = "sk-proj-" + "Ab3dEf6hIj9lMn2pQr5t" * 2

_logger = logging.getLogger("agent")
_seen: dict[str, str] = {}
_aside: list[asyncio.Task[None]] = []


async def echo(response: Response, rest: str) -> None:
    await response.text_block("ANSWER", rest)


async def everything(response: Response, rest: str) -> None:
    await response.text_block("PLAN", "First…", metadata={"step": 1, "of": 2.5, "last": False, "tags": ["a", "b"]})
    await response.json("SOURCES", {"results": [{"title": "x", "n": 1, "ok": None}]})
    one, two = response.stream("FINAL RESPONSE"), response.stream("NOTES")
    for chunk in ("Hello ", "world"):
        await one.write(chunk)
        await two.write(chunk.upper())
    await one.complete()
    await response.error("boom", 503, {"retry": True})
    await two.write("!")


async def names(response: Response, rest: str) -> None:
    stream = response.create_text_stream("FINAL_RESPONSE")
    await response.emit_text_block("PLAN", rest)
    await response.emit_json("DATA", {"a": 1})
    await (await stream.emit_chunk("a")).emit_chunk("b")
    await response.emit_error("e", 418)
    await response.complete()
    await response.complete()


async def text(response: Response, rest: str) -> None:
    await response.text_block("TEXT", "a\x85b\u2028c\u2029d\r\ne\nf\x00g\x7f\u202e<é😀>")
    await response.json("JSON", {"k\u2028": ["\x85", "\u2029"]})
    async with response.stream("STREAM") as stream:
        await stream.write("\u2028")


async def surrogates(response: Response, rest: str) -> None:
    await response.text_block("TEXT", "a\ud800b")
    await response.json("JSON", {"\udfff": "x\ud83dy"})
    await response.text_block("TEXT", "\ud83d" + "\ude00")


async def count(response: Response, rest: str) -> None:
    for number in range(int(rest)):
        await response.text_block("N", str(number))


async def flood(response: Response, rest: str) -> None:
    size = int(rest)
    while True:
        await response.text_block("FLOOD", "x" * size)


async def fail(response: Response, rest: str) -> None:
    await response.text_block("PLAN", "still fine")
    await response.stream("OPEN").write("half a sen")
    raise RuntimeError(SECRET_TEXT)


async def leave(response: Response, rest: str) -> NoReturn:
    sys.exit(SECRET_TEXT)


async def interrupt(response: Response, rest: str) -> NoReturn:
    raise KeyboardInterrupt(SECRET_TEXT)


async def cancel_self(response: Response, rest: str) -> NoReturn:
    raise asyncio.CancelledError(SECRET_TEXT)


async def aside(response: Response, rest: str) -> None:
    """Let a task of its own raise what ends a program, then answer."""

    async def raise_it() -> None:
        raise SystemExit(SECRET_TEXT) if rest == "leave" else KeyboardInterrupt(SECRET_TEXT)

    await asyncio.wait((asyncio.create_task(raise_it(), name="aside-of-the-agent"),))
    await response.text_block("ANSWER", rest)


async def callback_leaves(response: Response, rest: str) -> None:
    asyncio.get_running_loop().call_soon(sys.exit, SECRET_TEXT)
    await asyncio.sleep(0)
    await response.text_block("ANSWER", rest)


async def cancel_all(response: Response, rest: str) -> None:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0)
    await response.text_block("ANSWER", rest)


async def stop_loop(response: Response, rest: str) -> None:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)
    await response.text_block("ANSWER", rest)


async def after_end(response: Response, rest: str) -> None:
    stream = response.stream("S")
    await stream.write("x")
    await response.complete()
    tries: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("text", lambda: response.text_block("LATE", "late")),
        ("json", lambda: response.json("LATE", {})),
        ("error", lambda: response.error("late")),
        ("write", lambda: stream.write("late")),
    ]
    for name, late in tries:
        try:
            await late()
        except SentientError as error:
            _seen[name] = type(error).__name__
    await response.complete()
    _seen["complete"] = "fine"


async def after_end_raise(response: Response, rest: str) -> None:
    await response.respond("ANSWER", "x")
    await response.text_block("LATE", "late")


async def after_end_aside(response: Response, rest: str) -> None:
    ended = asyncio.Event()

    async def late() -> None:
        await ended.wait()
        with contextlib.suppress(SentientError):
            await response.text_block("LATE", "late")

    _aside.append(asyncio.create_task(late()))
    await response.respond("ANSWER", "x")
    ended.set()


async def seen(response: Response, rest: str) -> None:
    await response.json("SEEN", dict(_seen))


async def bad(response: Response, rest: str) -> None:
    """Emit what must not go on the wire, and tell how each of it was refused."""
    nested = cast("Mapping[str, str]", {"a": {"b": 1}})
    unjson = {"a": object()}
    loop: dict[str, object] = {}
    loop["loop"] = loop
    tries: dict[str, Callable[[], Awaitable[object]]] = {
        "newline": lambda: response.text_block("A\nevent: forged", "x"),
        "return": lambda: response.text_block("A\rB", "x"),
        "u2028": lambda: response.text_block("A\u2028B", "x"),
        "space": lambda: response.text_block(" A", "x"),
        "long": lambda: response.text_block("A" * 129, "x"),
        "empty": lambda: response.text_block("", "x"),
        "stream": lambda: response.stream("A\nB").write("x"),
        "object": lambda: response.json("J", unjson),
        "loop": lambda: response.json("J", loop),
        "nan": lambda: response.json("J", {"a": float("nan")}),
        "list": lambda: response.json("J", cast("Mapping[str, object]", [1])),
        "number": lambda: response.text_block("T", cast("str", 3)),
        "pairs": lambda: response.text_block("T", "x", metadata={str(n): n for n in range(17)}),
        "nested": lambda: response.text_block("T", "x", metadata=nested),
        "null": lambda: response.text_block("T", "x", metadata=cast("Mapping[str, str]", {"a": None})),
        "infinite": lambda: response.text_block("T", "x", metadata={"a": float("inf")}),
        "details": lambda: response.error("e", 500, {"a": object()}),
        "code": lambda: response.error("e", cast("int", "500")),
    }
    refused: dict[str, object] = {}
    for name, attempt in tries.items():
        try:
            await attempt()
        except SentientError as error:
            refused[name] = type(error).__name__
    await response.json("REFUSED", refused)


async def bad_end(response: Response, rest: str) -> None:
    await response.json("J", {"a": object()})


async def stubborn(response: Response, rest: str) -> None:
    await response.text_block("READY", "")
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            _logger.warning("cancelled, and not going")


async def never(response: Response, rest: str) -> None:
    await response.stream("OPEN").write("so far")
    await asyncio.Event().wait()


async def block(response: Response, rest: str) -> None:
    await response.text_block("READY", "")
    time.sleep(float(rest))  # noqa: ASYNC251 - the fault that is tested
    await response.text_block("AWAKE", "")


async def tell(response: Response, rest: str) -> None:
    _logger.warning("a warning with %s", KEY)
    sys.stdout.write(f"a print with {KEY}\n")
    warnings.warn("an old way", DeprecationWarning, stacklevel=1)
    await response.text_block("TOLD", "")


class _NoText:
    def __str__(self) -> str:
        raise RuntimeError("no text at all")


async def tell_badly(response: Response, rest: str) -> None:
    """Log what cannot be formatted, what looks like a field of the log, and where in the code that is."""
    _logger.warning("%d items", "three")
    _logger.warning("no text", extra={"thing": _NoText()})
    _logger.warning("forged", extra={"time": "1999", "level": "critical", "run_id": "another", "path": "/x"})
    _logger.warning("placed", stack_info=True)
    await response.text_block("TOLD", "")


async def whoami(response: Response, rest: str) -> None:
    await response.json("WHO", {"pid": os.getpid(), "env": os.environ.get(rest, "")})


async def puppet(response: Response, rest: str) -> None:
    """Do what a test says, line by line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(rest))

    def reply(value: object) -> None:
        writer.write(json.dumps(value).encode() + b"\n")

    try:
        reply(os.getpid())
        async for line in reader:
            words = cast("list[str]", json.loads(line))
            if words[0] == "end":
                return
            reply(await _obey(response, words))
    except asyncio.CancelledError:
        reply("cancelled")
        raise
    finally:
        writer.close()


async def _obey(response: Response, words: list[str]) -> str:
    try:
        match words:
            case ["text", name, content]:
                await response.text_block(name, content)
            case ["many", number, size]:
                for _ in range(int(number)):
                    await response.text_block("MANY", "x" * int(size))
            case ["log", message]:
                _logger.warning(message)
            case _:
                return "unknown"
    except SentientError as error:
        return type(error).__name__
    return "ok"


_BEHAVIOURS: dict[str, Callable[[Response, str], Awaitable[None]]] = {
    function.__name__: function
    for function in (
        *(echo, everything, names, text, surrogates, count, flood, fail, leave, interrupt, cancel_self, after_end),
        *(after_end_raise, after_end_aside, aside, callback_leaves, cancel_all, stop_loop),
        *(seen, bad, bad_end, stubborn, never, block, tell, tell_badly, whoami, puppet),
    )
}


@agent
async def behaviours(session: Session, query: Query, response: Response) -> None:
    """Do what the first word says."""
    word, _, rest = query.prompt.partition(" ")
    if word == "turns":
        turns = [[turn.prompt, turn.answer()] for turn in session.interactions]
        await response.json("TURNS", {"turns": turns, "processor": session.processor_id, "rest": rest})
        return
    await _BEHAVIOURS.get(word, echo)(response, rest)
