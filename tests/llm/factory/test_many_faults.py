"""Many calls while much fails at the providers: who asks gets exactly what was to be said.

The schedule is that of `bench.llm_faults`, but for silence, and for time: what is down goes by the number of the call.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter

import pytest

from sentient_cli.errors import SentientError
from sentient_cli.host.llm import ConfiguredLLM
from tests.cli.llm_command_kit import chat_answer
from tests.llm.factory.socket_kit import Waits, configured, pair, refusal
from tests.support.llm_server import Answer, LLMServer, Received

_CALLS = 300
_BURST = 20
_SHARE = 0.01
_WORDS = ["bread", "milk", "salt", "rice", "flour", "honey", "butter", "cheese", "apples", "pears", "plums", "nuts"]
_REFUSALS = {"server": (500, 502, 503, 529), "limits": (408, 429)}
_FAMILIES = ("connection", "server", "limits", "content")


def _broken(family: str, body: list[bytes], draw: random.Random) -> Answer:
    """What comes in the place of an answer."""
    cut = draw.randrange(max(2, sum(map(len, body)) - 300))
    if family == "connection":
        return draw.choice(
            [Answer(body, cut=0, how="reset"), Answer(body, cut=cut, how="close"), Answer(body, cut=cut)]
        )
    if family == "content":
        return draw.choice([Answer(b"<html>", content_type="text/html"), Answer([*body[:3], b"data: {\n\n"])])
    return refusal(draw.choice(_REFUSALS[family]))


def _pieces(number: int) -> list[str]:
    """The answer to a question, by its number."""
    draw = random.Random(number)
    return [f"{draw.choice(_WORDS)} {draw.randrange(1000)}, " for _ in range(20)]


def _text(number: int) -> str:
    return "".join(_pieces(number))


class Faulty:
    """A provider that has its faults, the same in every run.

    Args:
        down: Whether it is down for the first third of each 300 calls.
    """

    def __init__(self, *, down: bool) -> None:
        self._down = down
        self._asked: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()

    def handle(self, received: Received) -> Answer:
        messages = json.loads(received.body)["messages"]
        number = int(messages[0]["content"])
        self._asked[number] += 1
        if self._down and number % 300 < 100:
            self.faults["down"] += 1
            return refusal(503)
        pieces = _pieces(number)
        if len(messages) > 1:  # a model that does as it is told: repeats the end of what is there, and says the rest
            text = "".join(pieces)
            pieces = [text[text.index(str(messages[-1]["content"]).rpartition("\n\n")[2]) :]]
        answer = chat_answer(*pieces)
        draw = random.Random(f"{self._down} {number} {self._asked[number]}")
        for family in _FAMILIES:
            if draw.random() < _SHARE:
                self.faults[family] += 1
                return _broken(family, answer.pieces(), draw)
        return answer


async def _ask(manager: ConfiguredLLM, number: int) -> str:
    try:
        if number % 2:
            text = (await manager.generate(str(number))).text
        else:
            text = "".join([piece async for piece in manager.stream(str(number))])
    except SentientError as error:
        return f"{number} {error!r} {error.why} {error.detail} {getattr(error, 'partial_text', '')}"
    return "exact" if text == _text(number) else "WRONG"


@pytest.mark.slow
@pytest.mark.story("F4", "3.4")
async def test_nothing_of_it_is_seen() -> None:
    first, second = Faulty(down=True), Faulty(down=False)
    found: Counter[str] = Counter()
    with LLMServer(first.handle) as one, LLMServer(second.handle) as two:
        async with configured(pair(one, two, retry={}), clock=Waits()) as manager:
            for begin in range(0, _CALLS, _BURST):
                numbers = range(begin, begin + _BURST)
                found.update(await asyncio.gather(*(_ask(manager, number) for number in numbers)))
    assert found == {"exact": _CALLS}
    assert first.faults["down"] > 5
    assert len(first.faults + second.faults) >= 4
