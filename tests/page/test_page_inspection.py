"""The page in a real browser: the events of runs, and what it says of reloads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.page.chromium import Page
from tests.page.page_stub import TOKEN, Stub
from tests.page.test_page_browser import ask, open_page

pytestmark = pytest.mark.slow

_ERROR = {
    "generation": 8,
    "code": "agent-not-loadable",
    "what": "agent.py cannot be imported\u202e: <b>SyntaxError</b>",
    "why": "'(' was never closed",
    "fix": "Correct line 12",
    "detail": "agent.py:12 in <module>",
    "file": "/home/ada/<img src=x>/agent.py",
    "line": 12,
    "excerpt": "  11 | a = 1\n> 12 | b = (\n  13 | c = '<script>window.hacked = 1</script>'",
}
_TYPES = """[...document.querySelectorAll('.row')].sort((a, b) => a.ariaPosInSet - b.ariaPosInSet)
  .map((row) => row.querySelector('.type').innerText)"""


@pytest.mark.story("18.1")
def test_all_entries_are_listed_with_the_token(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    assert page.run("location.hash") == ""
    assert page.run("sessionStorage.getItem('sentient.inspection-token')") == TOKEN
    ask(page, "model hello")
    page.wait(f"{_TYPES}.includes('finished')")
    types = page.run(_TYPES)
    assert isinstance(types, list)
    assert types[0] == "started"
    assert "llm.request" in types
    assert page.run("document.getElementById('feed-hint').hidden")

    page.run("document.querySelector('.row .entry').focus()")
    page.press("ArrowDown")
    page.press("Enter")
    page.wait("document.querySelector('.detail .json')")
    assert page.run("document.activeElement.getAttribute('aria-expanded')") == "true"
    page.press("Enter")
    page.wait("!document.querySelector('.detail')")
    page.press("End")
    page.wait("document.activeElement.innerText.includes('finished')")
    assert page.problems() == []


@pytest.mark.story("18.1")
def test_without_a_token_there_are_the_answers_own_events_and_the_way_to_the_rest(page: Page, stub: Stub) -> None:
    open_page(page, stub, token=None)
    ask(page, "streams")
    page.wait("document.querySelectorAll('.row').length === 10")
    assert "#token=" in str(page.run("document.getElementById('feed-hint').innerText"))
    assert not [url for url in page.requests() if "/_sentient/" in url and "/_sentient/page/" not in url]


def test_a_wrong_token_is_said_and_forgotten(page: Page, stub: Stub) -> None:
    open_page(page, stub, token="not-the-token-of-this-server")
    page.wait("document.getElementById('feed-hint').dataset.status === 'denied'")
    assert page.run("sessionStorage.getItem('sentient.inspection-token')") is None
    page.run(f"location.hash = 'token={TOKEN}'; 0")
    page.wait("document.readyState === 'complete' && document.getElementById('feed-hint').hidden && !location.hash")


def test_runs_can_be_chosen_and_the_newest_is_followed(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    ask(page, "streams")
    ask(page, "fail")
    page.wait("document.querySelectorAll('#run option').length === 3")
    page.wait("document.getElementById('entry-count').innerText === '4 entries'")
    page.run("document.querySelector('.turn [aria-label^=\"Show the events\"]').click()")
    page.wait("document.getElementById('entry-count').innerText === '11 entries'")
    ask(page, "streams")
    page.wait("document.querySelectorAll('#run option').length === 4")
    assert page.run("document.getElementById('run').value") != ""
    page.run("document.getElementById('run').value = ''")
    page.run("document.getElementById('run').dispatchEvent(new Event('change'))")
    page.wait("document.getElementById('entry-count').innerText === '11 entries'")


def test_ten_thousand_entries_are_few_elements(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    stub.do(lambda hub: hub.flood("f" * 32, 10_000))
    page.wait("document.getElementById('entry-count').innerText === '10,000 entries'")
    page.wait("document.querySelector('.row [class*=brief]').innerText.startsWith('step 99')")
    assert int(str(page.run("document.querySelectorAll('.row').length"))) < 80
    # Scrolled through from end to start, all of it can be reached.
    assert int(str(page.check("scrollThrough"))) < 80
    page.wait("document.querySelector('.row[aria-posinset=\"1\"]').innerText.includes('step 1')")


@pytest.mark.story("20.5")
def test_a_reload_is_told_and_a_broken_one_explained(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    page.wait("document.getElementById('badge').innerText === 'Generation 7'")
    stub.do(lambda hub: hub.say(generation=8, seconds=0.038))
    page.wait("document.querySelector('.toast')?.innerText === 'Reloaded in 38 ms'")
    stub.do(lambda hub: hub.say(status="broken", error={**_ERROR, "generation": 9}))
    page.wait("!document.getElementById('broken').hidden")
    text = str(page.run("document.getElementById('broken').innerText"))
    for part in (
        "Generation 9 does not load",
        "Generation 8 goes on answering",
        "agent.py cannot be imported: <b>SyntaxError</b>",
        "'(' was never closed",
        "/home/ada/<img src=x>/agent.py:12",
        "b = (",
        "To do: Correct line 12",
    ):
        assert part in text
    assert page.run("document.querySelector('.line.failing').innerText.trim()") == "12b = ("
    alert = (
        "Generation 9 does not load. agent.py cannot be imported: <b>SyntaxError</b>. Generation 8 goes on answering."
    )
    page.wait(f"document.getElementById('alerts').textContent === {json.dumps(alert)}")
    assert str(page.run("document.title")).startswith("✗ ")
    ask(page, "hello")  # the last good one goes on answering, below the overlay

    page.press("Escape")
    page.wait("document.getElementById('broken').hidden")
    assert page.run("document.getElementById('badge').innerText") == "Broken"
    page.click("#badge")
    page.wait("!document.getElementById('broken').hidden")
    stub.do(lambda hub: hub.say(status="ready", error=None, generation=10, seconds=1.25))
    page.wait("document.getElementById('broken').hidden")
    page.wait("document.getElementById('badge').innerText === 'Generation 10'")
    page.wait("[...document.querySelectorAll('.toast')].at(-1).innerText === 'Mended and reloaded in 1.3 s'")
    assert page.run("window.hacked") is None
    assert page.problems() == []


def test_what_was_before_the_page_was_opened_is_no_news(page: Page, stub: Stub) -> None:
    stub.do(lambda hub: hub.say(status="broken", error=_ERROR))
    stub.do(lambda hub: hub.say(status="ready", error=None, generation=9, seconds=1))
    open_page(page, stub)
    ask(page, "hello")
    page.wait(f"{_TYPES}.includes('finished')")
    assert page.run("document.getElementById('broken').hidden")
    assert page.run("document.querySelector('.toast')") is None
    stub.do(lambda hub: hub.say(status="broken", error={**_ERROR, "generation": 10}))
    page.wait("!document.getElementById('broken').hidden")
    page.call("Page.reload")
    page.wait("document.readyState === 'complete' && !document.getElementById('broken').hidden")


@pytest.mark.story("20.5")
def test_without_a_token_answers_tell_that_the_code_is_broken(page: Page, stub: Stub) -> None:
    open_page(page, stub, token=None)
    stub.do(lambda hub: setattr(hub, "broken_header", 4))
    ask(page, "hello")
    page.wait("document.getElementById('badge').innerText === 'Broken'")
    page.click("#badge")
    page.wait("!document.getElementById('broken').hidden")
    assert "without the inspection token" in page.text()
    stub.do(lambda hub: setattr(hub, "broken_header", None))
    ask(page, "hello")
    page.wait("document.getElementById('badge').hidden && document.getElementById('broken').hidden")


def test_the_stream_is_made_again_after_a_break(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    page.wait("document.getElementById('feed-hint').hidden && !document.getElementById('badge').hidden")
    page.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    stub.do(lambda hub: hub.cut_followers())
    page.wait("document.getElementById('feed-hint').dataset.status === 'lost'")
    page.wait("document.getElementById('badge').innerText === 'Not connected'")
    page.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    page.wait("document.getElementById('feed-hint').hidden")
    page.wait("document.getElementById('badge').innerText === 'Generation 7'")
    ask(page, "streams")
    page.wait(f"{_TYPES}.includes('finished')")


def test_the_picture_of_a_page_can_be_taken(page: Page, stub: Stub, tmp_path: Path) -> None:
    open_page(page, stub)
    page.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
