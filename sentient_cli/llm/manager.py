"""The one façade over providers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sentient_cli.clock import Clock, Ids, SystemClock, SystemIds
from sentient_cli.errors import BadRequestError, ConfigError
from sentient_cli.llm.hooks import CallHook, Recorder
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.streaming import KEYLESS_HINT, LLMStream
from sentient_cli.llm.types import Completion, Message, Messages, ToolSpec

__all__ = ["LLMManager"]

_PROVIDER_ID = re.compile(r"[A-Za-z0-9_-]+")


class LLMManager:
    """Knows the providers and sends each call to the right one.

    A model id is ``provider:model``; a provider's id alone means its default model.

    Args:
        providers: Those known from the start.
        default_model: The model id of calls that name none; None: each call has to.
        hooks: Who is told about the calls.
        clock: What the time is.
        ids: Where the ids of calls come from.

    Example:
        >>> import asyncio
        >>> from sentient_cli.llm import LLMManager
        >>> from sentient_cli.llm.offline import OfflineProvider
        >>> manager = LLMManager([OfflineProvider()], default_model="offline")
        >>> asyncio.run(manager.generate("What is 2 + 3?")).provider
        'offline'
    """

    def __init__(
        self,
        providers: Iterable[LLMProvider] = (),
        *,
        default_model: str | None = None,
        hooks: Sequence[CallHook] = (),
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        self._providers: dict[str, LLMProvider] = {}
        self._clock = clock or SystemClock()
        self._ids = ids or SystemIds(self._clock)
        self._hooks = tuple(hooks)
        self.default_model = default_model
        for provider in providers:
            self.register(provider)

    @property
    def providers(self) -> tuple[LLMProvider, ...]:
        """Those known now, in the order of their registration."""
        return tuple(self._providers.values())

    def register(self, provider: LLMProvider) -> None:
        """Add a provider.

        Raises:
            ConfigError: its id is taken or malformed.
        """
        name = provider.provider_id
        if not _PROVIDER_ID.fullmatch(name):
            raise ConfigError(
                f"A provider cannot be called {name!r:.60}", fix="Use letters, digits, `-` and `_` for its id"
            )
        if name in self._providers:
            raise ConfigError(f"There is a provider {name!r} already", fix="Use `replace`, or another id")
        self._providers[name] = provider

    def remove(self, provider_id: str) -> LLMProvider:
        """Take a provider out and return it, open: its calls go on, and closing it is up to the caller.

        Raises:
            ConfigError: there is none with this id.
        """
        provider = self._provider(provider_id)
        del self._providers[provider_id]
        return provider

    def replace(self, provider: LLMProvider) -> LLMProvider:
        """Put a provider in the place of the one with its id, and return that one, open.

        Raises:
            ConfigError: there is none with this id.
        """
        old = self._provider(provider.provider_id)
        self._providers[provider.provider_id] = provider
        return old

    def resolve(self, model: str | None = None) -> tuple[LLMProvider, str]:
        """The provider of a model id, and the model as that provider names it.

        Raises:
            ConfigError: there is no such provider, or no model was named and there is no default.
        """
        wanted = model or self.default_model
        if not wanted:
            raise ConfigError(
                "No model is configured", fix=f"Name one as `provider:model`, or set a default. {KEYLESS_HINT}"
            )
        provider_id, _, name = wanted.partition(":")
        provider = self._provider(provider_id)
        return provider, name or provider.config.default_model

    def check_default(self) -> None:
        """Find out, before anything is asked, whether the default model is one of a known provider.

        Raises:
            ConfigError: it is not.
        """
        if not self.default_model:
            return
        try:
            self.resolve()
        except ConfigError as error:
            raise ConfigError(
                f"The model {self.default_model!r:.80} leads nowhere",
                why=f"{error.what}. {error.why}",
                fix=f"Correct `--model` or the setting `llm.model`. {KEYLESS_HINT}",
            ) from error

    def _provider(self, provider_id: str) -> LLMProvider:
        provider = self._providers.get(provider_id)
        if provider is None:
            known = ", ".join(sorted(self._providers)) or "none"
            raise ConfigError(
                f"There is no provider {provider_id!r:.60}",
                why=f"Registered: {known}",
                fix=f"Write model ids as `provider:model`, or register the provider. {KEYLESS_HINT}",
            )
        return provider

    def stream(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        parameters: Parameters | None = None,
        tools: Sequence[ToolSpec] = (),
        parent: str | None = None,
    ) -> LLMStream:
        """Ask for an answer piece by piece. The call begins when the stream is first read.

        Args:
            messages: A prompt or a conversation.
            model: A model id; the default model otherwise.
            parameters: How to answer.
            tools: What the model may ask for.
            parent: The id of the call that this one is part of.

        Raises:
            ConfigError: the model id leads nowhere.
            BadRequestError: there is no message, or two tools share a name.
        """
        provider, name = self.resolve(model)
        call = str(self._ids.ulid())
        request = Request(
            model=name,
            messages=_conversation(messages),
            parameters=parameters or Parameters(),
            tools=_distinct(tools),
            call=call,
        )
        return LLMStream(provider, request, Recorder(self._hooks, self._clock, call, parent))

    async def generate(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        parameters: Parameters | None = None,
        tools: Sequence[ToolSpec] = (),
        parent: str | None = None,
    ) -> Completion:
        """Ask for a whole answer; the arguments are those of `stream`.

        Raises:
            ConfigError: the model id leads nowhere, or the provider has no key.
            ProviderError: the call failed.
        """
        async with self.stream(messages, model=model, parameters=parameters, tools=tools, parent=parent) as answer:
            return await answer.completion()

    async def aclose(self) -> None:
        """Close all providers. End the streams first. May be called twice."""
        for provider in self.providers:
            await provider.aclose()


def _conversation(messages: Messages) -> tuple[Message, ...]:
    conversation = (Message.user(messages),) if isinstance(messages, str) else tuple(messages)
    for message in conversation:
        if not isinstance(message, Message):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BadRequestError(
                f"A message is a `Message`, not {type(message).__name__}", fix='Write `Message.user("…")`, for example'
            )
    if not conversation:
        raise BadRequestError("The conversation is empty", fix="Give at least one message")
    return conversation


def _distinct(tools: Sequence[ToolSpec]) -> tuple[ToolSpec, ...]:
    names = [tool.name for tool in tools]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise BadRequestError(f"Two tools are called {twice!r}", fix="Give each tool of a request its own name")
    return tuple(tools)
