"""The one façade over providers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar, overload

from sentient_cli.clock import Clock, Ids, SystemClock, SystemIds
from sentient_cli.errors import BadRequestError, ConfigError
from sentient_cli.llm.hooks import CallHook, Recorder
from sentient_cli.llm.loop import Asking
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.streaming import KEYLESS_HINT, LLMStream
from sentient_cli.llm.types import Completion, Message, Messages, OutputSpec, ToolLike, ToolSpec, TypedCompletion

__all__ = ["LLMManager", "as_conversation", "plainly"]

T = TypeVar("T")

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

    def recorder(self, call: str | None = None, parent: str | None = None) -> Recorder:
        """What tells the hooks about one call, of a model or of a tool.

        Args:
            call: The id of the call; a new one otherwise.
            parent: The id of the call that this one is part of.
        """
        return Recorder(self._hooks, self._clock, call or str(self._ids.ulid()), parent)

    def stream(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        parameters: Parameters | None = None,
        tools: Iterable[ToolLike] = (),
        output: OutputSpec | None = None,
        parent: str | None = None,
    ) -> LLMStream:
        """Ask for an answer piece by piece. The call begins when the stream is first read.

        Args:
            messages: A prompt or a conversation.
            model: A model id; the default model otherwise.
            parameters: How to answer.
            tools: What the model may ask for. It is not called: `run_tools` does that.
            output: What the answer has to be like. Where the provider cannot hold a model to it, the model is given a
                tool to answer with.
            parent: The id of the call that this one is part of.

        Raises:
            ConfigError: the model id leads nowhere.
            BadRequestError: there is no message, or two tools share a name.
        """
        provider, name = self.resolve(model)
        offered = _distinct(tools)
        if output is not None and not provider.capabilities.structured_output:
            offered, output = (*offered, output.spec), None
        recorder = self.recorder(parent=parent)
        request = Request(
            model=name,
            messages=as_conversation(messages),
            parameters=parameters or Parameters(),
            tools=offered,
            output=output,
            call=recorder.call,
        )
        return LLMStream(provider, request, recorder)

    @overload
    async def generate(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        parameters: Parameters | None = None,
        tools: Iterable[ToolLike] = (),
        parent: str | None = None,
    ) -> Completion: ...
    @overload
    async def generate(
        self,
        messages: Messages,
        *,
        output: type[T],
        output_retries: int = 1,
        model: str | None = None,
        parameters: Parameters | None = None,
        tools: Iterable[ToolLike] = (),
        parent: str | None = None,
    ) -> TypedCompletion[T]: ...
    async def generate(
        self,
        messages: Messages,
        *,
        output: type[T] | None = None,
        output_retries: int = 1,
        model: str | None = None,
        parameters: Parameters | None = None,
        tools: Iterable[ToolLike] = (),
        parent: str | None = None,
    ) -> Completion | TypedCompletion[T]:
        """Ask for a whole answer.

        Args:
            messages: A prompt or a conversation.
            output: The type that the answer shall have: a pydantic model, a dataclass, a ``TypedDict``, or what JSON
                has. The value is the ``output`` of what is returned.
            output_retries: How often the model is told what does not fit and asked again.
            model: A model id; the default model otherwise.
            parameters: How to answer.
            tools: What the model may ask for. It is not called: `run_tools` does that.
            parent: The id of the call that this one is part of.

        Raises:
            ConfigError: the model id leads nowhere, or the provider has no key.
            OutputError: no answer fits ``output``.
            ProviderError: the call failed.
        """
        offered = _distinct(tools)
        if output is None:
            async with self.stream(
                messages, model=model, parameters=parameters, tools=offered, parent=parent
            ) as answer:
                return await answer.completion()
        from sentient_cli.llm.output import output_reader  # noqa: PLC0415 - pydantic, on first use

        reader = output_reader(output)
        return await Asking(
            lambda conversation: self.stream(
                conversation, model=model, parameters=parameters, tools=offered, output=reader.spec, parent=parent
            ),
            as_conversation(messages),
            reader.finish,
            retries=output_retries,
        ).run()

    async def aclose(self) -> None:
        """Close all providers. End the streams first. May be called twice."""
        for provider in self.providers:
            await provider.aclose()


def plainly(answer: Completion) -> Completion:
    """An answer as it is: what finishes a question that asked for no type."""
    return answer


def as_conversation(messages: Messages) -> tuple[Message, ...]:
    """The messages of a prompt or a conversation.

    Raises:
        BadRequestError: there is none, or something else is among them.
    """
    conversation = (Message.user(messages),) if isinstance(messages, str) else tuple(messages)
    for message in conversation:
        if not isinstance(message, Message):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BadRequestError(
                f"A message is a `Message`, not {type(message).__name__}", fix='Write `Message.user("…")`, for example'
            )
    if not conversation:
        raise BadRequestError("The conversation is empty", fix="Give at least one message")
    return conversation


def _distinct(tools: Iterable[ToolLike]) -> tuple[ToolSpec, ...]:
    specs = tuple(tool.spec for tool in tools)
    names = [spec.name for spec in specs]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise BadRequestError(f"Two tools are called {twice!r}", fix="Give each tool of a request its own name")
    return specs
