"""What an attempt took that did not come to its end, where the provider did not say."""

from __future__ import annotations

import msgspec

from sentient_cli.llm.provider import Request
from sentient_cli.llm.tokens import tokens_in, tokens_of
from sentient_cli.llm.types import Usage

__all__ = ["wasted_usage"]


def wasted_usage(request: Request, said: Usage | None, written: int = 0) -> Usage:
    """What an attempt took.

    What a provider says before the end is only what it was until then: some say at the beginning what the request took.

    Args:
        request: What was asked.
        said: What the provider said before it failed.
        written: The bytes that it wrote, by `written_in`.

    Example:
        >>> from sentient_cli.llm import Message
        >>> request = Request(model="m", messages=(Message.user("Twelve chars"),))
        >>> usage = wasted_usage(request, None, written=8)
        >>> usage.input, usage.output, usage.estimated
        (7, 2, True)
    """
    output = tokens_in(written)
    if said is None or said.input is None:
        return Usage(tokens_of(request), 0, 0, max(output, said.output or 0 if said else 0), 0, estimated=True)
    if said.output is not None and said.output >= output:
        return said
    return msgspec.structs.replace(said, output=output, estimated=True)
