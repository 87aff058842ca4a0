"""One call of the manager's on its way through whatever is around a provider, and what happened to it so far."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Final, Literal, Protocol, TypeAlias

import msgspec
from msgspec import Meta

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.checked import check_fields
from sentient_cli.llm.hooks import Recorder
from sentient_cli.llm.provider import Request
from sentient_cli.llm.subject import NOBODY, CallSubject
from sentient_cli.llm.types import Chunk, ToolSpec, Usage

__all__ = ["AS_USUAL", "AfterContent", "Answering", "Call", "CallOptions", "Price"]

AfterContent: TypeAlias = Literal["fail", "restart", "continue"]
"""What happens when an answer breaks off that was begun: an error, a new answer, or the rest of this one."""

Price: TypeAlias = Callable[[str, str, Usage, "str | None"], "float | None"]
"""What the tokens of a provider's model cost in a service tier, in US dollars; None: that is not known."""


class CallOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What one call may have otherwise than the rest. None: as the manager has it.

    Args:
        timeout: Seconds that it may take in all, with everything that is tried.
        after_content: What happens when the answer breaks off after its beginning.
        cache: Whether an earlier answer to the same question will do, and this one is kept.
        shared: Whether calls that ask the same at the same time get one answer.
        defaults: Whether parameters that the call leaves open are as the settings, an experiment and the session have
            them; False: they are left to the provider.

    Example:
        >>> CallOptions(timeout=20, after_content="fail").cache is None
        True
    """

    timeout: Annotated[float, Meta(gt=0)] | None = None
    after_content: AfterContent | None = None
    cache: bool | None = None
    shared: bool | None = None
    defaults: bool | None = None

    def __post_init__(self) -> None:
        check_fields(self, BadRequestError, "option")


AS_USUAL = CallOptions()


_SHARED: Final = (
    *("given", "wanted", "tier", "provider", "model"),
    *("alternatives", "is_last_left", "is_final", "is_rescue", "is_whole"),
)
"""What a branch of a call begins with."""


class Call(msgspec.Struct, eq=False, repr_omit_defaults=True):
    """A call: who answers, after how many attempts, and what there is to say about it.

    Args:
        recorder: Tells the hooks.
        subject: On whose behalf it is made.
        deadline: When it has to be over, on the loop's clock; None: never.
        options: What it has otherwise than the rest.
        price: What tokens cost.
    """

    recorder: Recorder
    subject: CallSubject = NOBODY
    deadline: float | None = None
    options: CallOptions = AS_USUAL
    price: Price | None = None
    given: float | None = None
    """Seconds that it had until then at first."""
    wanted: str = ""
    """The model id that was asked for."""
    tier: str | None = None
    """The service tier that was asked for."""
    provider: str = ""
    """Who answers now, or was asked last."""
    model: str = ""
    """The model, as that provider names it."""
    tools: tuple[ToolSpec, ...] | None = None
    """What the model is offered that is asked first, where it differs from what was given."""
    attempts: int = 0
    failovers: int = 0
    restarts: int = 0
    """How often the answer began anew after it had begun."""
    splices: int = 0
    """How often the rest of the answer came from another attempt."""
    notices: list[str] = []
    """What was not asked as it was wanted."""
    degraded: str = ""
    """Why this is a lesser answer than the one that was asked for."""
    cached: bool = False
    cost: float | None = None
    """What the call cost, in US dollars, with the attempts that failed, once it is known."""
    wasted: Usage | None = None
    """The tokens of attempts that failed: they are paid for as well."""
    wasted_cost: float | None = 0.0
    """What they cost; None: that is not known."""
    spent: float = 0.0
    """What its attempts cost so far that were counted to a budget, in US dollars."""
    set_aside: float = 0.0
    """What those may cost that go on."""
    origin: Call | None = None
    """The call that this is a branch of."""
    used: Usage | None = None
    """The tokens of an attempt that ended early and that none has followed yet."""
    lost: Usage | None = None
    """The tokens of the attempt that has just failed before its answer began; they are counted as wasted already."""
    is_whole: bool = False
    """Whether nobody reads the answer before it is complete, so that it may begin anew unseen."""
    counted: str = ""
    """The provider to whose traffic it was counted last."""
    passing: set[str] = set()
    """Those of the notices that are about this call alone, and not about its answer."""
    alternatives: int = 0
    """How many other models can be asked instead of the one that is asked now."""
    is_last_left: bool = False
    """Whether there were other models to ask, which have failed or rest."""
    is_final: bool = False
    """Whether nothing comes after this attempt."""
    is_rescue: bool = False
    """Whether every model that can be asked rests, so that one is tried nevertheless."""

    def begin_attempt(self) -> int:
        """Count an attempt and give its number, from 1."""
        whole = self.origin or self
        whole.attempts += 1
        self.attempts = self.recorder.attempt = whole.attempts
        return self.attempts

    def waste(self, usage: Usage) -> None:
        """Count the tokens of an attempt that came to nothing.

        Args:
            usage: What it took, by the provider or by our estimate.
        """
        whole = self.origin or self
        whole.wasted = usage if whole.wasted is None else whole.wasted + usage
        cost = self.price(self.provider, self.model, usage, self.tier) if self.price is not None else None
        before = whole.wasted_cost
        whole.wasted_cost = None if cost is None or before is None else before + cost

    def branch(self) -> Call:
        """A second way to the same answer: its attempts and its waste count here, the rest is its own."""
        copy = Call(self.recorder, subject=self.subject, deadline=self.deadline, options=self.options, price=self.price)
        for name in _SHARED:
            setattr(copy, name, getattr(self, name))
        copy.origin = self.origin or self
        return copy

    def adopt(self, branch: Call) -> None:
        """Go on as a branch did."""
        self.provider, self.model, self.is_final = branch.provider, branch.model, branch.is_final
        self.recorder.attempt = branch.attempts
        self.notices.extend(branch.notices)
        self.passing |= branch.passing

    def note(self, notice: str, *, passing: bool = False) -> None:
        """Say something about the answer, once.

        Args:
            notice: What there is to say.
            passing: Whether it is about this call alone, so that it is not said of the same answer given again.
        """
        if notice not in self.notices:
            self.notices.append(notice)
            if passing:
                self.passing.add(notice)


class Answering(Protocol):
    """What answers a call: a provider with its retries, its breaker and all that; each is one around the next."""

    def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; closing it frees what is held.

        Raises:
            ProviderError: of the class that fits.
        """
        ...
