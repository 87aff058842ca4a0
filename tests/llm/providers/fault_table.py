"""Every fault at every place, as rows that run against a provider on loopback: what the documentation publishes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.llm.providers.fault_contents import content_faults
from tests.llm.providers.fault_network import network_faults
from tests.llm.providers.fault_row import Fault
from tests.llm.providers.fault_statuses import status_faults
from tests.llm.providers.fault_streams import stream_faults
from tests.llm.providers.faulty import Outcome
from tests.llm.providers.wires import TEXT

__all__ = ["Fault", "described", "faults"]

_LONG = 100


def described(outcome: Outcome) -> str:
    """What came of a call, in a cell.

    >>> described(Outcome(text="One"))
    'answer is cut'
    """
    kept = {"": "", TEXT: "all the text"}.get(outcome.text, "the text so far")
    if outcome.error is None:
        if outcome.finish == "tool_call":
            return f"{len(outcome.calls)} calls, each as the model wrote it" if not outcome.note else outcome.note
        if outcome.finish == "content_filter":
            return f"{kept or 'no text'}, and the reason `content_filter`"
        is_whole = (outcome.text, outcome.finish) == (TEXT, "stop")
        return f"the whole answer{outcome.note}" if is_whole else "answer is cut"
    wait = outcome.error.retry_after
    after = "" if not wait else f" after {wait:g} s" if wait < _LONG else f" after {round(wait, -1):g} s"
    again = f", again{after}" if outcome.error.retryable else ""
    assert outcome.error.partial_text == outcome.text
    return f"`{outcome.error.code}`{again}{f', {kept}' if kept else ''}"


def faults() -> Iterator[Fault]:
    """All of them, in the order of the page."""
    yield from network_faults()
    yield from stream_faults()
    yield from content_faults()
    yield from status_faults()
