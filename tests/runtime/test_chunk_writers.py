"""Chunks of a text stream with and without metadata: on the wire each has its own, however they follow each other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import InvalidEventError
from sentient_cli.runtime.events import MetadataValue, TextChunkEvent
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from sentient_cli.testing import RecordingResponse
from tests.host.host_kit import answer, hosting

Metadata = Mapping[str, MetadataValue]

_metadata: st.SearchStrategy[Metadata | None] = st.sampled_from(
    [
        None,
        {},
        {"model": "small"},
        {"model": "other"},
        {"model": "sm\x00all"},
        {"attempts": 1},
        {"attempts": True},
        {"attempts": 1.0},
        {"tags": ["a"]},
        {"tags": ["b"]},
        {"model": "small", "attempts": 1},
        MappingProxyType({"model": "small"}),
    ]
)


@given(st.lists(st.tuples(st.text(max_size=3), _metadata), max_size=12))
def test_each_chunk_has_its_own_metadata(chunks: list[tuple[str, Metadata | None]]) -> None:
    response = RecordingResponse()

    async def write() -> None:
        async with response.stream("ANSWER") as stream:
            for text, metadata in chunks:
                await stream.write(text, metadata=metadata)

    asyncio.run(write())
    *events, _ = response.events
    seen: list[tuple[str, str]] = []
    for event in events:
        assert isinstance(event, TextChunkEvent)
        seen.append((event.content, repr(event.metadata)))
    assert seen == [(text, repr(None if metadata is None else dict(metadata))) for text, metadata in chunks]


async def test_what_changes_in_the_callers_dict_is_seen() -> None:
    response, metadata = RecordingResponse(), dict[str, MetadataValue](step=1)
    async with response.stream("ANSWER") as stream:
        for _ in range(3):
            await stream.write("a", metadata=metadata)
        metadata["step"] = 2
        for _ in range(3):
            await stream.write("b", metadata=metadata)
    assert [event.metadata for event in response.events][:-1] == [{"step": 1}] * 3 + [{"step": 2}] * 3


async def test_metadata_that_is_none_is_refused_after_good_ones_too() -> None:
    response = RecordingResponse()
    async with response.stream("ANSWER") as stream:
        for _ in range(3):
            await stream.write("a", metadata={"step": 1})
        with pytest.raises(InvalidEventError, match="metadata"):
            await stream.write("a", metadata=["step"])  # type: ignore[arg-type]
        with pytest.raises(InvalidEventError, match="metadata value 'step'"):
            await stream.write("a", metadata={"step": None})  # type: ignore[dict-item]


_remembered: list[str] = []


async def change_what_is_told(session: Session, query: Query, response: Response) -> None:
    _remembered.append("|".join(item.answer() for item in session.interactions))
    async with response.stream("ANSWER") as stream:
        for number, metadata in enumerate(
            [{"m": "a"}, {"m": "a"}, {"m": "a"}, None, {"m": "a"}, {"m": "b"}, {"m": "b"}, {"m": "b"}]
        ):
            await stream.write(str(number), metadata=metadata)


async def test_a_remembered_answer_is_in_its_order() -> None:
    _remembered.clear()
    async with hosting(change_what_is_told, memory=True) as host:
        await answer(host, "one")
        await answer(host, "two")
    assert _remembered == ["", "01234567"]
