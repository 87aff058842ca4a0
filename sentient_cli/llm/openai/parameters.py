"""What only OpenAI takes, by its own names and with its types: what of `Parameters` has no word for it.

Sources: https://developers.openai.com/api/reference/resources/chat/subresources/completions/methods/create and
https://developers.openai.com/api/reference/resources/responses/methods/create, as the SDK 3.54 has them.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.checked import check_fields
from sentient_cli.llm.types import JsonValue

__all__ = [
    "BY_CHAT",
    "BY_RESPONSES",
    "AudioOutput",
    "Compaction",
    "Included",
    "Moderation",
    "OpenAIParameters",
    "PromptCache",
    "Reasoning",
    "UserLocation",
    "WebSearch",
    "wrong_in_extra",
]

_Word: TypeAlias = Annotated[str, Meta(min_length=1)]
_Level: TypeAlias = Literal["low", "medium", "high"]
_Bias: TypeAlias = Annotated[int, Meta(ge=-100, le=100)]
_Count: TypeAlias = Annotated[int, Meta(ge=1, le=2**31 - 1)]

Included: TypeAlias = Literal[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
]
"""What of a response does not come unasked."""


_OURS: Final = (("audio", "format", "pcm16"), ("moderation", "model", "omni-moderation-latest"))
"""Usual values that are ours, and so have to be sent."""


class _Checked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    def __post_init__(self) -> None:
        check_fields(self, BadRequestError, "parameter")


class AudioOutput(_Checked, frozen=True, kw_only=True):
    """How an answer sounds that is spoken.

    Args:
        voice: Whose voice.
        format: Of the sound. Answers come piece by piece, and then it has to be ``pcm16``; batches take any.

    Raises:
        BadRequestError: a value is not one that it can have.

    Example:
        >>> AudioOutput(voice="marin").format
        'pcm16'
    """

    voice: _Word
    format: Literal["wav", "aac", "mp3", "flac", "opus", "pcm16"] = "pcm16"


class Compaction(_Checked, frozen=True, kw_only=True, tag_field="type", tag="compaction"):
    """Has OpenAI shorten a conversation that has become too long.

    Args:
        compact_threshold: Tokens from which on it does.

    Raises:
        BadRequestError: a value is not one that it can have.

    Example:
        >>> Compaction(compact_threshold=200_000).compact_threshold
        200000
    """

    compact_threshold: _Count | None = None


class Moderation(_Checked, frozen=True, kw_only=True):
    """Has OpenAI look for what is harmful in request and answer.

    Args:
        model: The model that looks.
        policy: By ``input`` and ``output``, each with a ``mode``: ``score`` tells, ``block`` refuses.

    Raises:
        BadRequestError: a value is not one that it can have.

    Example:
        >>> Moderation(policy={"output": {"mode": "block"}}).model
        'omni-moderation-latest'
    """

    model: _Word = "omni-moderation-latest"
    policy: dict[Literal["input", "output"], dict[Literal["mode"], Literal["score", "block"]]] | None = None


class PromptCache(_Checked, frozen=True, kw_only=True):
    """How the beginning of a request is kept for the next one.

    Args:
        mode: Whether OpenAI chooses what is kept, or only what is marked is.
        ttl: How long it is kept at least, in minutes or hours.

    Raises:
        BadRequestError: a value is not one that it can have.

    Example:
        >>> PromptCache(ttl="12h").mode is None
        True
    """

    mode: Literal["implicit", "explicit"] | None = None
    ttl: Literal["30m", "12h"] | None = None


class Reasoning(_Checked, frozen=True, kw_only=True):
    """How a model thinks, besides how long, which is `Parameters.effort`.

    Args:
        summary: Whether its thoughts are told in short.
        context: Which of its earlier thoughts it sees again.
        mode: Whether it thinks as usual, or as the pro models do.

    Raises:
        BadRequestError: a value is not one that it can have.

    Example:
        >>> Reasoning(summary="auto").summary
        'auto'
    """

    summary: Literal["auto", "concise", "detailed"] | None = None
    context: Literal["auto", "current_turn", "all_turns"] | None = None
    mode: Literal["standard", "pro"] | None = None


class UserLocation(_Checked, frozen=True, kw_only=True):
    """About where a user is.

    Args:
        city: Its name.
        country: Two letters, by ISO 3166-1.
        region: Its name.
        timezone: By the names of IANA.

    Raises:
        BadRequestError: a value is not one that it can have.

    Example:
        >>> UserLocation(city="Bern", country="CH").country
        'CH'
    """

    city: _Word | None = None
    country: Annotated[str, Meta(pattern="^[A-Za-z]{2}$")] | None = None
    region: _Word | None = None
    timezone: _Word | None = None


class WebSearch(_Checked, frozen=True, kw_only=True):
    """How a model searches that does so by itself.

    Args:
        search_context_size: How much of what is found it reads.
        user_location: Where the user is.

    Raises:
        BadRequestError: a value is not one that it can have.

    Example:
        >>> WebSearch(search_context_size="low").user_location is None
        True
    """

    search_context_size: _Level | None = None
    user_location: UserLocation | None = None


class OpenAIParameters(_Checked, frozen=True, kw_only=True):
    """What only OpenAI takes, checked before anything is sent; `extra` gives it to a call.

    What only one of its two APIs has is left out with a notice where the other is asked.

    Args:
        audio: How a spoken answer sounds; chat completions.
        context_management: When a long conversation is shortened there; responses.
        conversation: The id of a conversation that OpenAI keeps; responses.
        include: What shall come besides; responses.
        logit_bias: By the id of a token, how much likelier it is, from -100 (never) to 100; chat completions.
        max_tool_calls: How many of OpenAI's own tools may be called, from 1; responses.
        modalities: How an answer comes, as text or as sound too; chat completions.
        moderation: Whether OpenAI looks for what is harmful.
        prediction: What most of the answer will be like, so that it comes sooner; chat completions.
        previous_response_id: The response that this one goes on with; responses.
        prompt_cache_options: How the beginning of a request is kept.
        prompt_cache_retention: How long at most, for models before GPT-5.6.
        reasoning: How a model thinks, besides how long; responses.
        store: Whether OpenAI keeps the answer.
        truncation: Whether too long a conversation loses its beginning, or is refused; responses.
        verbosity: How much is said.
        web_search_options: How a model searches that does so by itself; chat completions.

    Raises:
        BadRequestError: a value is out of its range, or of another type.

    Example:
        >>> OpenAIParameters(verbosity="low", prediction="def main():").extra()
        {'openai': {'prediction': {'type': 'content', 'content': 'def main():'}, 'verbosity': 'low'}}
    """

    audio: AudioOutput | None = None
    context_management: tuple[Compaction, ...] = ()
    conversation: _Word | None = None
    include: tuple[Included, ...] = ()
    logit_bias: dict[str, _Bias] | None = None
    max_tool_calls: _Count | None = None
    modalities: tuple[Literal["text", "audio"], ...] = ()
    moderation: Moderation | None = None
    prediction: _Word | None = None
    previous_response_id: _Word | None = None
    prompt_cache_options: PromptCache | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    reasoning: Reasoning | None = None
    store: bool | None = None
    truncation: Literal["auto", "disabled"] | None = None
    verbosity: _Level | None = None
    web_search_options: WebSearch | None = None

    def extra(self, provider: str = "openai") -> dict[str, dict[str, JsonValue]]:
        """The same for `Parameters.extra`, in the form in which OpenAI takes it.

        Args:
            provider: The id of the provider that it is for.
        """
        told: dict[str, JsonValue] = msgspec.json.decode(msgspec.json.encode(self))
        for name, inner, usual in _OURS:
            shown = told.get(name)
            if isinstance(shown, dict):
                shown.setdefault(inner, usual)
        if self.prediction is not None:
            told["prediction"] = {"type": "content", "content": self.prediction}
        search = told.get("web_search_options")
        if isinstance(search, dict) and "user_location" in search:
            search["user_location"] = {"type": "approximate", "approximate": search["user_location"]}
        return {provider: told}


BY_CHAT: Final = frozenset({"audio", "logit_bias", "modalities", "prediction", "web_search_options"})
"""Those that chat completions alone take."""
BY_RESPONSES: Final = frozenset(
    {
        *("context_management", "conversation", "include", "max_tool_calls", "previous_response_id", "reasoning"),
        "truncation",
    }
)
"""Those that the Responses API alone takes."""
_PLAIN: Final = frozenset(
    {
        *("include", "logit_bias", "max_tool_calls", "modalities", "prompt_cache_retention", "store", "truncation"),
        "verbosity",
    }
)
"""Those that go out as they are given."""


def wrong_in_extra(name: str, value: JsonValue) -> str:
    """What to give instead of something in `Parameters.extra` that OpenAI would refuse; empty: it would not.

    Args:
        name: By OpenAI's own name; one that is not known here is not judged.
        value: What is given.

    Example:
        >>> wrong_in_extra("verbosity", "loud"), wrong_in_extra("verbosity", "low"), wrong_in_extra("new", 1)
        ('Use `low`, `medium` or `high`.', '', '')
    """
    if name not in _PLAIN:
        return ""
    try:
        msgspec.structs.replace(OpenAIParameters(), **{name: value})
    except BadRequestError as error:
        return f"{error.fix}."
    return ""
