"""Whose a key is, as far as a provider tells it beside an answer: organization, project, name."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping
from contextvars import ContextVar
from typing import Final

from sentient_cli.llm.types import JsonValue
from sentient_cli.sanitize import sanitize_line

__all__ = ["account_heard", "hear_fields", "hear_headers"]

_LONGEST: Final = 100
_HEADERS: Final = {
    "openai-organization": "organization",
    "openai-project": "project",
    "anthropic-organization-id": "organization",
}
_FIELDS: Final = {"label": "key", "name": "key", "team_id": "team"}
"""What those providers that have an address about a key itself tell there."""
_heard: ContextVar[dict[str, str] | None] = ContextVar("account_heard", default=None)


@contextlib.contextmanager
def account_heard() -> Generator[dict[str, str]]:
    """Hear what is told while the block lasts, in what it awaits; names such as ``organization``, and values.

    Example:
        >>> with account_heard() as account:
        ...     hear_headers({"openai-organization": "acme"})
        >>> account
        {'organization': 'acme'}
    """
    account: dict[str, str] = {}
    before = _heard.set(account)
    try:
        yield account
    finally:
        _heard.reset(before)


def hear_headers(headers: Mapping[str, str]) -> None:
    """Tell whoever listens what the headers of an answer say.

    Args:
        headers: Names in lower case, or in any if it does not matter there.
    """
    account = _heard.get()
    if account is None:
        return
    for header, name in _HEADERS.items():
        if value := headers.get(header):
            account[name] = sanitize_line(value)[:_LONGEST]


def hear_fields(answer: JsonValue) -> None:
    """Tell whoever listens what an answer about the key itself says."""
    account = _heard.get()
    if account is None or not isinstance(answer, dict):
        return
    data = answer.get("data")
    fields = data if isinstance(data, dict) else answer
    for field, name in _FIELDS.items():
        value = fields.get(field)
        if isinstance(value, str) and value:
            account[name] = sanitize_line(value)[:_LONGEST]
