"""An agent that shows the page everything it may meet: the first word of the question says what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from sentient_cli import Query, Response, Session, llm

PROSE = """Here is what I found about **Lisbon** in the *coming days*, with [a source](https://example.org/weather).

## Forecast

| Day | Sky | High |
|:--|:-:|--:|
| Monday | clear | 21° |
| Tuesday | clouds, then `rain` | 18° |

1. Take a jacket on Tuesday.
2. Go to Sintra on **Monday**:
   - the palace opens at 9:30
   - trains leave every 20 minutes

```python
def pack(days: int) -> list[str]:
    return ["shirt"] * days
```

> Weather is what you get.

- [x] tickets
- [ ] hotel
"""

HOSTILE = """<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">

[click](javascript:window.hacked=1) [data](data:text/html,<script>window.hacked=1</script>)
[ok](https://example.org/) <a href="https://evil.example/">raw</a> [user](https://example.org@evil.example/)

`<b>code</b>` **<i>bold</i>** \u202eevil\u202c zero\u200bwidth \x1b[31mred\x1b[0m tag\U000e0041s

| <u>a</u> | b |
|---|---|
| <img src=x onerror=window.hacked=1> | \u2066c\u2069 |

```<svg/onload=window.hacked=1>
</code></pre><script>window.hacked = 1</script>
```
"""


async def prose(response: Response, rest: str) -> None:
    await response.text_block("PLAN", "Looking up the weather, then writing it down…")
    await response.json(
        "SOURCES",
        {
            "query": "weather lisbon",
            "results": [
                {"title": "Forecast for the week", "url": "https://example.org/weather", "score": 0.93},
                {"title": "Climate of Lisbon", "url": "https://example.org/climate", "score": 0.71},
            ],
            "cached": False,
            "next": None,
        },
    )
    async with response.stream("ANSWER") as stream:
        for piece in PROSE.split(" "):
            await stream.write(piece + " ")


async def model(response: Response, rest: str) -> None:
    await response.stream_llm("ANSWER", llm.stream(rest or "hello"))


async def streams(response: Response, rest: str) -> None:
    one, two = response.stream("FIRST"), response.stream("SECOND")
    for piece in ("a", "b", "c"):
        await one.write(piece)
        await two.write(piece.upper())
    await two.complete()
    await one.write("d")
    await one.complete()


async def hostile(response: Response, rest: str) -> None:
    await response.text_block("<img src=x onerror=window.hacked=1>", HOSTILE)
    await response.json("DATA", {"<script>window.hacked=1</script>": "<img src=x onerror=window.hacked=1>\u202e\u200b"})
    await response.error("<script>window.hacked=1</script>\u202e", 418, {"why": "<b>no</b>"})


async def many(response: Response, rest: str) -> None:
    async with response.stream("ANSWER") as stream:
        for number in range(int(rest or 5000)):
            await stream.write(f"word{number} " if number % 40 else f"\n\nParagraph {number}. ")


async def blocks(response: Response, rest: str) -> None:
    for number in range(int(rest or 10_000)):
        await response.text_block("STEP", f"step {number}")


async def huge(response: Response, rest: str) -> None:
    async with response.stream("ANSWER") as stream:
        for _ in range(40):
            await stream.write("lorem ipsum " * 4000)


async def deep(response: Response, rest: str) -> None:
    value: dict[str, object] = {"end": "reached"}
    for _ in range(int(rest)):
        value = {"in": value}
    await response.json("DEEP", {"tree": value, "big": 2**53 + 1, "wide": list(range(5000))})


async def fail(response: Response, rest: str) -> None:
    await response.text_block("PLAN", "This still works.")
    await response.error("The search is down", 503, {"retry": True, "after": 30})


async def raises(response: Response, rest: str) -> None:
    raise RuntimeError("something with a password in it")


async def wait(response: Response, rest: str) -> None:
    stream = response.stream("ANSWER")
    await stream.write("Thinking about it…")
    await asyncio.sleep(600)


async def done(response: Response, rest: str) -> None:
    await response.text_block("done", "An event that is called done.")
    await response.text_block("AFTER", "And one after it.")


async def echo(response: Response, rest: str) -> None:
    await response.text_block("ANSWER", rest or "Hello!")


async def count(response: Response, rest: str, turns: int = 0) -> None:
    await response.text_block("ANSWER", f"There were {turns} turns before this one.")


_WAYS: Mapping[str, Callable[[Response, str], Awaitable[None]]] = {
    "weather": prose,
    "model": model,
    "streams": streams,
    "hostile": hostile,
    "many": many,
    "blocks": blocks,
    "huge": huge,
    "deep": deep,
    "fail": fail,
    "raise": raises,
    "wait": wait,
    "done": done,
}


class PageAgent:
    """Answers in the way that the question asks for."""

    name = "weather-guide"

    async def assist(self, session: Session, query: Query, response: Response) -> None:
        """Answer."""
        first, _, rest = query.prompt.partition(" ")
        if first == "turns":
            await count(response, rest, len(session.interactions))
            return
        await _WAYS.get(first.lower().strip(":,"), echo)(response, rest if first.lower() in _WAYS else query.prompt)
