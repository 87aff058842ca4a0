"""What a call has for one provider by that provider's own names."""

from __future__ import annotations

from sentient_cli.llm.chatwire.dialect import Dialect
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.extras import lay_over

__all__ = ["add_extra", "why_not_by_this_api"]


def add_extra(
    parameters: Parameters, dialect: Dialect, provider: str, told: dict[str, JsonValue], notices: list[str]
) -> None:
    """Put what is for a provider into a body, but what it only takes by another of its APIs.

    Args:
        parameters: Whose ``extra``.
        dialect: What the API takes that is asked.
        provider: Only what is for it goes along.
        told: The body, which is added to.
        notices: What is left out is added to them.

    Example:
        >>> from sentient_cli.llm import Parameters
        >>> told, notices = {"model": "m"}, []
        >>> parameters = Parameters(extra={"mine": {"fast": True, "deep": True}, "other": {"x": 1}})
        >>> add_extra(parameters, Dialect(elsewhere=frozenset({"deep"})), "mine", told, notices)
        >>> told, notices
        ({'model': 'm', 'fast': True}, ["The parameter 'deep' was left out: 'mine' has it by the Responses API alone"])
    """
    for name, value in (parameters.extra or {}).get(provider, {}).items():
        why = why_not_by_this_api(name, dialect, provider)
        if why:
            notices.append(f"The parameter {name!r} was left out: {why}")
            continue
        outer, _, inner = dialect.renamed.get(name, name).partition(".")
        lay_over(told, {outer: {inner: value} if inner else value})


def why_not_by_this_api(name: str, dialect: Dialect, provider: str) -> str:
    """Why something of `Parameters.extra` is not sent; empty: it is.

    Args:
        name: By the provider's own name.
        dialect: What the API takes that is asked.
        provider: Whose.

    Example:
        >>> why_not_by_this_api("audio", Dialect(elsewhere=frozenset({"audio"}), responses=True), "mine")
        "'mine' has it by chat completions alone"
    """
    if name not in dialect.elsewhere:
        return ""
    return f"{provider!r} has it by {'chat completions' if dialect.responses else 'the Responses API'} alone"
