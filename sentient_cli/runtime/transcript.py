"""The text that a reader would see, taken from a response's events."""

from __future__ import annotations

from collections.abc import Iterable

from sentient_cli.runtime.events import Event, TextBlockEvent, TextChunkEvent

__all__ = ["answer_text"]


def answer_text(events: Iterable[Event], event_name: str | None = None) -> str:
    """The text of the streams where there are any, else of the text blocks; a blank line between two of them.

    Args:
        events: The events of one response, in order.
        event_name: Only the text under this name.
    """
    streams: dict[str, list[str]] = {}
    blocks: list[str] = []
    for event in events:
        if event_name is not None and event.event_name != event_name:
            continue
        if isinstance(event, TextChunkEvent):
            pieces = streams.setdefault(event.stream_id, [])
            if not event.is_complete:
                pieces.append(event.content)
        elif isinstance(event, TextBlockEvent):
            blocks.append(event.content)
    texts = ["".join(pieces) for pieces in streams.values()] or blocks
    return "\n\n".join(text for text in texts if text)
