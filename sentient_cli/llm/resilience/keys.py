"""When two questions are the same."""

from __future__ import annotations

import hashlib

import msgspec

from sentient_cli.llm.call import Call
from sentient_cli.llm.provider import Request

__all__ = ["key_of"]


def key_of(request: Request, call: Call) -> str:
    """SHA-256 over all that an answer depends on: the model, the request but for who asks and why, whose data it is.

    Args:
        request: What is asked.
        call: Which model was asked for, and on whose behalf.

    Example:
        >>> from sentient_cli.clock import SystemClock
        >>> from sentient_cli.llm.hooks import Recorder
        >>> from sentient_cli.llm import Message
        >>> call = Call(Recorder((), SystemClock(), "1"))
        >>> one, other = (Request(model="m", messages=(Message.user("Hi"),), call=name) for name in "ab")
        >>> key_of(one, call) == key_of(other, call)
        True
    """
    parameters = msgspec.structs.replace(
        request.parameters, user=None, metadata=None, cache_key=None, service_tier=None
    )
    model = (call.wanted, request.model, call.subject.tenant)
    asked = (model, request.messages, parameters, request.tools, request.output)
    return hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest()
