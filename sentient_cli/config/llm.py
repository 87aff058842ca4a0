"""The settings of language models: which one, from whom, and what happens when it fails or costs too much."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue
from pydantic_core import SchemaError, SchemaValidator, core_schema

from sentient_cli.config.fields import (
    MIB,
    Bytes,
    Count,
    Positive,
    PositiveSeconds,
    Seconds,
    Section,
    Text,
    Unit,
    no_flag,
)
from sentient_cli.config.parameters import ParameterSettings, PresetSettings
from sentient_cli.config.pools import Profile

__all__ = [
    "BreakerSettings",
    "BudgetSettings",
    "CacheSettings",
    "ContextSettings",
    "HedgingSettings",
    "LlmSettings",
    "OutageSettings",
    "ParameterSettings",
    "PresetSettings",
    "ProviderRetrySettings",
    "ProviderSettings",
    "RetrySettings",
    "SafetySettings",
    "SharingSettings",
    "Strategy",
    "Url",
]

Strategy: TypeAlias = Literal[
    "order", "round-robin", "weighted", "latency", "least-busy", "cheapest", "complexity", "sticky"
]
"""How one model of several is chosen."""

Growth: TypeAlias = Literal["exponential", "linear", "constant"]
"""How waits grow from attempt to attempt."""
Jitter: TypeAlias = Literal["full", "none"]
"""Whether waits are random."""

_LONGEST_WORD: Final = 200


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _check_url(text: str) -> str:
    if not text.startswith(("http://", "https://")) or any(char.isspace() for char in text):
        raise ValueError("Input should be an address such as `https://example.org/v1`")
    return text


def _check_variable(text: str) -> str:
    if not text.isascii() or not text.replace("_", "").isalnum() or text[0].isdigit():
        raise ValueError("Input should be the name of an environment variable, such as `OPENAI_API_KEY`, and no key")
    return text


def _check_word(text: str) -> str:
    if not text.strip() or len(text) > _LONGEST_WORD:
        raise ValueError(f"Input should be words or phrases of 1 to {_LONGEST_WORD} characters")
    return text


def _check_pattern(text: str) -> str:
    try:
        SchemaValidator(core_schema.str_schema(pattern=text, regex_engine="rust-regex"))
    except SchemaError as error:
        why = str(error).strip().splitlines()[-1].removeprefix("error: ")
        raise ValueError(f"Input should be a regular expression without look-around: {why}") from None
    return text


Dollars = Annotated[float, BeforeValidator(no_flag), Field(ge=0, allow_inf_nan=False), Unit("US dollars")]
"""An amount in US dollars."""
Attempts = Annotated[Positive, Field(le=20)]
Share = Annotated[float, BeforeValidator(no_flag), Field(ge=0, le=1, allow_inf_nan=False)]
Url = Annotated[str, AfterValidator(_check_url)]
"""An address."""
Variables = Annotated[
    tuple[Annotated[str, Field(min_length=1), AfterValidator(_check_variable)], ...], BeforeValidator(_listed)
]
"""One variable of the environment, or several."""
Ids = Annotated[tuple[Text, ...], Field(min_length=1)]
Word = Annotated[str, AfterValidator(_check_word)]
Pattern = Annotated[str, Field(min_length=1), AfterValidator(_check_pattern)]


class ProviderRetrySettings(Section):
    """What one provider has otherwise than ``[llm.retry]``: ``[llm.providers.ID.retry]``.

    Example:
        >>> ProviderRetrySettings(attempts=1).cap is None
        True
    """

    attempts: Attempts | None = Field(default=None, description="How often it is asked, the first time included.")
    base: Seconds | None = Field(default=None, description="The longest wait before the second attempt.")
    cap: Seconds | None = Field(default=None, description="The longest wait before any attempt.")
    strategy: Growth | None = Field(default=None, description="How the wait grows.")
    jitter: Jitter | None = Field(default=None, description="Whether it is waited at random within that.")


class ProviderSettings(Section):
    """One provider: ``[llm.providers.ID]``. What is left out is as the provider has it.

    Example:
        >>> ProviderSettings(kind="openai", api_key_env="WORK_KEY").api_key_env
        ('WORK_KEY',)
    """

    kind: Text | None = Field(default=None, description="What it speaks, such as `openai`; its id unless given.")
    base_url: Url | None = Field(default=None, description="Where it is.")
    default_model: Text | None = Field(default=None, description="What its id alone stands for.")
    api_key_env: Variables = Field(default=(), description="The variable that holds its key, or several of them.")
    organization: Text | None = Field(default=None, description="On whose account, where an account has several.")
    project: Text | None = Field(default=None, description="The same, one level below.")
    headers: dict[str, str] = Field(default_factory=dict, description="More headers of each request.")
    timeout: PositiveSeconds | None = Field(default=None, description="How long it may be silent.")
    connect_timeout: PositiveSeconds | None = Field(default=None, description="How long a connection may take.")
    stall_timeout: PositiveSeconds | None = Field(
        default=None, description="How long it may send signs of life and nothing of an answer; four times `timeout`."
    )
    first_token_timeout: PositiveSeconds | None = Field(default=None, description="How long it may take to begin.")
    attempt_timeout: PositiveSeconds | None = Field(default=None, description="How long one attempt may take.")
    http2: bool | None = Field(default=None, description="Whether HTTP/2 is spoken, which needs the extra `http2`.")
    pool: Profile | None = Field(default=None, description="What the traffic is like that its connections are for.")
    max_connections: Positive | None = Field(default=None, description="How many connections there are at most.")
    max_idle: Count | None = Field(default=None, description="How many unused connections stay open.")
    keepalive: PositiveSeconds | None = Field(default=None, description="How long an unused connection stays open.")
    lifetime: PositiveSeconds | None = Field(default=None, description="How old a connection may get.")
    pool_timeout: PositiveSeconds | None = Field(default=None, description="How long a call waits for a connection.")
    warm_up: Count | None = Field(default=None, description="How many connections a server opens when it starts.")
    proxy: Url | None = Field(default=None, description="A proxy for all requests.")
    ca_file: Text | None = Field(default=None, description="Certificates to trust in the place of the system's.")
    requests_per_minute: Positive | None = Field(default=None, description="How many requests a minute are sent.")
    tokens_per_minute: Positive | None = Field(default=None, description="How many tokens a minute are sent.")
    retry: ProviderRetrySettings | None = Field(default=None, description="How often it is tried, if otherwise.")
    weight: Positive | None = Field(default=None, description="Its share of the calls, for the strategy `weighted`.")
    options: dict[str, JsonValue] = Field(default_factory=dict, description="Settings that only its kind has.")


class RetrySettings(Section):
    """How often a call is tried: ``[llm.retry]``.

    Example:
        >>> RetrySettings(attempts=5).cap
        8.0
    """

    attempts: Attempts = Field(
        default=3, description="How often a provider is asked, the first time included; at most 20."
    )
    base: Seconds = Field(default=0.5, description="The longest wait before the second attempt.")
    cap: Seconds = Field(default=8.0, description="The longest wait before any attempt.")
    strategy: Growth = Field(
        default="exponential",
        description="How the wait grows: `exponential` (it doubles), `linear` (by `base`), `constant`.",
    )
    jitter: Jitter = Field(default="full", description="`full`: it is waited at random within that; `none`: just so.")
    budget: Share = Field(default=0.1, description="The share of calls that may be repetitions.")


class BreakerSettings(Section):
    """When a provider that fails is left alone: ``[llm.breaker]``.

    Example:
        >>> BreakerSettings().failures
        5
    """

    failures: Positive = Field(default=5, description="After how many failures in a row a model is left alone.")
    seconds: PositiveSeconds = Field(default=10.0, description="How long, at first.")


class BudgetSettings(Section):
    """What may be spent, in US dollars: ``[llm.budget]``. At 50, 80 and 100 % there is a warning.

    Example:
        >>> BudgetSettings(day=5).day
        5.0
    """

    call: Dollars | None = Field(default=None, description="What one call may cost.")
    session: Dollars | None = Field(default=None, description="What the calls of one session may cost.")
    day: Dollars | None = Field(default=None, description="What the calls of one day (UTC) may cost.")
    profile: Dollars | None = Field(default=None, description="What the calls of this profile may cost, ever.")


class HedgingSettings(Section):
    """When a model is asked a second time because it is late to begin: ``[llm.hedging]``.

    Example:
        >>> HedgingSettings(enabled=True).share
        0.1
    """

    enabled: bool = Field(default=False, description="Whether it is.")
    after: PositiveSeconds | None = Field(
        default=None, description="How long it may be silent before; else what 95 of 100 answers take to begin."
    )
    share: Annotated[Share, Field(gt=0)] = Field(default=0.1, description="The share of calls that may be asked twice.")


class SharingSettings(Section):
    """Whether calls that ask the same at the same time get one answer: ``[llm.sharing]``.

    Example:
        >>> SharingSettings().enabled
        False
    """

    enabled: bool = Field(default=False, description="Whether they do, unless a call says otherwise.")


class CacheSettings(Section):
    """Answers that are kept for the same question: ``[llm.cache]``.

    Example:
        >>> CacheSettings(enabled=True).seconds
        3600.0
    """

    enabled: bool = Field(default=False, description="Whether answers are kept at all.")
    store: Literal["memory", "sqlite"] = Field(
        default="memory", description="Where: `memory`, or `sqlite`, a file that outlives the process."
    )
    seconds: PositiveSeconds = Field(default=3600.0, description="How long an answer is kept.")
    size: Bytes = Field(default=64 * MIB, description="How many bytes of answers are kept.")
    count: Positive = Field(default=10_000, description="How many answers are kept.")


class OutageSettings(Section):
    """What a call gets when every model that could answer is limited or down: ``[llm.outage]``. It is marked so.

    Example:
        >>> OutageSettings(answer="I am back in a minute.").wait
        0.0
    """

    wait: Seconds = Field(default=0.0, description="How long a call waits for one of them to come back.")
    cached: Seconds = Field(
        default=0.0, description="How old an earlier answer to the same question may be that is given then."
    )
    answer: Text | None = Field(default=None, description="An answer that is given when there is no other.")


class SafetySettings(Section):
    """What must not be asked or answered: ``[llm.safety]``.

    Example:
        >>> SafetySettings(secrets=True, words=["swordfish"]).on_finding
        'raise'
    """

    secrets: bool = Field(default=False, description="Whether secrets are looked for.")
    words: tuple[Word, ...] = Field(default=(), description="Words and phrases, in whatever case.")
    patterns: tuple[Pattern, ...] = Field(default=(), description="Regular expressions, without look-around.")
    moderation: Text | None = Field(
        default=None, description="The provider whose moderation endpoint is asked, such as `openai`."
    )
    categories: tuple[Text, ...] = Field(
        default=(), description="What counts there, such as `violence`; all unless given."
    )
    when_down: Literal["fail", "pass"] = Field(
        default="fail", description="What happens to calls while the moderation endpoint fails."
    )
    on_finding: Literal["raise", "end"] = Field(
        default="raise", description="What a finding does: `raise` is an error, `end` ends the answer before it."
    )


class ContextSettings(Section):
    """What happens to a conversation that is too long for a model: ``[llm.context]``.

    Example:
        >>> ContextSettings(fit="summarise", summary_model="openai:gpt-5-nano").reserve
        1024
    """

    fit: Literal["off", "trim", "summarise"] = Field(
        default="off", description="`trim` leaves out what is oldest, `summarise` puts a summary in its place."
    )
    tokens: Positive | None = Field(
        default=None, description="How many tokens question and answer may have; what the model can read unless given."
    )
    reserve: Positive = Field(default=1024, description="How many of them are kept for the answer.")
    count: Literal["estimate", "provider"] = Field(
        default="estimate", description="Who counts them: nobody, or the provider, which may be asked for it."
    )
    summary_model: Text | None = Field(
        default=None, description="The model that writes summaries; the one that is asked unless given."
    )
    summary_tokens: Positive = Field(default=400, description="How many tokens a summary may have.")


class LlmSettings(Section):
    """Which model an agent gets that names none, and all that concerns models.

    Example:
        >>> LlmSettings().model, LlmSettings(model="offline:echo").model
        ('offline', 'offline:echo')
    """

    model: Text = Field(default="offline", description="`provider:model`, or a provider alone for its default model.")
    fallback: tuple[Text, ...] = Field(default=(), description="The models to turn to, in order, when that one fails.")
    strategy: Strategy = Field(default="order", description="How one of these models is chosen for a call.")
    failover: Literal["fail", "restart", "continue"] = Field(
        default="continue", description="What happens when a provider fails in the middle of an answer."
    )
    preset: Text | None = Field(
        default=None,
        description="Parameters to begin with: `precise`, `balanced`, `creative`, `code`, `fast`, or your own.",
    )
    deadline: PositiveSeconds | None = Field(default=None, description="How long a call may take, attempts included.")
    limit_wait: Seconds = Field(
        default=10.0,
        description="How long a call waits for its turn where a limit is reached and nobody else can answer.",
    )
    script: Path | None = Field(default=None, description="A script for the offline model.")
    usage: bool = Field(default=True, description="Whether tokens and costs are written to this machine's ledger.")
    presets: dict[str, PresetSettings] = Field(default_factory=dict, description="Sets of parameters by name.")
    parameters: ParameterSettings = Field(default_factory=ParameterSettings.defaults)
    retry: RetrySettings = Field(default_factory=RetrySettings.defaults)
    breaker: BreakerSettings = Field(default_factory=BreakerSettings.defaults)
    budget: BudgetSettings = Field(default_factory=BudgetSettings.defaults)
    hedging: HedgingSettings = Field(default_factory=HedgingSettings.defaults)
    sharing: SharingSettings = Field(default_factory=SharingSettings.defaults)
    cache: CacheSettings = Field(default_factory=CacheSettings.defaults)
    outage: OutageSettings = Field(default_factory=OutageSettings.defaults)
    safety: SafetySettings = Field(default_factory=SafetySettings.defaults)
    context: ContextSettings = Field(default_factory=ContextSettings.defaults)
    groups: dict[str, Ids] = Field(default_factory=dict, description="Models that stand in for one another.")
    providers: dict[str, ProviderSettings] = Field(default_factory=dict, description="The providers, by id.")
