"""The reference's own models accept every byte that is served, over a matrix of agents."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.served import Served, serve
from tests.support.wire import Frame, Wire, ask, ask_all, interaction, session

pytestmark = pytest.mark.story("F7")

_READER = Path(__file__).with_name("reference_reader.py")
_KINDS = {
    "atomic.textblock": "TextBlockEvent",
    "atomic.json": "DocumentEvent",
    "chunked.text": "TextChunkEvent",
    "atomic.error": "ErrorEvent",
    "atomic.done": "DoneEvent",
}
_PROMPTS = [
    *("echo hi", "echo ", "everything", "names x", "text", "surrogates", "count 300", "fail", "leave", "cancel_self"),
    *("after_end", "seen", "bad", "bad_end", "tell", "whoami HOME", "turns", "never", "stubborn"),
]


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that ends what does not end."""
    flags = ["--run-timeout", "0.5", "--drain-delay", 0]
    with serve(tmp_path_factory.mktemp("home"), *flags) as served:
        yield served


def read_by_reference(python: Path, frames: list[Frame]) -> list[dict[str, object]]:
    """What the reference makes of the events."""
    lines = "".join(frame.data + "\n" for frame in frames)
    done = subprocess.run([python, _READER], input=lines, capture_output=True, text=True, check=True, timeout=150)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def matrix(hurried: Served) -> dict[str, list[Frame]]:
    """Every behaviour's events."""
    return {prompt: ask_all(hurried.address, prompt) for prompt in _PROMPTS}


@pytest.mark.slow
def test_the_models_of_the_reference_accept_every_event(reference_python: Path, matrix: dict[str, list[Frame]]) -> None:
    frames = [frame for found in matrix.values() for frame in found]
    answers = read_by_reference(reference_python, frames)
    assert len(answers) == len(frames)
    for frame, answer in zip(frames, answers, strict=True):
        assert "refused" not in answer, (frame.data, answer)
        assert answer["event"] == frame.json
        assert answer["kind"] == _KINDS[str(frame.json["content_type"])]
    assert {answer["kind"] for answer in answers} == set(_KINDS.values())
    assert {found[-1].event for found in matrix.values()} == {"done"}


def test_what_the_reference_sends_back_as_history_is_taken(hurried: Served, matrix: dict[str, list[Frame]]) -> None:
    turn = interaction("p", [frame.json for frames in matrix.values() for frame in frames])
    with Wire(hurried.address) as wire:
        frames = list(ask(wire, "turns", session([turn])).frames())
    assert [frame.event for frame in frames] == ["TURNS", "done"]
