"""The one façade over providers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar, overload

from sentient_cli.clock import Clock, Ids, SystemClock, SystemIds
from sentient_cli.errors import ConfigError, CredentialHostError, CredentialNotFoundError, CredentialStoreError
from sentient_cli.llm.call import AS_USUAL, Call, CallOptions, Price
from sentient_cli.llm.conversation import as_conversation, check_choice, check_given, distinct_tools
from sentient_cli.llm.defaults import NOTHING, current_use, in_force
from sentient_cli.llm.directory import Directory
from sentient_cli.llm.hooks import CallHook, Recorder
from sentient_cli.llm.loop import Asking
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.resilience.breaking import Breakers
from sentient_cli.llm.resilience.pipeline import Pipeline, Wrap
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.targets import Chooser, Target, adapted, first_capable
from sentient_cli.llm.streaming import KEYLESS_HINT, LLMStream
from sentient_cli.llm.subject import current_subject
from sentient_cli.llm.types import Completion, Messages, OutputSpec, ToolLike, TypedCompletion

__all__ = ["LLMManager"]

T = TypeVar("T")


class LLMManager:
    """Knows the providers and sends each call to the right one.

    A model id is ``provider:model``; a provider's id alone means its default model, and the name of a group its first.
    When a model fails, it is asked again, it rests, and others of its group take over, as the policies say.

    Args:
        providers: Those known from the start.
        default_model: The model id of calls that name none; None: each call has to.
        hooks: Who is told about the calls.
        clock: What the time is.
        ids: Where the ids of calls come from.
        policies: What is done about failures.
        groups: Models that stand in for each other, by a name of the group: model ids, the one to be asked first at
            the beginning.
        fallback: Model ids that are asked when all else failed; their answers are marked as degraded.
        choose: Puts the targets of a call in order, and leaves out those that cannot take it.
        price: What tokens cost.
        around_calls: More around each call, the innermost first.
        around_attempts: More around each attempt, the innermost first.
        parameters: What calls get that they leave open; may be replaced at any time.
        presets: Parameters by name, for `use`.

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
        policies: ResiliencePolicies | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
        fallback: Sequence[str] = (),
        choose: Chooser = first_capable,
        price: Price | None = None,
        around_calls: Sequence[Wrap] = (),
        around_attempts: Sequence[Wrap] = (),
        parameters: Parameters = NOTHING,
        presets: Mapping[str, Parameters] | None = None,
    ) -> None:
        self._directory = Directory(groups, fallback)
        self._clock = clock or SystemClock()
        self._ids = ids or SystemIds(self._clock)
        self._hooks = tuple(hooks)
        self._listeners: tuple[CallHook, ...] = ()
        self._price = price
        self._pipeline = Pipeline(
            policies or ResiliencePolicies(),
            choose,
            self._directory.targets_of,  # of what it has now: it may have another's directory when a call begins
            self._clock,
            around_calls=around_calls,
            around_attempts=around_attempts,
        )
        self.default_model = default_model
        self.parameters: Parameters = parameters
        self.presets: Mapping[str, Parameters] = presets if presets is not None else {}
        self._directory.register_all(providers)

    @property
    def policies(self) -> ResiliencePolicies:
        """What is done about failures. Others hold for the calls that follow; a breaker keeps the policy it has."""
        return self._pipeline.policies

    @policies.setter
    def policies(self, policies: ResiliencePolicies) -> None:
        self._pipeline.use(policies)

    @property
    def groups(self) -> Mapping[str, Sequence[str]]:
        """Models that stand in for each other, by a name of the group; may be replaced at any time."""
        return self._directory.groups

    @groups.setter
    def groups(self, groups: Mapping[str, Sequence[str]]) -> None:
        self._directory.groups = groups

    @property
    def breakers(self) -> Breakers:
        """Which models rest."""
        return self._pipeline.breakers

    @property
    def providers(self) -> tuple[LLMProvider, ...]:
        """Those known now, in the order of their registration."""
        return tuple(self._directory.providers.values())

    def listen(self, hook: CallHook) -> None:
        """Have somebody told about the calls that begin from now on, such as an agent in its ``setup``.

        Args:
            hook: Who is told; what it raises is logged, and harms no call.
        """
        self._listeners = (*self._listeners, hook)
        self._hooks = (*self._hooks, hook)

    def register(self, provider: LLMProvider) -> None:
        """Add a provider.

        Raises:
            ConfigError: its id is taken or malformed.
        """
        self._directory.register(provider)

    def remove(self, provider_id: str) -> LLMProvider:
        """Take a provider out and return it, open: its calls go on, and closing it is up to the caller.

        Raises:
            ConfigError: there is none with this id.
        """
        provider = self._directory.find(provider_id)
        del self._directory.providers[provider_id]
        self._pipeline.forget(provider_id)
        return provider

    def replace(self, provider: LLMProvider) -> LLMProvider:
        """Put a provider in the place of the one with its id, and return that one, open.

        Raises:
            ConfigError: there is none with this id.
        """
        old = self._directory.find(provider.provider_id)
        self._directory.providers[provider.provider_id] = provider
        self._pipeline.forget(provider.provider_id)
        return old

    def resolve(self, model: str | None = None) -> tuple[LLMProvider, str]:
        """The provider of a model id, and the model as that provider names it.

        Raises:
            ConfigError: there is no such provider, or no model was named and there is no default.
        """
        target = self._directory.target(self._wanted(model))
        return target.provider, target.model

    def _wanted(self, model: str | None) -> str:
        wanted = model or self.default_model
        if not wanted:
            raise ConfigError(
                "No model is configured", fix=f"Name one as `provider:model`, or set a default. {KEYLESS_HINT}"
            )
        return wanted

    def targets(self, model: str | None = None) -> tuple[Target, ...]:
        """Who may answer a call: the model that is named, those that stand in for it, and those to fall back on.

        Raises:
            ConfigError: the model id leads nowhere.
        """
        return self._directory.targets(self._wanted(model))

    def exchange(self, other: LLMManager) -> None:
        """Have what another manager has, from providers to policies, which gets what this one had.

        Calls that have begun go on with what they began with, so close the other one only when they have ended.
        """
        for name in ("_directory", "_pipeline", "_price", "default_model", "parameters", "presets"):
            kept: object = getattr(self, name)
            setattr(self, name, getattr(other, name))
            setattr(other, name, kept)
        added, others = self._listeners, other._listeners
        mine, theirs = self._hooks[: len(self._hooks) - len(added)], other._hooks[: len(other._hooks) - len(others)]
        self._hooks, other._hooks = (*theirs, *added), (*mine, *others)

    def check_default(self) -> None:
        """Find out, before anything is asked, whether the default model is one of a known provider that has a key.

        Raises:
            ConfigError: it is not.
            CredentialNotFoundError: the provider needs a key and has none.
            CredentialStoreError: a store that may hold its key cannot be used.
        """
        if not self.default_model:
            return
        try:
            provider, _ = self.resolve()
            _ = provider.config
        except (CredentialNotFoundError, CredentialHostError, CredentialStoreError):
            raise  # the model is right
        except ConfigError as error:
            what, why = f"The model {self.default_model!r:.80} leads nowhere", f"{error.what}. {error.why}"
            fix = f"Correct `--model` or the setting `llm.model`. {KEYLESS_HINT}"
            raise ConfigError(what, why=why, fix=fix) from error

    async def warm(self) -> None:
        """Have the provider of the default model load what it needs, so that the first call does not wait for it.

        What is wrong with it, the first call will tell.
        """
        with contextlib.suppress(Exception):  # an SDK that is broken raises whatever it likes
            provider, _ = self.resolve()
            await provider.initialize()

    def recorder(self, call: str | None = None, parent: str | None = None) -> Recorder:
        """What tells the hooks about one call, of a model or of a tool.

        Args:
            call: The id of the call; a new one otherwise.
            parent: The id of the call that this one is part of.
        """
        return Recorder(self._hooks, self._clock, call or self._ids.ulid_text(), parent)

    def stream(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        parameters: Parameters | None = None,
        tools: Iterable[ToolLike] = (),
        output: OutputSpec | None = None,
        parent: str | None = None,
        options: CallOptions | None = None,
    ) -> LLMStream:
        """Ask for an answer piece by piece. The call begins when the stream is first read.

        Args:
            messages: A prompt or a conversation.
            model: A model id or the name of a group; the default model otherwise.
            parameters: How to answer.
            tools: What the model may ask for. It is not called: `run_tools` does that.
            output: What the answer has to be like. Where the provider cannot hold a model to it, the model is given a
                tool to answer with.
            parent: The id of the call that this one is part of.
            options: What this call has otherwise than the rest.

        Raises:
            ConfigError: the model id leads nowhere.
            BadRequestError: there is no message, or two tools share a name.
        """
        pipeline, answering = self._pipeline, self._pipeline.usual
        if options is None:
            options = AS_USUAL
        else:
            answering = pipeline.answering
            check_given(options, CallOptions)
        if parameters is not None:
            check_given(parameters, Parameters)
        use = current_use.get()
        if options.defaults is not False and (use is not None or self.parameters is not NOTHING):
            parameters = in_force(self.parameters, use, parameters)
        model = model or (use.model if use is not None else None)
        wanted = model or self.default_model or self._wanted(model)
        target = self._directory.target(wanted)
        subject = current_subject.get()
        call_id = self._ids.ulid_bytes(self._clock.now_ns()).decode()
        recorder = Recorder(self._hooks, self._clock, call_id, parent)
        request = Request(
            model=target.model,
            messages=as_conversation(messages),
            parameters=parameters or NOTHING,
            tools=() if tools == () else distinct_tools(tools, output),
            output=output,
            call=recorder.call,
            session=subject.session,
            query=subject.query,
        )
        call = Call(
            recorder,
            subject=subject,
            options=options,
            price=self._price,
            wanted=wanted,
            tier=request.parameters.service_tier,
            provider=target.provider.provider_id,
            model=target.model,
        )
        if request.parameters.tool_choice is not None:
            check_choice(request.parameters.tool_choice, request.tools, output)
        if request.parameters.extra:
            call.notices.extend(self._directory.astray(request.parameters.extra))
        if output is not None:
            call.tools = adapted(request, target).tools
        return LLMStream(answering, request, call, options.timeout or pipeline.policies.deadlines.total)

    @overload
    async def generate(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        parameters: Parameters | None = None,
        tools: Iterable[ToolLike] = (),
        parent: str | None = None,
        options: CallOptions | None = None,
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
        options: CallOptions | None = None,
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
        options: CallOptions | None = None,
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
            options: What this call has otherwise than the rest.

        Raises:
            ConfigError: the model id leads nowhere, or the provider has no key.
            OutputError: no answer fits ``output``.
            ProviderError: the call failed.
        """
        offered = distinct_tools(tools)
        if output is None:
            async with self.stream(
                messages, model=model, parameters=parameters, tools=offered, parent=parent, options=options
            ) as answer:
                return await answer.completion()
        from sentient_cli.llm.output import output_reader  # noqa: PLC0415 - pydantic, on first use

        reader = output_reader(output)
        return await Asking(
            lambda conversation: self.stream(
                conversation,
                model=model,
                parameters=parameters,
                tools=offered,
                output=reader.spec,
                parent=parent,
                options=options,
            ),
            as_conversation(messages),
            reader.finish,
            retries=output_retries,
            is_typed=True,
        ).run()

    async def aclose(self) -> None:
        """Close all providers. End the streams first; who waits for a provider does so no more. May be called twice."""
        self._pipeline.closing.close()
        for provider in self.providers:
            await provider.aclose()
