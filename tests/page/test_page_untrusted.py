"""The page in a real browser: what agents, models and files say is text, however hostile, long or deep."""

from __future__ import annotations

import pytest

from tests.page.chromium import Browser, Page
from tests.page.page_stub import Stub
from tests.page.test_page_browser import answer, ask, foot, open_page

pytestmark = pytest.mark.slow

_HIDDEN = r"/[\u202a-\u202e\u2066-\u2069\u200b-\u200f\u001b\u{e0000}-\u{e0fff}]/u"


@pytest.mark.story("20.5")
def test_hostile_text_stays_text(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    ask(page, "hostile")
    assert page.check("made") == 0
    assert page.run("[...document.querySelectorAll('.answer a')].map((a) => a.href)") == [
        "https://example.org/",
        "https://evil.example/",
    ]
    assert '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">' in answer(page)
    assert "[click](javascript:window.hacked=1)" in answer(page)
    assert "evil zerowidth red tags" in answer(page)
    assert page.run(f"{_HIDDEN}.test(document.body.innerText)") is False
    assert "\\u202e\\u200b" in answer(page)  # JSON shows what it holds
    assert page.run("window.hacked") is None
    page.run("document.querySelectorAll('.row .entry').forEach((row) => row.click())")
    assert page.run("window.hacked") is None
    # Nothing was even tried: no address that the text named was asked for, and no rule of the page was broken.
    assert all(url.startswith(stub.url) for url in page.requests())
    assert page.problems() == []


def test_hostile_questions_and_names_stay_text(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    ask(page, "<img src=x onerror=window.hacked=1>\u202e**bold**")
    assert page.run("document.querySelector('.prompt').innerText") == "<img src=x onerror=window.hacked=1>**bold**"
    assert page.run("document.querySelectorAll('.prompt *, .session-name *').length") == 0
    assert page.run(f"{_HIDDEN}.test(document.title)") is False
    assert page.run("window.hacked") is None


def test_the_page_itself_cannot_make_elements_from_text(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    for script in (
        "document.body.innerHTML = '<b>x</b>'",
        "document.body.insertAdjacentHTML('beforeend', '<b>x</b>')",
        "new DOMParser().parseFromString('<b>x</b>', 'text/html')",
        "document.createElement('script').text = 'window.hacked = 1'",
    ):
        refused = f"(() => {{ try {{ {script}; return 'done'; }} catch (error) {{ return error.name; }} }})()"
        assert page.run(refused) == "TypeError", script


def test_five_thousand_chunks(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    ask(page, "many 5000")
    assert answer(page).count("word") == 4875
    assert page.run("document.querySelectorAll('.turn .prose p').length") == 125
    assert page.check("atEnd")


def test_a_huge_text_is_cut_in_the_page_and_can_be_copied(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    ask(page, "huge")
    assert int(str(page.run("document.querySelector('.prose').textContent.length"))) < 210_000
    assert "1,720,000 more characters are not shown" in answer(page)
    page.run("navigator.clipboard.writeText = async (text) => { window.copied = text.length; }; 0")
    page.run("document.querySelector('.tools [aria-label^=Copy]').click()")
    page.wait("window.copied >= 1919990")


def test_many_parts_are_counted(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    ask(page, "blocks 3000")
    assert page.run("document.querySelectorAll('.block').length") == 400
    assert "2,600 more parts are not shown here" in answer(page)
    assert "3,001 events" in foot(page)


def test_deep_and_wide_json(page: Page, stub: Stub) -> None:
    open_page(page, stub)
    ask(page, "deep 700")
    assert "9007199254740993" in answer(page)
    assert int(str(page.run("document.querySelectorAll('.answer .json *').length"))) < 1000
    assert int(str(page.check("openAll", "in"))) > 600
    assert "reached" in answer(page)
    assert page.check("openAll", "wide") == 1
    assert "100 more of 4,900" in answer(page)
    for depth in (1000, 50_000):
        assert int(str(page.check("deepTree", depth))) < 1000


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_window_and_everything_can_be_read(
    browser: Browser, stub: Stub, width: int, *, dark: bool
) -> None:
    with browser.page(width, 740, dark=dark) as page:
        open_page(page, stub)
        ask(page, "weather")
        ask(page, "fail")
        assert page.check("overflows") is False
        assert page.check("lowContrast") == []
        assert page.check("nameless") == []
        assert page.problems() == []
