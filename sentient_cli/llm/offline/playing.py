"""Plays an answer as a stream: cut to the parameters, token by token at a pace, with exact usage, or with a failure."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from sentient_cli.clock import Clock
from sentient_cli.llm.offline.answering import Answer
from sentient_cli.llm.offline.faults import failure_error
from sentient_cli.llm.offline.script import Failure, Pace
from sentient_cli.llm.offline.tokens import request_tokens, split_tokens
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Chunk, FinishReason, ToolCall, ToolCallDelta, Usage

__all__ = ["Player"]

# Even without a pace, a long answer lets others run.
_YIELD_EVERY = 32


class Player:
    """Plays one answer.

    Args:
        clock: Paces it.
        request: Its parameters cut the answer; its tokens are counted.
        answer: What to play.
        pace: How fast.
    """

    def __init__(self, clock: Clock, request: Request, answer: Answer, pace: Pace) -> None:
        self._clock = clock
        self._request = request
        self._answer = answer
        self._pace = pace
        self._began = clock.now_ns()

    async def play(self) -> AsyncGenerator[Chunk, None]:
        """The chunks of the answer.

        Raises:
            ProviderError: the script says so.
        """
        pieces, finish = self._pieces()
        fail = self._answer.fail
        shown = pieces if fail is None else pieces[: fail.after]
        for place, piece in enumerate(shown):
            await self._wait(place)
            yield piece
        if fail is not None:
            await self._fail(fail, shown)
            return
        if not shown:
            await self._wait(0)
        yield Chunk(finish_reason=finish)
        usage = self._usage(len(pieces))
        if usage is not None:
            yield Chunk(usage=usage)

    def _pieces(self) -> tuple[list[Chunk], FinishReason]:
        text, stopped = _cut(self._answer.text, self._request.parameters)
        pieces = [Chunk(token) for token in split_tokens(text)]
        calls = () if stopped else self._answer.tool_calls
        for index, call in enumerate(calls):
            pieces += _call_pieces(index, call)
        limit = self._request.parameters.max_tokens
        if limit is not None and len(pieces) > limit:
            return pieces[:limit], "length"
        return pieces, self._answer.finish or ("tool_call" if calls else "stop")

    async def _wait(self, place: int) -> None:
        rate = self._pace.tokens_per_second
        due = self._pace.first_token + (place / rate if rate else 0.0)
        left = due - (self._clock.now_ns() - self._began) / 1e9 if due else 0.0
        if left > 0:
            await self._clock.sleep(left)
        elif place % _YIELD_EVERY == 0:
            await self._clock.sleep(0)

    async def _fail(self, fail: Failure, shown: list[Chunk]) -> None:
        await self._clock.sleep(fail.delay)
        if fail.kind != "truncated":
            raise failure_error(fail, "".join(piece.text for piece in shown))

    def _usage(self, output: int) -> Usage | None:
        scripted = self._answer.usage
        if scripted is False:
            return None
        real = Usage(request_tokens(self._request.messages, self._request.tools), 0, 0, output, 0)
        if scripted is True:
            return real
        given = {name: value for name, value in msgspec.structs.asdict(scripted).items() if value is not None}
        return msgspec.structs.replace(real, **given)


def _cut(text: str, parameters: Parameters) -> tuple[str, bool]:
    ends = [at for at in (text.find(stop) for stop in parameters.stop) if at >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


def _call_pieces(index: int, call: ToolCall) -> list[Chunk]:
    first = Chunk(tool_call=ToolCallDelta(index, call.id, call.name))
    rest = [Chunk(tool_call=ToolCallDelta(index, arguments=token)) for token in split_tokens(call.arguments)]
    return [first, *rest]
