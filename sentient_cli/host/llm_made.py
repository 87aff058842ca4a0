"""What settings have made of a manager of models, so that it can be told from what an agent did to it itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec

from sentient_cli.llm.hooks import CallRecord
from sentient_cli.llm.manager import LLMManager
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.provider import LLMProvider
from sentient_cli.llm.resilience.policies import ResiliencePolicies

__all__ = ["GoingOn", "Made", "Owner", "carry_over", "made_of"]


class GoingOn:
    """A hook of a manager that knows which of its calls have not ended.

    Args:
        asked: Is told each provider and model that is asked.
    """

    def __init__(self, asked: Callable[[str, str], None]) -> None:
        self._asked = asked
        self._calls: set[str] = set()
        self._ended = asyncio.Event()

    def on_record(self, record: CallRecord) -> None:
        """Take a record."""
        if record.kind == "llm.request":
            self._calls.add(record.call)
        elif record.kind == "llm.attempt":
            self._asked(str(record.data["provider"]), str(record.data["model"]))
        elif record.kind == "llm.finished":
            self._calls.discard(record.call)
            if not self._calls:
                self._ended.set()

    async def wait(self) -> None:
        """Return once there is none."""
        while self._calls:
            self._ended.clear()
            await self._ended.wait()


class Owner:
    """Who has what was made of settings; managers may exchange it.

    Args:
        manager: The one that it was made for.
    """

    manager: LLMManager
    """Set once it is there: parts of it ask for it."""


class Made(msgspec.Struct, frozen=True):
    """How a manager was when it was made.

    Args:
        providers: Those that it had.
        policies: What is done about failures.
        groups: Models that stand in for each other.
        default_model: Whom calls go to that name no model.
        parameters: What calls get that they leave open.
    """

    providers: Mapping[str, LLMProvider]
    policies: ResiliencePolicies
    groups: Mapping[str, Sequence[str]]
    default_model: str | None
    parameters: Parameters


def made_of(manager: LLMManager) -> Made:
    """How a manager is now.

    Args:
        manager: One that was just made.
    """
    providers = {provider.provider_id: provider for provider in manager.providers}
    return Made(providers, manager.policies, manager.groups, manager.default_model, manager.parameters)


def carry_over(old: LLMManager, made: Made, new: LLMManager) -> list[str]:
    """Do to a manager what an agent has done itself to the one before it, such as in its ``setup``.

    Args:
        old: The one before.
        made: How that one was when it was made.
        new: The one that was just made of other settings.

    Returns:
        The ids of the providers that both of them have now.
    """
    there, known = made_of(new), made_of(old)
    for name in made.providers.keys() - known.providers.keys() & there.providers.keys():
        new.remove(name)
    own = [provider for name, provider in known.providers.items() if made.providers.get(name) is not provider]
    for provider in own:
        (new.replace if provider.provider_id in there.providers else new.register)(provider)
    if known.policies is not made.policies:
        new.policies = known.policies
    if known.groups is not made.groups:
        new.groups = known.groups
    if known.default_model != made.default_model:
        new.default_model = known.default_model
    if known.parameters is not made.parameters:
        new.parameters = known.parameters
    return [provider.provider_id for provider in own]
