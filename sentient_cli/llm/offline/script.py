"""The structure of a script for the offline model: ordered rules that say what to answer to what."""

from __future__ import annotations

import re
import warnings
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from sentient_cli.llm.types import FinishReason, JsonValue

__all__ = ["BUILT_IN_NAMES", "Failure", "FailureKind", "Pace", "Rule", "Script", "ScriptedCall", "ScriptedUsage"]

FailureKind: TypeAlias = Literal[
    "rate_limit",
    "server_error",
    "connection",
    "timeout",
    "content_filter",
    "context_length",
    "authentication",
    "permission",
    "quota",
    "bad_request",
    "truncated",
]
"""How a call can fail; ``truncated`` ends the stream cleanly, but without its terminal marker."""

BUILT_IN_NAMES = frozenset({"prompt", "model", "turn", "tool", "use"})
"""What a template may name besides the groups of its rule's pattern."""

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}")

_Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=86_400)]
_Count: TypeAlias = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Pace(_Strict, frozen=True, kw_only=True):
    """How fast an answer comes.

    Args:
        tokens_per_second: 0: all at once.
        first_token: Seconds before the first token.
    """

    tokens_per_second: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    first_token: _Seconds = 0.0


class ScriptedCall(_Strict, frozen=True, kw_only=True):
    """A tool call to answer with.

    Args:
        name: The tool.
        arguments: An object whose strings are templates, or the raw text, which need not be JSON.
        id: The id of the call; one is made otherwise.
    """

    name: Annotated[str, Meta(min_length=1)]
    arguments: dict[str, JsonValue] | str = msgspec.field(default_factory=dict[str, JsonValue])
    id: Annotated[str, Meta(min_length=1)] | None = None


class ScriptedUsage(_Strict, frozen=True, kw_only=True):
    """Token numbers to report instead of the real ones; those left out stay real."""

    input: _Count | None = None
    cache_read: _Count | None = None
    cache_write: _Count | None = None
    output: _Count | None = None
    reasoning: _Count | None = None


class Failure(_Strict, frozen=True, kw_only=True):
    """A failure to answer with.

    Args:
        kind: Which.
        after: Tokens of the answer that come before it.
        delay: Seconds between the last token and the failure.
        retry_after: Seconds that a rate limit or a server error asks to wait.
        message: What the error says.
    """

    kind: FailureKind
    after: _Count = 0
    delay: _Seconds = 0.0
    retry_after: _Seconds | None = None
    message: str = ""


class Rule(_Strict, frozen=True, kw_only=True):
    r"""What to answer when. A rule applies when everything it names fits; the first that applies answers.

    Args:
        name: For readers of the script.
        match: A regular expression, searched in the last message; without one every text fits.
        on: The role that the last message must have; ``any`` for all.
        turn: The number of the user message, from 1.
        tool: The tool whose result the last message is.
        model: The model that was asked.
        times: How often the rule applies at most.
        answer: A template of the text: ``${1}`` and ``${name}`` are groups of the pattern.
        tool_calls: Tools to ask for, after the text.
        finish: The reason of the end; it follows from the answer otherwise.
        usage: Token numbers to report; ``false``: none at all.
        pace: How fast, instead of the script's pace.
        fail: How to fail.
    """

    name: str = ""
    match: str | None = None
    on: Literal["user", "tool", "any"] = "user"
    turn: Annotated[int, Meta(ge=1)] | None = None
    tool: str | None = None
    model: str | None = None
    times: Annotated[int, Meta(ge=1)] | None = None
    answer: str = ""
    tool_calls: tuple[ScriptedCall, ...] = ()
    finish: FinishReason | None = None
    usage: ScriptedUsage | bool = True
    pace: Pace | None = None
    fail: Failure | None = None

    def __post_init__(self) -> None:
        known = BUILT_IN_NAMES | _groups(self.match)
        for template in (self.answer, *_strings([call.arguments for call in self.tool_calls])):
            _check_references(template, known)


class Script(_Strict, frozen=True, kw_only=True):
    """A script.

    Args:
        models: The names that the provider lists.
        seed: Chooses among the variants of the built-in answers.
        pace: How fast answers come.
        fallback: Who answers when no rule applies: the built-in assistant, an echo of the prompt, or an error.
        rule: The rules, tried in order.

    Example:
        >>> import asyncio
        >>> from sentient_cli.testing import scripted_llm
        >>> script = Script(rule=(Rule(match="weather in (.*)", answer="It rains in ${1}."),), fallback="error")
        >>> asyncio.run(scripted_llm(script).generate("the weather in Rome")).text
        'It rains in Rome.'
    """

    models: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    seed: int = 0
    pace: Pace | None = None
    fallback: Literal["assistant", "echo", "error"] = "assistant"
    rule: tuple[Rule, ...] = ()


def _groups(pattern: str | None) -> frozenset[str]:
    if pattern is None:
        return frozenset({"0"})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"the pattern is no regular expression ({error})") from error
    return frozenset(compiled.groupindex) | {str(number) for number in range(compiled.groups + 1)}


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    items: list[object] = []
    if isinstance(value, dict):
        items = list(value.values())  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        items = list(value)  # pyright: ignore[reportUnknownArgumentType]
    return [text for item in items for text in _strings(item)]


def _check_references(template: str, known: frozenset[str]) -> None:
    for found in _REFERENCE.finditer(template):
        if found[1] is not None and found[1] not in known:
            names = ", ".join(sorted(known))
            raise ValueError(
                f"the template names ${{{found[1]}}}, which is none of: {names} (write $${{ for a plain one)"
            )


def render(template: str, values: dict[str, str]) -> str:
    """Fill a template; every reference in it has been checked.

    Example:
        >>> render("${city} costs $5, $${city} stays", {"city": "Rome"})
        'Rome costs $5, ${city} stays'
    """
    return _REFERENCE.sub(lambda found: "${" if found[1] is None else values.get(found[1], ""), template)


def render_value(value: JsonValue, values: dict[str, str]) -> JsonValue:
    """Fill the templates within a JSON value."""
    if isinstance(value, str):
        return render(value, values)
    if isinstance(value, list):
        return [render_value(item, values) for item in value]
    if isinstance(value, dict):
        return {key: render_value(item, values) for key, item in value.items()}
    return value
