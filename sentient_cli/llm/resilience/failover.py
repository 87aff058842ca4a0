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
from sentient_cli.llm.assembly import is_whole
from sentient_cli.llm.call import AfterContent, Call
from sentient_cli.llm.hooks import failure_as_json
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.resilience.breaking import Breakers
from sentient_cli.llm.resilience.opening import Opening, opened
from sentient_cli.llm.resilience.progress import Progress
from sentient_cli.llm.resilience.replay import LONGEST, Replay
from sentient_cli.llm.resilience.splice import Splicer, anchor_of, continuation, spliced
from sentient_cli.llm.resilience.targets import Choice, Target, adapted
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
    splicer: Splicer | Replay | None = None
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
        take = way.progress.take
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
                    take(chunk)
                    yield chunk
                if way.progress.lacks_usage:
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
        self._has_begun = False
        self._error: SentientError | None = None
        self._failures: list[tuple[Target, SentientError]] = []
        self._continued = 0
        self._restarted = 0
        self.progress: Progress = Progress()
        if choice.reasons or len(choice.targets) > 1:
            told: dict[str, JsonValue] = {"targets": [target.id for target in choice.targets], "policy": choice.policy}
            call.recorder.tell("llm.selection", {**told, **({"reasons": choice.reasons} if choice.reasons else {})})

    def first(self) -> _Step:
        self._enter(self._targets[0])
        return self._step()

    def taken(self, step: _Step) -> Usage:
        """What this attempt took so far."""
        return self.progress.taken(step.request, step.splicer)

    def left(self, step: _Step) -> None:
        """Nobody reads on."""
        if not self.progress.is_counted:
            self._call.used = self.taken(step)

    def arrived(self, step: _Step, first: Chunk) -> Callable[[str], None]:
        """An answer, a new one, or the rest of one begins; give what takes its texts from now on."""
        call, splicer, progress = self._call, step.splicer, self.progress
        self._has_begun = progress.has_arrived = True
        if step.restarts:
            call.restarts += 1
            call.recorder.tell("llm.restart", {"target": step.target.id, "void": progress.written})
            progress.void()
        elif splicer is not None:
            call.splices += 1
            self._tell_splice(step, cut=splicer.cut)
        if first.text:
            progress.texts.append(first.text)
        progress.take(first)
        return progress.texts.append

    def after(self, error: SentientError, step: _Step) -> _Step | None:
        """Where the call goes after a failure; None: the answer ends where it broke off.

        Raises:
            SentientError: nowhere.
        """
        self._failures.append((step.target, error))
        searched = step.splicer is not None and not step.splicer.is_done and step.splicer.read > 0
        if searched or self.progress.has_arrived:
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
        self._call.recorder.tell("llm.splice", {"target": step.target.id, "at": self.progress.written, **more})

    def _resumed(self, error: SentientError) -> _Step | None:
        # The first error after content is the one that is raised in the end: its text was seen.
        first, self._error = self._error, self._error or error
        mode = self._call.options.after_content or self._policy.after_content
        if mode == "fail" or self._is_late() or not (first is not None or _same_may_help(error)):
            raise self._final(self._error)
        calls = self.progress.tool_calls
        if self.progress.is_at_tools and all(is_whole([call.arguments]) for call in calls):
            self._call.note("The answer was cut off after it had asked for tools")
            return None
        if mode == "continue":
            step = self._continuation(error)
            if step is not None:
                return step
        unread = self._call.is_whole or not (self.progress.texts or calls)
        if mode == "restart" or unread or self._policy.otherwise == "restart":
            step = self._restart(error)
            if step is not None:
                return step
        raise self._final(self._error)

    def _continuation(self, error: SentientError) -> _Step | None:
        partial = "".join(self.progress.texts)
        choice = self._request.parameters.tool_choice
        is_text = self._request.output is None and choice in (None, "auto", "none") and not self.progress.tool_calls
        anchor = anchor_of(partial) if is_text else None
        if (
            not (is_text and (anchor or 0 < len(partial) <= LONGEST))
            or self._continued >= self._policy.hops
            or not self._hop(error, self._continued, self._may_repeat if anchor is None else lambda _: True)
        ):
            return None
        self._continued += 1
        step = self._step()
        if anchor is not None:
            step.request = continuation(step.request, partial, anchor, self._continued)
            step.splicer = Splicer(partial, anchor)
        else:
            self._ask_anew(step)
            step.splicer = Replay(partial)
        return step

    def _restart(self, error: SentientError) -> _Step | None:
        if self._restarted >= self._policy.hops or not self._hop(error, self._restarted, self._may_repeat):
            return None
        self._restarted += 1
        step = self._step()
        self._ask_anew(step)
        step.restarts = True
        return step

    def _ask_anew(self, step: _Step) -> None:
        call = self._request.call
        hop = self._continued + self._restarted
        step.request = msgspec.structs.replace(step.request, call=f"{call}-{hop}" if call else "")

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
        self.progress.begin()
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
