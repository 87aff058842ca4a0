"""Refusals of every status, and each form in which they say when to come back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from functools import partial

from tests.llm.providers.fault_row import Fault, Run, runs
from tests.llm.providers.faulty import IMPATIENCE
from tests.llm.providers.wires import Wire
from tests.support.llm_server import Answer, as_json

__all__ = ["status_faults"]

_STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529)


def status_faults() -> Iterator[Fault]:
    """All of them."""
    for status in _STATUSES:
        yield Fault("Status", str(status), "", runs(partial(_refused, status=status)))
    for name, run in _WORDED.items():
        yield Fault("Status", name, "", run)
    for name, headers in _WAITS.items():
        yield Fault("Status", f"429, {name}", "", runs(partial(_later, told=headers, status=429)))
    yield Fault("Status", "503, in seconds", "", runs(partial(_later, told=_WAITS["in seconds"], status=503)))


def _refused(wire: Wire, status: int) -> Answer:
    return wire.refusal(status)


def _too_long(wire: Wire) -> Answer:
    return Answer(json.dumps(wire.too_long).encode(), 400, content_type="application/json")


def _no_credit(wire: Wire) -> Answer:
    body, status = wire.quota
    return Answer(json.dumps(body).encode(), status, content_type="application/json")


def _filtered(wire: Wire) -> Answer:
    """The request is filtered, as OpenAI and Azure say it; Anthropic has no code of its own for it."""
    del wire
    return as_json({"error": {"message": "Filtered", "type": "invalid_request_error", "code": "content_filter"}}, 400)


def _page(wire: Wire) -> Answer:
    del wire
    return Answer(b"<b>Bad", 502, content_type="text/html")


def _nothing(wire: Wire) -> Answer:
    del wire
    return Answer(b"", 500)


def _endless(wire: Wire) -> Answer:
    del wire
    return Answer(b'{"error"', 503, how="stall")


_WORDED: dict[str, Run] = {
    "the request is too long for the model": runs(_too_long),
    "no credit": runs(_no_credit),
    "the request is filtered": runs(_filtered),
    "502 with a page for people": runs(_page),
    "500 with nothing": runs(_nothing),
    "503 whose text never ends": runs(_endless, IMPATIENCE),
}


def _date(seconds: float | None) -> str:
    return formatdate(0 if seconds is None else time.time() + seconds, usegmt=True)


_WAITS: dict[str, Callable[[], dict[str, str]]] = {
    "in seconds": lambda: {"retry_after": "7"},
    "in parts of a second": lambda: {"retry_after": "0.5"},
    "in milliseconds": lambda: {"retry_after_ms": "1500"},
    "in milliseconds and in seconds": lambda: {"retry_after_ms": "1500", "retry_after": "7"},
    "milliseconds that are none, and seconds": lambda: {"retry_after_ms": "soon", "retry_after": "7"},
    "a date in an hour": lambda: {"retry_after": _date(3600)},
    "a date in the form of RFC 850": lambda: {
        "retry_after": time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(time.time() + 3600))
    },
    "a date in the form of asctime": lambda: {"retry_after": time.asctime(time.gmtime(time.time() + 3600))},
    "a date that is over": lambda: {"retry_after": _date(None)},
    "a day": lambda: {"retry_after": "86400"},
    "no number and no date": lambda: {"retry_after": "soon"},
    "nothing": lambda: {"retry_after": ""},
    "below zero": lambda: {"retry_after": "-5"},
    "more than any number": lambda: {"retry_after": "9" * 400},
    "a thousand years": lambda: {"retry_after": "31536000000"},
    "a date in the year 9999": lambda: {"retry_after": "Fri, 31 Dec 9999 23:59:59 GMT"},
    "a date of no calendar": lambda: {"retry_after": "Mon, 32 Dec 99999 25:61:61 GMT"},
}


def _later(wire: Wire, told: Callable[[], dict[str, str]], status: int) -> Answer:
    return wire.refusal(status, **told())
