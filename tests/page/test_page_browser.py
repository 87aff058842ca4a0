"""The page in a real browser: asking, stopping, resuming, sessions, keys."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from tests.page.chromium import Browser, Page, find_chromium
from tests.page.page_stub import TOKEN, Stub

pytestmark = pytest.mark.slow

_FOCUSED = (
    """((focused) => focused.getAttribute("aria-label") || focused.innerText || focused.id)(document.activeElement)"""
)
_ENDED = "document.querySelectorAll('.turn').length === {} && !document.querySelector('.turn.running')"


def open_page(page: Page, stub: Stub, token: str | None = TOKEN) -> None:
    """Open the page, and wait until it knows its agent."""
    assert httpx.get(stub.url).status_code == 200
    page.open(stub.url + (f"#token={token}" if token else ""))
    page.wait("document.getElementById('agent').textContent === 'weather-guide'")


def ask(page: Page, prompt: str, *, turns: int | None = None) -> None:
    """Ask, and wait for the end of the answer; with ``turns`` 0 only until it has begun."""
    before = int(str(page.run("document.querySelectorAll('.turn').length")))
    page.run("document.getElementById('prompt').focus()")
    page.type(prompt)
    page.press("Enter")
    if turns == 0:
        page.wait("document.querySelector('.turn.running .block')")
    else:
        page.wait(_ENDED.format(turns or before + 1), 40)


def answer(page: Page) -> str:
    """The text of the newest answer."""
    return str(page.run("[...document.querySelectorAll('.turn')].at(-1).querySelector('.answer').innerText"))


def foot(page: Page) -> str:
    """How the newest answer ended."""
    return str(page.run("[...document.querySelectorAll('.turn')].at(-1).querySelector('footer').innerText"))


@pytest.mark.story("20.5")
def test_an_answer_is_shown_with_all_that_it_has(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    assert page.run("document.getElementById('welcome').hidden") is False
    ask(page, "weather in Lisbon")
    for selector in (
        "strong", "em", "a[rel~=noopener]", "h4", "table td.right", "ol li ul li", "figure.code pre", "blockquote",
        ".task .box.done", ".is-json .branch[aria-expanded=true]",
    ):  # fmt: skip
        assert page.run(f"document.querySelectorAll('.answer {selector}').length"), selector
    assert page.run("[...document.querySelectorAll('.label .name')].map((e) => e.innerText)") == [
        "PLAN",
        "SOURCES",
        "ANSWER",
    ]
    assert re.match(r"Done · [\d.]+ m?s · \d+ events", foot(page))
    assert page.run("document.title") == "weather in Lisbon · weather-guide"
    assert str(page.run("document.getElementById('announcer').textContent")).startswith("Answer: Looking up")
    assert page.problems() == []


@pytest.mark.story("20.5")
def test_streams_that_interleave_stand_in_the_order_in_which_they_began(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    ask(page, "streams")
    assert page.run("[...document.querySelectorAll('.body')].map((e) => e.innerText)") == ["abcd", "ABC"]


def test_errors_are_told_and_do_not_hide_what_came_before(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    ask(page, "fail")
    assert "This still works." in answer(page)
    assert "The search is down 503" in answer(page)
    assert foot(page).startswith("Failed")
    ask(page, "raise")
    assert "500" in answer(page)
    assert "password" not in answer(page)
    stub.do(lambda hub: setattr(hub, "refuse", 503))
    ask(page, "hello")
    assert "There is no good generation" in answer(page)
    stub.do(lambda hub: setattr(hub, "refuse", None))
    page.click(".problem button")
    page.wait(_ENDED.format(4))
    assert answer(page).endswith("hello")


def test_an_event_called_done_is_no_end(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    ask(page, "done")
    assert "And one after it." in answer(page)


@pytest.mark.story("20.5")
def test_a_run_is_stopped(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    for way in ("key", "button"):
        ask(page, "wait", turns=0)
        assert str(page.run("document.title")).startswith("● ")
        assert page.run("document.getElementById('send').getAttribute('aria-label')") == "Stop"
        if way == "key":
            page.press("Escape")
        else:
            page.click("#send")
        page.wait("!document.querySelector('.turn.running')")
        assert foot(page).startswith("Stopped")
        assert "Thinking about it…" in answer(page)
        assert "499" not in answer(page)


@pytest.mark.story("20.5")
def test_a_broken_stream_is_resumed(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    stub.do(lambda hub: setattr(hub, "cut_after", 2))
    ask(page, "many 3000")
    words = re.findall(r"word(\d+)", answer(page))
    assert words == [str(number) for number in range(3000) if number % 40]
    assert foot(page).startswith("Done")
    assert any("/events" in url for url in page.requests())


@pytest.mark.story("20.5")
def test_sessions_are_kept_named_deleted_and_brought_back(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    ask(page, "turns one")
    assert "There were 0 turns" in answer(page)
    ask(page, "turns two")
    assert "There were 1 turns" in answer(page)
    page.press("k", control=True)
    page.wait("document.querySelectorAll('.turn').length === 0")
    ask(page, "turns three")
    assert "There were 0 turns" in answer(page)
    names = "[...document.querySelectorAll('#sessions .session-name')].map((e) => e.innerText)"
    assert page.run(names) == ["turns three", "turns one"]

    page.run("document.querySelectorAll('#sessions .session')[1].click()")
    page.wait(_ENDED.format(2))
    assert "There were 1 turns" in answer(page)
    page.run("document.querySelectorAll('#sessions .session')[1].focus()")
    page.press("F2")
    page.type("A better name")
    page.press("Enter")
    assert page.run(names) == ["turns three", "A better name"]

    page.open(stub.url + "?again")
    page.wait("document.querySelectorAll('.turn').length === 2 && !document.querySelector('.turn.running')")
    assert "There were 1 turns" in answer(page)  # from the server: only names and prompts are kept in the browser
    assert "There were" not in str(page.run("JSON.stringify(localStorage)"))
    page.run("document.querySelector('#sessions li:has([aria-current]) [aria-label^=Delete]').click()")
    page.wait(f"JSON.stringify({names}) === '[\"turns three\"]'")
    page.click(".toast button")
    page.wait(f"{names}.length === 2")


def test_a_page_that_is_opened_again_goes_on_with_a_running_answer(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    ask(page, "wait", turns=0)
    page.call("Page.reload")
    page.wait("document.querySelector('.turn.running .block')?.innerText.includes('Thinking')")
    page.press("Escape")
    page.wait("document.querySelector('.turn footer')?.innerText.startsWith('Stopped')")


def test_what_the_server_does_not_keep_is_said(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    session = {
        "id": "01JS4F4Z5V0000000000000001", "title": "Old", "agent": "weather-guide", "updated": 10**13,
        "turns": [{"run": "0" * 32, "prompt": "Long ago", "at": 1, "outcome": "done"}],
    }  # fmt: skip
    page.run(f"localStorage.setItem('sentient.session.{session['id']}', {json.dumps(json.dumps(session))}); 0")
    page.run("sessionStorage.removeItem('sentient.chosen-session'); 0")
    page.call("Page.reload")
    page.wait("document.querySelector('.problem')")
    assert "does not keep this answer any more" in page.text()


@pytest.mark.story("18.1")
def test_the_keyboard_is_enough(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    page.run("document.activeElement.blur()")
    page.press("/")
    page.wait("document.activeElement.id === 'prompt'")
    page.type("one")
    page.press("Enter", shift=True)
    page.type("two")
    assert page.run("document.getElementById('prompt').value") in {"one\ntwo", "onetwo"}
    page.run("document.getElementById('prompt').value = ''")
    page.press("Enter")
    assert page.run("document.querySelectorAll('.turn').length") == 0
    ask(page, "hello")
    page.press("ArrowUp")
    assert page.run("document.getElementById('prompt').value") == "hello"
    page.run("document.activeElement.blur(); document.getElementById('prompt').value = ''")
    seen: list[object] = []
    for _ in range(40):
        page.press("Tab")
        seen.append(page.run(_FOCUSED))
    assert page.run("!!document.querySelector('.skip')")
    for label in ("Sessions", "Events", "New session", "Ask this again", "Copy the answer", "prompt"):
        assert any(str(name).startswith(label) for name in seen), (label, seen)


def test_the_theme_is_chosen_and_kept(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    colours: list[object] = []
    for _ in range(4):
        colours.append(page.run("getComputedStyle(document.body).backgroundColor"))
        page.click("#theme")
    light, *rest = colours
    assert rest[0] == light  # light, as the system is
    assert rest[1] != light
    assert rest[2] == light
    page.click("#theme")  # light was shown again: now dark
    page.call("Page.reload")
    page.wait("document.documentElement.dataset.theme === 'dark'")
    page.dark()
    assert page.run("getComputedStyle(document.body).backgroundColor") == rest[1]


def test_the_units_pass_in_the_browser_too(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    script = (
        (Path(__file__).parent / "page_unit.js")
        .read_text("utf-8")
        .replace("export async function run", "async function run")
    )
    names = ["clean", "ulid", "sse", "markdown", "sessions", "entries", "wire", "json_tree"]
    load = ", ".join(f"{name}: await import('/_sentient/page/{name}.js')" for name in names)
    result = page.run(f"(async () => {{ {script}\nreturn await run({{ {load} }}); }})()")
    assert isinstance(result, dict)
    assert result["failed"] == []
    assert result["passed"] >= 20


def test_a_browser_is_found() -> None:
    assert find_chromium()


def test_two_pages_share_their_sessions_and_do_not_overwrite_them(browser: Browser, stub: Stub) -> None:
    with browser.page() as one, one.another() as two:
        open_page(one, stub)
        open_page(two, stub)
        ask(one, "first")
        two.wait("document.querySelectorAll('#sessions .session').length === 2")
        ask(two, "second")
        one.wait("document.querySelectorAll('#sessions .session').length === 2")
        assert one.run("Object.keys(localStorage).filter((key) => key.startsWith('sentient.session.')).length") == 2
