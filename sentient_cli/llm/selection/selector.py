"""Puts the models that a call may go to in order: first who can, then who is well, then by policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sentient_cli.errors import BadRequestError, ConfigError, ContextLengthExceededError, CredentialNotFoundError
from sentient_cli.llm.call import Call
from sentient_cli.llm.models.facts import capabilities_of
from sentient_cli.llm.provider import Capabilities, Request, capabilities_for
from sentient_cli.llm.resilience.targets import Choice, Target
from sentient_cli.llm.selection.needs import Needs, lacking, needs_of
from sentient_cli.llm.selection.policies import Asked, InOrder, Policy
from sentient_cli.llm.types import JsonValue

__all__ = ["SLACK", "Selector"]

SLACK: Final = 2.0
_MOST: Final = 10_000
"""So many models are remembered."""


def _always(target: Target) -> bool:
    del target
    return True


class Selector:
    """Chooses for `LLMManager`, as its ``choose``.

    A model that cannot take a request is left out, with the reason. One that is not well comes behind those that are:
    when nobody is, it is still worth a try. Models to fall back on stay last.

    Args:
        policy: Puts those in order that can and are well.
        healthy: Whether a model is well, as its breaker has it.
        kinds: The kind of each provider that is not called like it, by its id.
        slack: By how much our estimate of tokens may be too high. Where requests are made to fit later on: without an
            end, so that a model is still chosen by what it can read, but not left out.

    Example:
        >>> from sentient_cli.llm import LLMManager, OfflineProvider
        >>> from sentient_cli.llm.selection.policies import RoundRobin
        >>> manager = LLMManager([OfflineProvider()], default_model="offline", choose=Selector(RoundRobin()))
    """

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        healthy: Callable[[Target], bool] = _always,
        kinds: Mapping[str, str] | None = None,
        slack: float = SLACK,
    ) -> None:
        self.policy: Policy = policy or InOrder()
        self.healthy: Callable[[Target], bool] = healthy
        self._kinds = dict(kinds or {})
        self._slack = slack
        self._known: dict[tuple[str, str], tuple[Capabilities, Capabilities]] = {}

    def __call__(self, request: Request, call: Call, targets: Sequence[Target]) -> Choice:
        """The models in order.

        Raises:
            ContextLengthExceededError: the request is too long for all of them.
            CredentialNotFoundError: the only ones that could have no key.
            BadRequestError: none can take the request; it says for each why.
        """
        needs = needs_of(request)
        faults: dict[str, str] = {}
        missing: list[ConfigError] = []
        able = [target for target in targets if self._can(target, needs, faults, missing)]
        if len(able) == 1 == len(targets):
            self._tell(able[0], call)
            return Choice((able[0],), self.policy.name)
        if not able and any(fault.startswith("takes ") for fault in faults.values()):
            # The number of tokens is our estimate: when nobody is left, those that it is close for are asked.
            faults, missing = {}, []
            able = [target for target in targets if self._can(target, needs, faults, missing, slack=self._slack)]
        if not able:
            raise _nobody(targets, faults, missing, needs, self._longest(targets))
        asked = Asked(request, call, needs)
        equals = [target for target in able if not target.degraded]
        lesser = [target for target in able if target.degraded]
        ranked, reasons = self.policy.rank(asked, equals) if len(equals) > 1 else (equals, {})
        if not ranked and not lesser:
            raise _nobody(targets, {target.id: "left out by the policy" for target in able}, [], needs)
        order = [*ranked, *lesser]
        unwell = [target for target in order if not self.healthy(target)]
        if unwell and len(unwell) < len(order):
            order = [*(target for target in order if target not in unwell), *unwell]
        self._tell(order[0], call)
        told = _told(faults, reasons, unwell)
        return Choice(tuple(order), self.policy.name, told if len(targets) > 1 else None)

    def _can(
        self,
        target: Target,
        needs: Needs,
        faults: dict[str, str],
        missing: list[ConfigError],
        *,
        slack: float = 1.0,
    ) -> bool:
        provider = target.provider
        try:
            offered = capabilities_for(provider, target.model)
        except ConfigError as error:
            faults[target.id] = error.what
            missing.append(error)
            return False
        fault = lacking(needs, self._capabilities(provider.provider_id, target.model, offered), slack=slack)
        if fault:
            faults[target.id] = fault
        return not fault

    def _capabilities(self, provider: str, model: str, offered: Capabilities) -> Capabilities:
        known = self._known.get((provider, model))
        if known is None or known[0] != offered:
            if len(self._known) >= _MOST:
                self._known.clear()
            made = capabilities_of(self._kinds.get(provider, provider), model, offered)
            known = self._known[provider, model] = (offered, made)
        return known[1]

    def _tell(self, first: Target, call: Call) -> None:
        known = self._known.get((first.provider.provider_id, first.model))
        if known is not None and not known[1].streaming:
            call.note(f"{first.id} gives its answers as a whole, not piece by piece")

    def _longest(self, targets: Sequence[Target]) -> int | None:
        """Tokens that the model takes that takes most, of those that were looked at."""
        found = [self._known.get((target.provider.provider_id, target.model)) for target in targets]
        return max((one[1].max_input_tokens or 0 for one in found if one is not None), default=0) or None


def _told(faults: Mapping[str, str], reasons: Mapping[str, str], unwell: Sequence[Target]) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {}
    if faults:
        told["left_out"] = dict(faults)
    if reasons:
        told["for"] = dict(reasons)
    if unwell:
        told["unwell"] = [target.id for target in unwell]
    return told


def _nobody(
    targets: Sequence[Target],
    faults: Mapping[str, str],
    missing: Sequence[ConfigError],
    needs: Needs,
    longest: int | None = None,
) -> BadRequestError | ConfigError:
    if missing and len(missing) == len(faults):
        return next((error for error in missing if isinstance(error, CredentialNotFoundError)), missing[0])
    why = "; ".join(f"{model} {fault}" for model, fault in faults.items())
    what, provider = "No model can take this request", targets[0].provider.provider_id if targets else ""
    if faults and all(fault.startswith("takes ") for fault in faults.values()):
        return ContextLengthExceededError(
            what,
            why=why,
            fix="Shorten the conversation, or add a model that takes more to `llm.fallback` or a group",
            provider=provider,
            tokens=needs.tokens + (needs.output or 0),
            limit=longest,
        )
    fix = "Name a model that can, add one to `llm.fallback` or a group, or leave that out of the request"
    return BadRequestError(what, why=why, fix=fix, provider=provider)
