"""The benches of the LLM core measure what they say: small runs of each, over real sockets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import uvloop

from bench import llm_failover, llm_faults, llm_pools, llm_streams
from bench.llm_scenes import Models, provider, scene
from bench.programs.models import FAULTS, answer_of
from bench.programs.prose import pieces_of, text_of
from sentient_cli.errors import ProviderError
from sentient_cli.llm import LLMManager
from sentient_cli.llm.resilience.breaker import BreakerPolicy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the figures are taken from /proc")


def test_an_answer_is_known_by_its_number_and_whole_in_its_pieces() -> None:
    assert text_of(7) == text_of(7) != text_of(8)
    assert "".join(pieces_of(text_of(7), 3)) == text_of(7)
    assert answer_of("ab", 1)[-1].endswith(b"data: [DONE]\n\n")


@pytest.mark.slow
@pytest.mark.parametrize(("manner", "expected"), [("repeats", "exact"), ("paraphrases", "ProviderConnectionError")])
def test_answers_that_break_off_are_exact_where_the_model_repeats_and_errors_else(manner: str, expected: str) -> None:
    with scene("cuts") as models:
        found = uvloop.run(llm_failover.cut_answers(models, manner, 8, 1))
    # The texts are the documentation as it is today, and one in a hundred gives too little to go by.
    assert sum(found.values()) == 8
    assert found[expected] >= 6
    assert not any("wrong" in name.lower() for name in found)


@pytest.mark.slow
def test_streams_at_once_leave_no_connection() -> None:
    with scene("paced") as models:
        found, left_open = uvloop.run(llm_streams.waves(models, 20, 2, 1, pause=0.01))
    assert (found[0].errors, found[0].held, left_open) == (0, 0, 0)
    assert found[0].outcomes == {"whole": 18, "left": 2}


@pytest.mark.slow
@pytest.mark.story("E13.3")
def test_a_profile_for_bursts_keeps_what_a_burst_has_opened(tmp_path: Path) -> None:
    certificate = llm_pools.make_certificate(tmp_path)
    with scene("paced", certificate=str(certificate)) as models:
        kept, closed = (
            llm_pools.measure(models, certificate, profile, "bursty", 0.1) for profile in ("bursty", "steady")
        )
    assert (kept.taken.failed, closed.taken.failed) == (0, 0)
    assert len(kept.taken.first) == len(closed.taken.first) == 160
    assert kept.made <= 81 < closed.made
    assert kept.taken.standing > closed.taken.standing == 0


@pytest.mark.slow
@pytest.mark.story("E13.3")
def test_the_profile_for_steady_traffic_opens_one_connection_for_each_who_asks(tmp_path: Path) -> None:
    certificate = llm_pools.make_certificate(tmp_path)
    with scene("paced", certificate=str(certificate)) as models:
        found = llm_pools.measure(models, certificate, "steady", "steady", 0.15)
    assert (found.taken.failed, len(found.taken.first)) == (0, 160)
    assert found.made <= 40


@pytest.mark.slow
def test_with_no_faults_nothing_fails_and_each_fault_happens() -> None:
    with scene("faults", share=1e-9) as models:
        assert uvloop.run(llm_faults.much_fails(models, 20, 1000)) == {"exact": 20}
        assert not any(models.counts.get(fault) for fault in FAULTS)


@pytest.mark.slow
def test_a_provider_that_always_fails_is_asked_as_often_as_its_breaker_lets_it() -> None:
    rests = BreakerPolicy(failures=3, open_for=60)
    with scene("broken") as models:
        found = uvloop.run(llm_faults.always_failing(models, 20, rests))
    assert (found.requests, found.upstream - found.probes) == (20, 3)


async def _one(models: Models) -> str:
    manager = LLMManager([provider(models, "a")], default_model="a")
    try:
        await manager.generate("no order")
    except ProviderError as error:
        return type(error).__name__
    finally:
        await manager.aclose()
    return ""


@pytest.mark.slow
def test_a_scene_that_fails_says_so() -> None:
    with pytest.raises(RuntimeError, match="The model server failed"), scene("paced") as models:
        assert uvloop.run(_one(models)) == "ProviderConnectionError"
