"""The table of faults: some rows of it always, all of it, over either protocol and with any other model, when slow."""

from __future__ import annotations

import pytest

from tests.llm.providers.fault_table import Fault, described, faults
from tests.llm.providers.faulty import over_http2, wires, with_another_model
from tests.llm.providers.wires import WIRES, Wire

GOES_ELSEWHERE = [
    ("nobody listens", ""),
    ("a certificate that nobody vouches for", ""),
    ("it is closed within the headers", "middle"),
    ("the connection is closed", "first"),
    ("the connection is reset", "middle"),
    ("the answer ends early, in good order", "last"),
    ("malformed JSON", "middle"),
    ("an error in band (overloaded)", "middle"),
    ("a packed answer is cut", "middle"),
    ("401", ""),
    ("503", ""),
    ("429, in seconds", ""),
]
STAYS = [("400", "", "`bad-request`"), ("the answer is filtered", "middle", "the text so far, and the reason")]
ROWS = {(row.name, row.place): row for row in faults()}
GONE = "`provider-connection`, again"
LATER = "`rate-limit`, again"
THREE = "3 calls, each as the model wrote it"
STANDS_NOWHERE_ELSE = {
    ("it is closed within the TLS handshake", ""): GONE,
    ("a certificate that nobody vouches for", ""): "`provider-connection`",
    ("a certificate for another name", ""): "`provider-connection`",
    ("headers that come a byte at a time", ""): "the whole answer",
    ("it stalls within the headers", "first"): "`provider-timeout`, again",
    ("it stalls within the headers", "last"): "`provider-timeout`, again",
    ("it is closed within the headers", "first"): GONE,
    ("it is closed within the headers", "last"): GONE,
    ("a packed answer is cut", "first"): GONE,
    ("a packed answer is cut", "middle"): f"{GONE}, the text so far",
    ("a packed answer is cut", "last"): f"{GONE}, all the text",
    ("JSON that is nested without end", "last"): f"{GONE}, all the text",
    ("unknown events", "middle"): "the whole answer",
    ("lines that are no fields", "last"): "the whole answer",
    ("events of nothing", "first"): "the whole answer",
    ("events of nothing", "last"): "the whole answer",
    ("no usage is told", ""): "the whole answer",
    ("usage is told once", "first"): "the whole answer, and its usage",
    ("usage is told once", "middle"): "the whole answer, and its usage",
    ("usage is told once", "last"): "the whole answer, and its usage",
    ("usage that cannot be", ""): "the whole answer",
    ("the answer is filtered", "first"): "no text, and the reason `content_filter`",
    ("the answer is filtered", "last"): "all the text, and the reason `content_filter`",
    ("arguments that are no JSON", "first"): THREE,
    ("arguments that are no JSON", "middle"): THREE,
    ("arguments that are no JSON", "last"): THREE,
    ("one index for all", ""): THREE,
    ("indexes that begin anywhere", ""): THREE,
    ("no ids", ""): THREE,
    ("one id for all", ""): THREE,
    ("no indexes", ""): THREE,
    ("neither ids nor indexes", ""): THREE,
    ("one index for all, and no ids", ""): THREE,
    ("429, in milliseconds", ""): f"{LATER} after 1.5 s",
    ("429, a date in an hour", ""): f"{LATER} after 3600 s",
    ("429, a date in the form of asctime", ""): f"{LATER} after 3600 s",
    ("429, a day", ""): f"{LATER} after 86400 s",
    ("429, no number and no date", ""): LATER,
    ("429, below zero", ""): LATER,
    ("429, more than any number", ""): LATER,
    ("429, a date in the year 9999", ""): LATER,
}
IN_HTTP2 = {
    ("nobody listens", ""): "`provider-connection`, again",
    ("a certificate that nobody vouches for", ""): "`provider-connection`",
    ("headers that come a byte at a time", ""): "the whole answer",
    ("it stalls within the headers", "middle"): "`provider-timeout`, again",
    ("it is closed within the headers", "last"): GONE,
    ("the answer ends early, in good order", "middle"): f"{GONE}, the text so far",
    ("the connection is closed", "last"): f"{GONE}, all the text",
    ("the connection is reset", "first"): GONE,
    ("malformed JSON", "middle"): f"{GONE}, the text so far",
    ("a byte at a time (split UTF-8)", ""): "the whole answer",
    ("a packed answer is cut", "middle"): f"{GONE}, the text so far",
    ("503", ""): "`provider-server`, again",
    ("429, in seconds", ""): f"{LATER} after 7 s",
}
others = pytest.mark.parametrize("other", WIRES[1:], ids=lambda wire: f"then-{wire.name}")
"""The page of faults is made with the first of them."""


def _next(wire: Wire) -> Wire:
    return WIRES[(WIRES.index(wire) + 1) % len(WIRES)]


@wires
@pytest.mark.story("4.3", "E4.1")
async def test_a_model_of_another_provider_takes_over_whoever_failed(wire: Wire) -> None:
    async with with_another_model(_next(wire)):
        for name, place in GOES_ELSEWHERE:
            assert described(await ROWS[name, place].run(wire)) == "the whole answer", name
        for name, place, said in STAYS:
            assert described(await ROWS[name, place].run(wire)).startswith(said)


@wires
@pytest.mark.story("4.3")
async def test_what_stands_in_no_other_test(wire: Wire) -> None:
    rows: list[Fault] = [ROWS[key] for key in STANDS_NOWHERE_ELSE]
    told = {(row.name, row.place): described(await row.run(wire)) for row in rows}
    assert told == STANDS_NOWHERE_ELSE


@wires
@pytest.mark.story("4.3", "13.1")
async def test_faults_are_the_same_in_http2(wire: Wire) -> None:
    async with over_http2():
        told = {key: described(await ROWS[key].run(wire)) for key in IN_HTTP2}
    assert told == IN_HTTP2


@wires
@others
@pytest.mark.slow
@pytest.mark.story("4.3", "E4.1")
async def test_every_fault_with_every_other_provider(wire: Wire, other: Wire) -> None:
    async with with_another_model():
        wanted = {key: described(await row.run(wire)) for key, row in ROWS.items()}
    async with with_another_model(other):
        told = {key: described(await row.run(wire)) for key, row in ROWS.items()}
    assert told == wanted


@wires
@pytest.mark.slow
@pytest.mark.story("4.3", "13.1")
async def test_every_fault_in_http2_with_another_model(wire: Wire) -> None:
    async with with_another_model():
        wanted = {key: described(await row.run(wire)) for key, row in ROWS.items()}
        async with over_http2():
            told = {key: described(await row.run(wire)) for key, row in ROWS.items()}
    assert told == wanted
