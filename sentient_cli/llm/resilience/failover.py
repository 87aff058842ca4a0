"""Who answers in the place of whom, before an answer has begun and after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sentient_cli.errors import (
    BadRequestError,
    CircuitOpenError,
    ContentFilterError,
    ContextLengthExceededError,
    CredentialNotFoundError,
    ModelNotFoundError,
    OutputError,
    ProviderConnectionError,
    ProviderError,
    SentientError,
)
from sentient_cli.llm.assembly import Assembly
from sentient_cli.llm.call import AfterContent, Call
from sentient_cli.llm.hooks import failure_as_json
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.resilience.breaking import Breakers
from sentient_cli.llm.resilience.opening import Opening, opened
from sentient_cli.llm.resilience.splice import Splicer, anchor_of, continuation, spliced
from sentient_cli.llm.resilience.targets import Choice, Target, adapted
from sentient_cli.llm.resilience.waste import wasted_usage
from sentient_cli.llm.tokens import size_of, written_in
from sentient_cli.llm.types import Chunk, JsonValue, Usage

__all__ = ["Failover", "FailoverPolicy"]


class FailoverPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What happens when a model fails.

    Args:
        after_content: When its answer has begun: ``continue`` asks for the rest of it, the same model first, then
            another; ``restart`` asks for all of it anew and marks where; ``fail`` raises the error.
        otherwise: What happens when an answer cannot be continued. An answer that nobody reads before it is complete
            is begun anew.
        hops: How often a begun answer is continued, and how often it is begun anew.

    Example:
        >>> FailoverPolicy(after_content="fail").hops
        2
    """

    after_content: AfterContent = "continue"
    otherwise: Literal["fail", "restart"] = "fail"
    hops: Annotated[int, Meta(ge=0, le=10)] = 2


class _Step(msgspec.Struct):
    target: Target
    request: Request
    splicer: Splicer | None = None
    restarts: bool = False


class Failover:
    """Sends a call to the first of its targets, and to others when that fails.

    Args:
        choose: Gives the targets of a call.
        lane: What is around one provider.
        breakers: Tell which targets rest.
        policy: What happens when one fails, at this moment.
        may_repeat: Takes a retry of a provider's from what there is, and says whether there was one.
    """

    __slots__ = ("_breakers", "_choose", "_lane", "_may_repeat", "_policy")

    def __init__(
        self,
        choose: Callable[[Request, Call], Choice],
        lane: Callable[[LLMProvider], Opening],
        breakers: Breakers,
        policy: Callable[[], FailoverPolicy],
        may_repeat: Callable[[str], bool],
    ) -> None:
        self._may_repeat = may_repeat
        self._choose = choose
        self._lane = lane
        self._breakers = breakers
        self._policy = policy

    async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:  # noqa: C901 - each generator more costs each chunk
        """Ask, until somebody answers.

        Raises:
            CircuitOpenError: all targets rest.
            ProviderError: the last one failed.
        """
        way = _Way(self._choose(request, call), request, call, self._policy(), self._breakers, self._may_repeat)
        step: _Step | None = way.first()
        while step is not None:
            try:
                first, source = await self._lane(step.target.provider).open(step.request, call)
                if step.splicer is not None:
                    first, source = await opened(spliced(first, source, step.splicer))
            except (ProviderError, CredentialNotFoundError) as error:
                step = way.after(error, step)
                continue
            try:
                if step.restarts:
                    yield Chunk(restarted=True)
                add = way.arrived(step, first)
                yield first
                async for chunk in source:  # microseconds count here
                    if chunk.text:
                        add(chunk.text)
                        if chunk.finish_reason is None and chunk.usage is None and chunk.tool_call is None:
                            yield chunk
                            continue
                    way.take(chunk)
                    yield chunk
                if way.lacks_usage:
                    yield Chunk(usage=way.taken(step))
            except ProviderError as error:
                step = way.after(error, step)
            except BaseException:
                way.left(step)
                raise
            else:
                return
            finally:
                await source.aclose()
        yield Chunk(finish_reason="tool_call", usage=call.used)
        call.used = None


class _Way:
    """How far a call has come, and where it goes next."""

    def __init__(
        self,
        choice: Choice,
        request: Request,
        call: Call,
        policy: FailoverPolicy,
        breakers: Breakers,
        may_repeat: Callable[[str], bool],
    ) -> None:
        self._may_repeat = may_repeat
        self._targets = choice.targets
        self._at = 0
        self._request = request
        self._call = call
        self._policy = policy
        self._breakers = breakers
        self._tools: Assembly | None = None
        self._before_tools = 0
        self._has_begun = False
        self._has_arrived = False
        """Whether the answer of this attempt has begun."""
        self._has_ended = False
        self._said: Usage | None = None
        """What the provider says that this attempt took."""
        self._size = 0
        """The bytes of this attempt that are no text."""
        self._counted = 0
        """How many texts are of attempts before this one."""
        self._said_before = False
        """Whether the reader was told the tokens of an attempt before this one."""
        self._error: SentientError | None = None
        self._failures: list[tuple[Target, SentientError]] = []
        self._continued = 0
        self._restarted = 0
        self.texts: list[str] = []
        """The text that was given on."""
        if choice.reasons or len(choice.targets) > 1:
            told: dict[str, JsonValue] = {"targets": [target.id for target in choice.targets], "policy": choice.policy}
            call.recorder.tell("llm.selection", {**told, **({"reasons": choice.reasons} if choice.reasons else {})})

    def first(self) -> _Step:
        self._enter(self._targets[0])
        return self._step()

    def take(self, chunk: Chunk) -> None:
        """See what else than text there is in a piece."""
        self._size += written_in(chunk) - size_of(chunk.text)
        if chunk.finish_reason is not None:
            self._has_ended = True
        if chunk.tool_call is not None:
            self._tools = self._tools or Assembly()
            self._tools.add(chunk)
            self._before_tools = len(self.texts)
        if chunk.usage is not None:
            self._said = chunk.usage

    @property
    def lacks_usage(self) -> bool:
        """Whether the tokens that the reader was told are those of an attempt before this one."""
        return self._said_before and self._said is None

    def taken(self, step: _Step) -> Usage:
        """What this attempt took so far."""
        size = self._size + size_of("".join(self.texts[self._counted :]))
        if step.splicer is not None:  # what it repeated is in no text
            size += step.splicer.read if step.splicer.cut is None else step.splicer.cut
        return wasted_usage(step.request, self._said, size)

    def left(self, step: _Step) -> None:
        """Nobody reads on."""
        if not self._has_ended or self._said is None:
            self._call.used = self.taken(step)

    def arrived(self, step: _Step, first: Chunk) -> Callable[[str], None]:
        """An answer, a new one, or the rest of one begins; give what takes its texts from now on."""
        self._has_begun = self._has_arrived = True
        call, splicer = self._call, step.splicer
        if step.restarts:
            call.restarts += 1
            call.recorder.tell("llm.restart", {"target": step.target.id, "void": sum(map(len, self.texts))})
            self.texts, self._tools, self._counted, self._said_before = [], None, 0, False
        elif splicer is not None:
            call.splices += 1
            self._tell_splice(step, cut=splicer.cut)
        if first.text:
            self.texts.append(first.text)
        self.take(first)
        return self.texts.append

    def after(self, error: SentientError, step: _Step) -> _Step | None:
        """Where the call goes after a failure; None: the answer ends where it broke off.

        Raises:
            SentientError: nowhere.
        """
        self._failures.append((step.target, error))
        searched = step.splicer is not None and not step.splicer.is_done and step.splicer.read > 0
        if searched or self._has_arrived:
            self._call.used = self.taken(step)
        if searched:
            self._tell_splice(step, error=failure_as_json(error))
        if self._has_begun:
            return self._resumed(error)
        if not _another_may_help(error) or self._at + 1 >= len(self._targets) or self._is_late():
            raise self._final(error)
        self._move(error)
        return self._step()

    def _tell_splice(self, step: _Step, **more: JsonValue) -> None:
        at = sum(map(len, self.texts))
        self._call.recorder.tell("llm.splice", {"target": step.target.id, "at": at, **more})

    def _resumed(self, error: SentientError) -> _Step | None:
        # The first error after content is the one that is raised in the end: its text was seen.
        first, self._error = self._error, self._error or error
        mode = self._call.options.after_content or self._policy.after_content
        if mode == "fail" or self._is_late() or not (first is not None or _same_may_help(error)):
            raise self._final(self._error)
        calls = self._tools.tool_calls if self._tools is not None else ()
        is_at_tools = calls and len(self.texts) == self._before_tools
        if is_at_tools and all(_is_whole(call.arguments) for call in calls):
            self._call.note("The answer was cut off after it had asked for tools")
            return None
        if mode == "continue":
            step = self._continuation(error)
            if step is not None:
                return step
        unread = self._call.is_whole or not (self.texts or calls)
        if mode == "restart" or unread or self._policy.otherwise == "restart":
            step = self._restart(error)
            if step is not None:
                return step
        raise self._final(self._error)

    def _continuation(self, error: SentientError) -> _Step | None:
        partial = "".join(self.texts)
        choice = self._request.parameters.tool_choice
        is_text = self._request.output is None and choice in (None, "auto", "none") and self._tools is None
        anchor = anchor_of(partial) if is_text else None
        if (
            anchor is None
            or self._continued >= self._policy.hops
            or not self._hop(error, self._continued, lambda _: True)
        ):
            return None
        self._continued += 1
        step = self._step()
        step.request = continuation(step.request, partial, anchor, self._continued)
        step.splicer = Splicer(partial, anchor)
        return step

    def _restart(self, error: SentientError) -> _Step | None:
        if self._restarted >= self._policy.hops or not self._hop(error, self._restarted, self._may_repeat):
            return None
        self._restarted += 1
        step = self._step()
        hop = self._continued + self._restarted
        call = self._request.call
        step.request = msgspec.structs.replace(step.request, call=f"{call}-{hop}" if call else "")
        step.restarts = True
        return step

    def _hop(self, error: SentientError, hops: int, may_repeat: Callable[[str], bool]) -> bool:
        # The same model first, since it writes as it did; then another, if there is one. To go on asks for what is
        # missing only, so no budget of retries bounds it; the breaker does.
        target, has_another = self._targets[self._at], self._at + 1 < len(self._targets)
        same_first = not has_another or (hops == 0 and self._admits(target))
        if same_first and may_repeat(target.provider.provider_id):
            self._enter(target)
            return True
        if has_another:
            self._move(error)
        return has_another

    def _move(self, error: SentientError) -> None:
        before = self._targets[self._at]
        self._at += 1
        target = self._targets[self._at]
        self._call.failovers += 1
        told: dict[str, JsonValue] = {"from": before.id, "to": target.id, "error": failure_as_json(error)}
        self._call.recorder.tell("llm.failover", told)
        self._enter(target)

    def _enter(self, target: Target) -> None:
        call, rest = self._call, self._targets[self._at + 1 :]
        if call.used is not None:
            call.waste(call.used)
            call.used = None
        self._said_before = self._said_before or self._said is not None
        self._said, self._size, self._counted, self._has_arrived = None, 0, len(self.texts), False
        call.provider, call.model = target.provider.provider_id, target.model
        call.degraded = target.degraded or call.degraded
        call.alternatives = sum(map(self._admits, rest)) if rest else 0
        call.is_final = False
        call.is_rescue = not (self._admits(target) or any(map(self._admits, self._targets)))

    def _admits(self, target: Target) -> bool:
        return self._breakers.admits(target.provider.provider_id, target.model)

    def _step(self) -> _Step:
        target = self._targets[self._at]
        return _Step(target, adapted(self._request, target))

    def _is_late(self) -> bool:
        deadline = self._call.deadline
        return deadline is not None and asyncio.get_running_loop().time() >= deadline

    def _final(self, error: SentientError) -> SentientError:
        failures = self._failures
        if len(failures) < 2:  # noqa: PLR2004 - what failed alone speaks for itself
            return error
        told = "\n".join(f"{target.id}: {each.what}" for target, each in failures)
        if all(isinstance(each, CircuitOpenError) for _, each in failures):
            waits = [each.retry_after for _, each in failures if isinstance(each, CircuitOpenError)]
            return CircuitOpenError(
                "Every model that could answer rests, since it failed too often",
                why=", ".join(target.id for target, _ in failures),
                fix="Wait, or add another provider to fall back on",
                detail=told,
                provider=self._call.provider,
                retry_after=min((wait for wait in waits if wait), default=None),
            )
        if isinstance(error, CircuitOpenError):
            error = next(each for _, each in reversed(failures) if not isinstance(each, CircuitOpenError))
        error.detail = f"{error.detail}\n{told}".strip()
        return error


def _another_may_help(error: SentientError) -> bool:
    if isinstance(error, ContextLengthExceededError | ModelNotFoundError):
        return True
    return not isinstance(error, BadRequestError | ContentFilterError | OutputError)


def _same_may_help(error: SentientError) -> bool:
    return isinstance(error, ProviderError) and (error.retryable or isinstance(error, ProviderConnectionError))


def _is_whole(arguments: str) -> bool:
    try:
        msgspec.json.decode(arguments, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True
