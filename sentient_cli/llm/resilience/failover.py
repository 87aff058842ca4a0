"""Who answers in the place of whom, before an answer has begun and after."""

from __future__ import annotations

import asyncio
from asyncio import current_task
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Final, Literal

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
from sentient_cli.llm.assembly import is_whole
from sentient_cli.llm.call import AfterContent, Call
from sentient_cli.llm.checked import check_fields
from sentient_cli.llm.hooks import failure_as_json
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.resilience.breaking import Breakers
from sentient_cli.llm.resilience.opening import Opened, Opening, opened
from sentient_cli.llm.resilience.progress import Progress
from sentient_cli.llm.resilience.replay import LONGEST, Replay
from sentient_cli.llm.resilience.splice import LONGER, Splicer, anchor_of, continuation, spliced
from sentient_cli.llm.resilience.targets import Choice, Chooser, Target, adapted, has_parts
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

    def __post_init__(self) -> None:
        check_fields(self)


_MARK: Final = (Chunk(restarted=True),)


class _Step(msgspec.Struct):
    target: Target
    request: Request
    splicer: Splicer | Replay | None = None
    restarts: bool = False


class Failover:
    """Sends a call to the first of its targets, and to others when that fails.

    Args:
        choose: Puts the targets of a call in order.
        targets: Those of a call.
        lane: What is around one provider.
        breakers: Tell which targets rest.
        policy: What happens when one fails. May be replaced.
        may_repeat: Takes a retry of a provider's from what there is, and says whether there was one.
    """

    __slots__ = ("_breakers", "_choose", "_lane", "_may_repeat", "_targets", "policy")

    def __init__(
        self,
        choose: Chooser,
        targets: Callable[[Call], tuple[Target, ...]],
        lane: Callable[[LLMProvider], Opening],
        breakers: Breakers,
        policy: FailoverPolicy,
        may_repeat: Callable[[str], bool],
    ) -> None:
        self._may_repeat = may_repeat
        self._choose = choose
        self._targets = targets
        self._lane = lane
        self._breakers = breakers
        self.policy: FailoverPolicy = policy

    async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:  # noqa: C901, PLR0912, PLR0915 - each generator more costs each chunk
        """Ask, until somebody answers.

        Raises:
            CircuitOpenError: all targets rest.
            ProviderError: the last one failed.
        """
        choice = self._choose(request, call, self._targets(call))
        way = _Way(choice.targets, request, call, self.policy, self._breakers, self._may_repeat)
        step: _Step | None = way.first(choice)
        while step is not None:
            try:
                answer = await self._lane(step.target.provider).open(step.request, call)
                if step.splicer is not None:
                    answer = await _joined(answer, step.splicer)
            except (ProviderError, CredentialNotFoundError) as error:
                step = way.after(error, step)
                continue
            failure: ProviderError | None = None
            try:
                add, take, watch, is_short = *way.arrived(step, answer), answer.watch, answer.is_finished
                for chunk in (*_MARK, *answer.held) if step.restarts else answer.held:
                    yield chunk
                if not is_short and (watch is None or not watch.resume()):
                    async for chunk in answer.source:  # microseconds count here
                        if watch is not None:
                            watch.task = None
                        if chunk.text and not (chunk.finish_reason or chunk.usage or chunk.tool_call or chunk.extra):
                            add(chunk.text)
                            yield chunk
                        else:
                            take(chunk)
                            yield answer.seen(chunk)
                            if answer.is_finished:
                                break
                        if watch is not None:
                            watch.task = current_task(watch.loop)
                            if watch.expired:
                                break
                for chunk in await answer.rest():
                    take(chunk)
                    yield chunk
                answer.check()
                if way.progress.said_before and way.progress.lacks_usage:
                    yield Chunk(usage=way.taken(step))
            except BaseException as error:
                failure = way.failure(error, step, answer)
                if failure is None:
                    raise
            finally:
                if not answer.is_closed:
                    await answer.close(failure)
            if failure is None or answer.is_finished:
                return
            step = way.after(failure, step)
        yield Chunk(finish_reason="tool_call", usage=call.used)
        call.used = None


class _Way(msgspec.Struct, eq=False):
    """How far a call has come, and where it goes next."""

    targets: tuple[Target, ...]
    request: Request
    call: Call
    policy: FailoverPolicy
    breakers: Breakers
    may_repeat: Callable[[str], bool]
    at: int = 0
    has_begun: bool = False
    error: SentientError | None = None
    failures: list[tuple[Target, SentientError]] = []
    continued: int = 0
    restarted: int = 0
    is_doubtful: bool = False
    progress: Progress = msgspec.field(default_factory=Progress)

    def first(self, choice: Choice) -> _Step:
        """Where the call goes first."""
        if choice.reasons or len(choice.targets) > 1:
            told: dict[str, JsonValue] = {"targets": [target.id for target in choice.targets], "policy": choice.policy}
            more: dict[str, JsonValue] = {"reasons": choice.reasons} if choice.reasons else {}
            self.call.recorder.tell("llm.selection", {**told, **more})
        self._enter(self.targets[0])
        return self._step()

    def taken(self, step: _Step) -> Usage:
        """What this attempt took so far."""
        return self.progress.taken(step.request, step.splicer)

    def failure(self, error: BaseException, step: _Step, answer: Opened) -> ProviderError | None:
        """Why an answer broke off; None: nobody reads on."""
        if isinstance(error, ProviderError):
            return error
        failure = answer.interrupted() if isinstance(error, asyncio.CancelledError) else None
        if failure is None and not self.progress.is_counted:
            self.call.used = self.taken(step)
        return failure

    def arrived(self, step: _Step, answer: Opened) -> tuple[Callable[[str], None], Callable[[Chunk], None]]:
        """An answer, a new one, or the rest of one begins; give what takes its texts, and what takes other pieces."""
        call, splicer, progress = self.call, step.splicer, self.progress
        self.has_begun = progress.has_arrived = True
        if step.restarts:
            call.restarts += 1
            call.recorder.tell("llm.restart", {"target": step.target.id, "void": progress.written})
            progress.void()
        elif splicer is not None:
            call.splices += 1
            self._tell_splice(step, cut=splicer.cut)
        for chunk in answer.held:
            progress.take(chunk)
        return progress.texts.append, progress.take

    def after(self, error: SentientError, step: _Step) -> _Step | None:
        """Where the call goes after a failure; None: the answer ends where it broke off.

        Raises:
            SentientError: nowhere.
        """
        self.failures.append((step.target, error))
        searched = step.splicer is not None and not step.splicer.is_done and step.splicer.read > 0
        if searched or self.progress.has_arrived:
            self.call.used = self.taken(step)
        if searched:
            self.is_doubtful = self.is_doubtful or (step.splicer is not None and step.splicer.is_refused)
            self._tell_splice(step, error=failure_as_json(error))
        if self.has_begun:
            return self._resumed(error)
        if not _another_may_help(error) or self.at + 1 >= len(self.targets) or self._is_late():
            raise self._final(error)
        self._move(error)
        return self._step()

    def _tell_splice(self, step: _Step, **more: JsonValue) -> None:
        self.call.recorder.tell("llm.splice", {"target": step.target.id, "at": self.progress.written, **more})

    def _resumed(self, error: SentientError) -> _Step | None:
        # The first error after content is the one that is raised in the end: its text was seen.
        first, self.error = self.error, self.error or error
        mode = self.call.options.after_content or self.policy.after_content
        if mode == "fail" or self._is_late() or not (first is not None or _same_may_help(error)):
            raise self._final(self.error)
        calls = self.progress.tool_calls
        if self.progress.is_at_tools and all(is_whole([call.arguments]) for call in calls):
            self.call.note("The answer was cut off after it had asked for tools")
            return None
        if mode == "continue":
            step = self._continuation(error)
            if step is not None:
                return step
        unread = self.call.is_whole or not (self.progress.texts or calls)
        if mode == "restart" or unread or self.policy.otherwise == "restart":
            step = self._restart(error)
            if step is not None:
                return step
        raise self._final(self.error)

    def _continuation(self, error: SentientError) -> _Step | None:
        partial = "".join(self.progress.texts)
        choice = self.request.parameters.tool_choice
        is_text = self.request.output is None and choice in (None, "auto", "none") and not self.progress.tool_calls
        anchor = self._anchor(partial) if is_text else None
        if (
            not (is_text and (anchor or 0 < len(partial) <= LONGEST))
            or self.continued >= self.policy.hops
            or not self._hop(error, self.continued, self.may_repeat if anchor is None else lambda _: True)
        ):
            return None
        self.continued += 1
        step = self._step()
        if anchor is not None:
            step.request = continuation(step.request, partial, anchor, self.continued)
            step.splicer = Splicer(partial, anchor)
        else:
            self._ask_anew(step)
            step.splicer = Replay(partial)
        return step

    def _anchor(self, partial: str) -> str | None:
        if not self.is_doubtful:
            return anchor_of(partial)
        # The same would be in doubt again. A short text has no more to go by: it is asked for once more.
        return anchor_of(partial, LONGER) if len(partial) > LONGEST else None

    def _restart(self, error: SentientError) -> _Step | None:
        if self.restarted >= self.policy.hops or not self._hop(error, self.restarted, self.may_repeat):
            return None
        self.restarted += 1
        step = self._step()
        self._ask_anew(step)
        step.restarts = True
        return step

    def _ask_anew(self, step: _Step) -> None:
        call = self.request.call
        hop = self.continued + self.restarted
        step.request = msgspec.structs.replace(step.request, call=f"{call}-{hop}" if call else "")

    def _hop(self, error: SentientError, hops: int, may_repeat: Callable[[str], bool]) -> bool:
        # The same model first, since it writes as it did; then another, if there is one that does not rest. To go on
        # asks for what is missing only, so no budget of retries bounds it; the breaker does.
        target, others = self.targets[self.at], self.targets[self.at + 1 :]
        same_first = not others or (self._admits(target) and not (hops and any(map(self._admits, others))))
        provider = target.provider.provider_id
        if same_first and may_repeat(provider):
            told: dict[str, JsonValue] = {"provider": provider, "model": target.model, "after": 0.0}
            self.call.recorder.tell("llm.retry", {**told, "error": failure_as_json(error)})
            self._again(target)
            return True
        if others:
            self._move(error)
        return bool(others)

    def _move(self, error: SentientError) -> None:
        before = self.targets[self.at]
        self.at += 1
        target = self.targets[self.at]
        self.call.failovers += 1
        told: dict[str, JsonValue] = {"from": before.id, "to": target.id, "error": failure_as_json(error)}
        self.call.recorder.tell("llm.failover", told)
        self._again(target)

    def _again(self, target: Target) -> None:
        self.progress.begin()
        self._enter(target)

    def _enter(self, target: Target) -> None:
        call, others = self.call, len(self.targets) - 1 - self.at
        if call.used is not None:
            call.waste(call.used)
            call.used = None
        call.provider, call.model = provider, model = target.provider.provider_id, target.model
        if target.degraded:
            call.degraded = target.degraded
        call.alternatives = sum(map(self._admits, self.targets[-others:])) if others else 0
        call.is_last_left = not call.alternatives and len(self.targets) > 1
        call.is_final = False
        call.is_rescue = not self.breakers.admits(provider, model) and not any(map(self._admits, self.targets))

    def _admits(self, target: Target) -> bool:
        return self.breakers.admits(target.provider.provider_id, target.model)

    def _step(self) -> _Step:
        target, request = self.targets[self.at], self.request
        is_as_it_is = request.output is None and request.model == target.model and not has_parts(request)
        return _Step(target, request if is_as_it_is else adapted(request, target))

    def _is_late(self) -> bool:
        deadline = self.call.deadline
        return deadline is not None and asyncio.get_running_loop().time() >= deadline

    def _final(self, error: SentientError) -> SentientError:
        failures = self.failures
        if len(failures) < 2:  # noqa: PLR2004 - what failed alone speaks for itself
            return error
        told = "\n".join(dict.fromkeys(f"{target.id}: {each.what}" for target, each in failures))
        if all(isinstance(each, CircuitOpenError) for _, each in failures):
            waits = [each.retry_after for _, each in failures if isinstance(each, CircuitOpenError)]
            return CircuitOpenError(
                "Every model that could answer rests, since it failed too often",
                why=", ".join(target.id for target, _ in failures),
                fix="Wait, or add another provider to fall back on",
                detail=told,
                provider=self.call.provider,
                retry_after=min((wait for wait in waits if wait), default=None),
            )
        if isinstance(error, CircuitOpenError):
            error = next(each for _, each in reversed(failures) if not isinstance(each, CircuitOpenError))
        error.detail = f"{error.detail}\n{told}".strip()
        return error


async def _joined(answer: Opened, splicer: Splicer | Replay) -> Opened:
    chunks = answer.chunks()
    return await opened(spliced(await anext(chunks), chunks, splicer))


def _another_may_help(error: SentientError) -> bool:
    if isinstance(error, ContextLengthExceededError | ModelNotFoundError):
        return True
    return not isinstance(error, BadRequestError | ContentFilterError | OutputError)


def _same_may_help(error: SentientError) -> bool:
    return isinstance(error, ProviderError) and (error.retryable or isinstance(error, ProviderConnectionError))
