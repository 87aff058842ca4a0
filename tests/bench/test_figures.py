"""The figures that the project promises, taken at the socket of the server. `bench/README.md` says of what, and how.

CPU time and ratios within a round say the same on a busy machine; the full tables are ``make bench``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import checking, events, latency, startup, streams
from bench.client import ask_all
from bench.ratio import abba, percentile, spread
from bench.servers import start

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the figures are taken from /proc"),
    pytest.mark.usefixtures("unmeasured"),
]

_OUR_SHARE = 0.005
"""Seconds that the server may add to an answer."""
_REQUESTS = 200


@pytest.mark.slow
@pytest.mark.story("F2")
def test_the_server_adds_at_most_five_milliseconds_to_an_answer() -> None:
    with start("ours") as server:
        ask_all(server.port, 20, 2)
        before = server.cpu
        for _ in range(_REQUESTS // 10):
            assert all(answer.complete for answer in ask_all(server.port, 10, 2))
        assert (server.cpu - before) / _REQUESTS <= _OUR_SHARE


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.story("F3")
def test_two_thousand_streams_at_once_and_no_error() -> None:
    streams.allow_files()
    with start("ours") as server:
        held = streams.hold(server, 2000, 10)
    assert held.errors == 0
    assert sum(answer.events for answer in held.answers) == 2000 * (10 + 2)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.story("F7")
def test_five_times_the_events_and_half_the_time_of_the_framework(
    reference_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTIENT_REFERENCE_PYTHON", str(reference_python))
    with start("ours") as ours, start("framework") as theirs:
        for load in events.LOADS:
            for server in (ours, theirs):
                events.measure(server, events.Load(load.streams, load.count, 1))
            assert events.compare(ours, theirs, load, 3).ratio.middle >= 5
        taken = abba(3, lambda: ask_all(ours.port, 50, 500), lambda: ask_all(theirs.port, 50, 500))
    for values in (latency.FIGURES[0].values, latency.FIGURES[1].values):
        for share in (0.5, 0.95):
            ratios = [
                sum(percentile(values(answers), share) for answers in mine)
                / sum(percentile(values(answers), share) for answers in other)
                for mine, other in taken
            ]
            assert spread(ratios).middle <= 0.5


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("command", "most", "imports"), startup.COMMANDS, ids=str)
def test_a_command_starts_within_its_share_of_cpu(command: Sequence[str], most: float, imports: str) -> None:
    row = startup.compare(command, most, imports, 5)
    assert row[4] == "ok", row


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.story("E19.3")
@pytest.mark.parametrize(("checker", "most"), checking.FILES)
def test_what_a_type_checker_reads_for_the_basic_project_is_within_its_budget(checker: str, most: int) -> None:
    # Seconds are for `bench.checking`: on a machine that does other things too they differ by a third.
    assert 0 < checking.files_of_ours(checker) <= most
