"""Checks a provider of your own against what the protocol `sentient_cli.llm.LLMProvider` promises.

Example:
    >>> from sentient_cli.llm import OfflineProvider
    >>> [check.name for check in provider_checks(OfflineProvider)][:3]
    ['names_itself', 'knows_its_capabilities', 'lists_its_models']
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from sentient_cli.errors import UsageError
from sentient_cli.llm.provider import LLMProvider
from sentient_cli.testing.conformance.calls import CALLS
from sentient_cli.testing.conformance.check import Check
from sentient_cli.testing.conformance.ends import ENDS, fails_with_our_errors, shows_no_secret
from sentient_cli.testing.conformance.facts import FACTS
from sentient_cli.testing.conformance.subject import Promise, Subject

__all__ = ["ProviderCheck", "provider_checks"]


@dataclass(frozen=True, slots=True)
class ProviderCheck(Check[Subject, Coroutine[None, None, None]]):
    """One promise of the protocol, to be tried on one provider; `provider_checks` makes them. Call it, or await `run`.

    Example:
        >>> from sentient_cli.llm import OfflineProvider
        >>> check = provider_checks(OfflineProvider)[0]
        >>> check.name, check.promise
        ('names_itself', 'It has one id, of letters, digits, `-` and `_`, and settings with a default model.')
        >>> check()
    """

    def __call__(self) -> None:
        """Try it on an event loop of its own.

        Raises:
            AssertionError: the promise is broken; it says how.
            UsageError: an event loop is running: `run` can be awaited there.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(self.run())
        else:
            raise UsageError("An event loop is running here", fix="Write `await check.run()` instead")

    async def run(self) -> None:
        """Try it.

        Raises:
            AssertionError: the promise is broken; it says how.
        """
        limit = asyncio.timeout(self._subject.patience)
        try:
            async with limit:
                await self._promise(self._subject)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise AssertionError(f"It takes more than {self._subject.patience:g} s. {self.promise}") from error
        except AssertionError as error:
            raise AssertionError(f"{error}. {self.promise}") from error


def provider_checks(
    make: Callable[[], LLMProvider],
    *,
    failing: Callable[[], LLMProvider] | None = None,
    prompt: str = "Count from one to twenty, in words.",
    model: str | None = None,
    at_once: int = 4,
    reports_usage: bool = True,
    repeatable: bool = False,
    secret: str = "",
    patience: float = 60.0,
) -> tuple[ProviderCheck, ...]:
    """The checks of a provider, for ``pytest.mark.parametrize``. Each makes providers of its own and closes them.

    Args:
        make: Makes a provider that works: the class, or a function.
        failing: Makes one whose every call fails, such as with a wrong key or no server; without it failures are not
            checked.
        prompt: What is asked. The longer the answer, the more is seen of a call that is ended early.
        model: The model, as the provider names it; its default model unless given.
        at_once: How many calls are made at the same time.
        reports_usage: Whether the provider always says how many tokens a call took.
        repeatable: Whether the same request always gets the same answer.
        secret: The key that the providers were made with, which nothing may show; without it that is not checked.
        patience: Seconds that a check may take.

    Example:
        >>> from sentient_cli.llm import OfflineProvider
        >>> for check in provider_checks(OfflineProvider, repeatable=True):
        ...     check()
    """
    subject = Subject(
        make=make,
        failing=failing,
        prompt=prompt,
        model=model,
        at_once=at_once,
        reports_usage=reports_usage,
        repeatable=repeatable,
        secret=secret,
        patience=patience,
    )
    needs: dict[Promise, bool] = {fails_with_our_errors: failing is not None, shows_no_secret: bool(secret)}
    promises = [promise for promise in (*FACTS, *CALLS, *ENDS) if needs.get(promise, True)]
    return tuple(ProviderCheck(promise, subject) for promise in promises)
