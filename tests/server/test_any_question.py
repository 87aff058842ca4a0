"""Whatever a question holds, its answer comes and ends, and what was said comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.served import Served
from tests.support.wire import ACTIVITY_ID, REQUEST_ID, Wire, ask

_TEXT = st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(
    ["", "\n\n", '"', "\\", "\u2028", "\x85", "\x00", "data: x", "}", '","schema_version":', "\ufffe", "\U0010ffff"]
)
_CLOCK_EDGES = ["0" * 26, "7" + "Z" * 25, "7zzzzzzzzzzzzzzzzzzzzzzzzz", ACTIVITY_ID]


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prompt=_TEXT,
    source=_TEXT,
    chat=st.sampled_from(_CLOCK_EDGES),
    words=st.sampled_from(["echo", "everything", "names", "fail", "bad", "after_end", "text"]),
)
def test_any_question_is_answered_to_the_end(server: Served, prompt: str, source: str, chat: str, words: str) -> None:
    session = {"processor_id": source, "activity_id": chat, "request_id": REQUEST_ID, "interactions": list[object]()}
    with Wire(server.address) as wire:
        frames = list(ask(wire, f"{words} {prompt}", session).frames())
    assert frames[-1].event == "done"
    assert {frame.json["source"] for frame in frames} == {source}
    if words == "echo":
        assert frames[0].content == prompt
