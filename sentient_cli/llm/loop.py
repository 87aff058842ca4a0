"""Asks a model again and again: while it wants tools called, and while its answer does not fit."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

import msgspec

from sentient_cli.errors import AnswerRestartedError, BadRequestError, OutputError, ProviderError, ToolLimitError
from sentient_cli.llm.streaming import LLMStream
from sentient_cli.llm.types import Completion, Message, OutputSpec, ToolCall

__all__ = ["Asking", "ToolCaller", "ToolStream"]

C = TypeVar("C", bound=Completion)


class ToolCaller(Protocol):
    """Does what an answer asks for; a `Toolset` is one."""

    async def answer_all(self, calls: Sequence[ToolCall], *, parent: str | None = None) -> tuple[Message, ...]:
        """The results in the order of the calls."""
        ...


class Asking(Generic[C]):
    """One question, asked until there is an answer.

    Args:
        ask: Sends a conversation.
        messages: The conversation so far.
        finish: Makes the result of the last answer; an `OutputError` of its asks again.
        tools: Calls the tools; None: an answer that asks for some is the last.
        parent: The id of the call that the tools' calls are part of.
        max_steps: How often the model is asked at most, as long as it wants tools.
        retries: How often it is asked again because its answer does not fit.
        is_typed: Whether the answer has a form, and may be given by a tool.

    Raises:
        BadRequestError: ``max_steps`` is below 1, or ``retries`` below 0.
    """

    def __init__(
        self,
        ask: Callable[[tuple[Message, ...]], LLMStream],
        messages: tuple[Message, ...],
        finish: Callable[[Completion], C],
        *,
        tools: ToolCaller | None = None,
        parent: str | None = None,
        max_steps: int = 1,
        retries: int = 0,
        is_typed: bool = False,
    ) -> None:
        if type(max_steps) is not int or max_steps < 1:
            raise BadRequestError(f"'max_steps' cannot be {max_steps!r:.40}", fix="Use a whole number from 1")
        if type(retries) is not int or retries < 0:
            raise BadRequestError(f"'output_retries' cannot be {retries!r:.40}", fix="Use a whole number from 0")
        self._ask = ask
        self._messages = messages
        self._finish = finish
        self._tools = tools
        self._parent = parent
        self._max_steps = max_steps
        self._left = max_steps
        self._retries = retries
        self._is_typed = is_typed
        self._steps: tuple[Message, ...] = ()
        self._before = ""
        self._whole: Completion | None = None
        self._result: C | None = None
        self._failure: Exception | None = None
        self.metadata: Mapping[str, str | int | bool] = {}
        """What is known of the call that goes on, or was the last."""

    async def texts(self) -> AsyncGenerator[str | AnswerRestartedError, None]:
        """The text of all answers as it comes, a blank line between two; at the end there is a `result`.

        An answer that begins anew is told by the error that says so, among the texts.

        Raises:
            ProviderError: a call failed, or no answer fits.
            ToolLimitError: the model wants tools again and again.
        """
        try:
            while self._result is None:
                async with self._ask((*self._messages, *self._steps)) as stream:
                    async with aclosing(self._read(stream)) as texts:
                        async for text in texts:
                            yield text
                    answer = await stream.completion()
                    self.metadata = stream.metadata
                if answer.text:
                    self._before = f"{self._before}\n\n{answer.text}" if self._before else answer.text
                await self._take(answer)
        except Exception as error:
            self._failure = error
            raise

    async def _read(self, stream: LLMStream) -> AsyncGenerator[str | AnswerRestartedError, None]:
        between = "\n\n" if self._before else ""
        while True:
            try:
                async for text in stream:
                    self.metadata = stream.metadata
                    yield between + text
                    between = ""
            except AnswerRestartedError as error:
                # All that was read is void for whoever reads, also what came before this answer: it comes again.
                between = f"{self._before}\n\n" if self._before else ""
                error.partial_text = between + error.partial_text
                yield error
                continue
            return

    async def run(self) -> C:
        """The result, without the text on the way.

        Raises:
            ProviderError: a call failed, or no answer fits.
            ToolLimitError: the model wants tools again and again.
        """
        async for _ in self.texts():
            pass
        return self.result()

    def result(self) -> C:
        """The answer, with the usage and the steps of all that it took.

        Raises:
            ProviderError: what went wrong, or the stream was closed early.
        """
        if self._failure is not None:
            raise self._failure
        if self._result is None:
            raise ProviderError("The stream was closed before its end", fix="Read it to its end before closing it")
        return self._result

    async def _take(self, answer: Completion) -> None:
        self._whole = whole = self._summed(answer)
        final = self._is_typed and any(call.name == OutputSpec.FINAL_ANSWER for call in answer.tool_calls)
        if self._tools is not None and answer.tool_calls and not final:
            self._left -= 1
            if self._left <= 0:
                raise ToolLimitError(
                    f"The model asked for tools in each of {self._max_steps} answers",
                    why=f"The last ones were {', '.join(call.name for call in answer.tool_calls):.200}",
                    fix="Raise `max_steps`, or say in the descriptions of the tools what their results mean",
                )
            results = await self._tools.answer_all(answer.tool_calls, parent=self._parent)
            self._steps += (answer.message, *results)
            return
        try:
            self._result = self._finish(whole)
        except OutputError as error:
            if self._retries <= 0 or answer.finish_reason == "length" or (answer.tool_calls and not final):
                raise
            self._retries -= 1
            self._steps += (answer.message, *_asked_again(answer, error))

    def _summed(self, answer: Completion) -> Completion:
        before = self._whole
        if before is None:
            return answer
        return msgspec.structs.replace(
            answer,
            usage=before.usage + answer.usage,
            cost=None if before.cost is None or answer.cost is None else before.cost + answer.cost,
            notices=tuple(dict.fromkeys((*before.notices, *answer.notices))),
            attempts=before.attempts + answer.attempts,
            failovers=before.failovers + answer.failovers,
            steps=self._steps,
        )


def _asked_again(answer: Completion, error: OutputError) -> list[Message]:
    said = f"That does not fit. {error.why}. Answer again, with nothing but JSON that fits."
    # Of calls of other tools beside the answer nobody says anything: they were not made.
    answers = [call for call in answer.tool_calls if call.name == OutputSpec.FINAL_ANSWER]
    return [Message.tool(call, said, is_error=True) for call in answers] or [Message.user(said)]


class ToolStream:
    """The text of an answer for which tools are called on the way; `llm.stream_tools` makes one.

    Iterating gives the text of all answers, the last and those before it. It goes wherever an `LLMStream` does, into
    ``response.stream_llm`` too.

    Args:
        asking: What is asked.

    Example:
        >>> import asyncio
        >>> from sentient_cli import llm
        >>> @llm.tool
        ... def weather(city: str) -> str:
        ...     return f"It rains in {city}."
        >>> async def main() -> str:
        ...     async with llm.stream_tools("Hello", tools=[weather], model="offline:echo") as answer:
        ...         return "".join([text async for text in answer])
        >>> asyncio.run(main())
        'Hello'
    """

    def __init__(self, asking: Asking[Completion]) -> None:
        self._asking = asking
        self._texts = asking.texts()

    @property
    def metadata(self) -> Mapping[str, str | int | bool]:
        """What is known now about the call that goes on, as `LLMStream.metadata` has it."""
        return self._asking.metadata

    async def completion(self) -> Completion:
        """Read the rest and give the last answer, with the usage and the steps of all. May be asked again.

        Raises:
            ProviderError: a call failed, or the stream was closed early.
            ToolLimitError: the model wants tools again and again.
        """
        async for _ in self._texts:
            pass
        return self._asking.result()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        text = await anext(self._texts)
        if isinstance(text, AnswerRestartedError):
            raise text
        return text

    async def aclose(self) -> None:
        """End the call. May be called twice, and after the end."""
        await self._texts.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
