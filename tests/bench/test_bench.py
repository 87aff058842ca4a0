from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import events, signals, startup, streams
from bench.client import ask, request_body
from bench.client import run as run_client
from bench.process import cpu_seconds, memory_bytes, tree
from bench.ratio import Pairs, abba, percentile, spread
from bench.servers import start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the figures are taken from /proc")

_times = st.lists(st.floats(min_value=1e-6, max_value=1e6), min_size=1, max_size=30)


@given(_times)
def test_the_median_lies_within_its_range_and_is_its_middle_percentile_when_odd(values: list[float]) -> None:
    found = spread(values)
    assert min(values) == found.low <= found.middle <= found.high == max(values)
    if len(values) % 2:
        assert found.middle == percentile(values, 0.5)


@given(_times, st.floats(min_value=0.001, max_value=1))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.5)])
def test_a_percentile_of_nothing_is_refused(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile(values, share)


def test_a_spread_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        spread([])


def test_rounds_are_taken_in_the_order_that_cancels_drift() -> None:
    said: list[str] = []

    def take(name: str) -> int:
        said.append(name)
        return len(said)  # a machine that gets slower with every measurement

    taken = abba(3, lambda: take("a"), lambda: take("b"))
    assert "".join(said) == "abbaabbaabba"
    a = tuple(float(sum(mine)) for mine, _ in taken)
    b = tuple(float(sum(other)) for _, other in taken)
    assert Pairs(a, b).ratio == spread([1.0, 1.0, 1.0])


def test_cpu_time_counts_what_a_child_used() -> None:
    code = "import sys\nsum(i * i for i in range(300_000))\nprint('ready', flush=True)\nsys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        assert child.pid in tree(os.getpid())
        used = cpu_seconds(child.pid)
        assert 0 < used <= cpu_seconds(os.getpid())
        assert 0 < memory_bytes(child.pid)["Private_Dirty"] <= memory_bytes(child.pid)["Rss"]


@pytest.mark.slow
@pytest.mark.story("14.8")
def test_our_server_gives_the_client_every_event_and_the_hook_sees_them() -> None:
    with start("ours") as server:
        sample = events.measure(server, events.Load(3, 40, 2))
        server.terminate()
        assert server.wait() == 0
        # Each run has 40 pieces, the one that closes the stream, its beginning and its end.
        assert server.hook_entries() == 3 * 2 * (40 + 3)
    assert sample.cpu > 0
    assert sample.wall > 0


@pytest.mark.slow
def test_the_raw_application_gives_the_client_as_many_events() -> None:
    with start("raw ASGI") as server:
        answers = run_client(ask(server.port, [request_body(40, 0.0)] * 3))
    assert [answer.events for answer in answers] == [42] * 3
    assert all(answer.complete for answer in answers)


@pytest.mark.slow
def test_the_framework_gives_the_client_as_many_events(reference_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTIENT_REFERENCE_PYTHON", str(reference_python))
    with start("framework") as server:
        answers = run_client(ask(server.port, [request_body(40, 0.0)] * 3))
    assert [answer.events for answer in answers] == [42] * 3


@pytest.mark.slow
def test_streams_that_are_held_end_well_and_their_memory_is_known() -> None:
    with start("ours") as server:
        held = streams.hold(server, 20, 1)
    assert held.errors == 0
    assert sum(answer.events for answer in held.answers) == 20 * 3
    assert held.memory[3] >= held.memory[2]


@pytest.mark.slow
@pytest.mark.story("14.1", "14.2", "E14.1")
@pytest.mark.parametrize("scene", signals.SCENES, ids=lambda scene: scene.name)
def test_one_signal_under_load_cuts_nothing_off(scene: signals.Scene) -> None:
    found = signals.stop_once(scene, 0.0)
    assert {kind: count for kind, count in found.items() if count and kind != "milliseconds to exit"} == {}


def test_a_command_is_timed_and_a_failing_one_refused() -> None:
    cpu, wall = startup.cpu_of((sys.executable, "-c", "pass"), 1)
    assert cpu > 0
    assert wall > 0
    with pytest.raises(RuntimeError, match="exit code 3"):
        startup.cpu_of((sys.executable, "-c", "raise SystemExit(3)"), 1)
