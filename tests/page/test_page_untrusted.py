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
    assert page.run("document.querySelectorAll('.answer :is(script, img, iframe, object, b, i, u, form, style)').length") == 0
    assert page.run("document.querySelectorAll('.answer svg:not(.icon)').length") == 0
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
    assert page.run("(() => { const c = document.getElementById('conversation'); return c.scrollHeight - c.scrollTop - c.clientHeight < 5; })()")


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
    ask(page, "deep 1000")
    assert "12345678901234567890" in answer(page)
    assert int(str(page.run("document.querySelectorAll('.answer .json *').length"))) < 1000
    opened = page.run("""(async () => {
      let count = 0;
      for (;;) {
        const next = [...document.querySelectorAll('.answer details.branch:not([open])')].find((d) => d.querySelector('.key').textContent === 'in');
        if (!next) return count;
        next.open = true;
        count += 1;
        await new Promise((resolve) => setTimeout(resolve));
      }
    })()""")
    assert int(str(opened)) > 900
    page.wait("[...document.querySelectorAll('.leaf')].some((leaf) => leaf.textContent.includes('reached'))")
    page.run("[...document.querySelectorAll('.answer details.branch')].find((d) => d.querySelector('.key')?.textContent === 'wide').open = true; 0")
    page.wait("[...document.querySelectorAll('.more')].some((more) => more.textContent === '100 more of 4,900')")


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_window_and_everything_can_be_read(
    browser: Browser, stub: Stub, width: int, *, dark: bool
) -> None:
    with browser.page(width, 740, dark=dark) as page:
        open_page(page, stub)
        ask(page, "weather")
        ask(page, "fail")
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
        assert page.run("(() => { const c = document.getElementById('conversation'); return c.scrollWidth <= c.clientWidth; })()")
        assert page.run(_LOW_CONTRAST) == []
        assert page.run(_NAMELESS) == []
        assert page.problems() == []


_LOW_CONTRAST = """(() => {
  const parse = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith('color(srgb') ? [...found.slice(0, 3).map((part) => part * 255), found[3] ?? 1] : [...found.slice(0, 3), found[3] ?? 1];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0.95) return colour;
    }
    return [255, 255, 255, 1];
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || !parent.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || parent.closest('.unseen, option, noscript, script')) continue;
    const [a, b] = [light(parse(getComputedStyle(parent).color)), light(behind(parent))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${node.data.trim().slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return low;
})()"""

_NAMELESS = """[...document.querySelectorAll('button, a, input, select, textarea, [role=region], nav, main, aside, img')]
  .filter((node) => node.checkVisibility() && node.tagName !== 'MAIN')
  .filter((node) => !(node.getAttribute('aria-label') || node.getAttribute('aria-labelledby') || node.innerText?.trim()
    || node.labels?.length || node.getAttribute('alt') !== null))
  .map((node) => node.outerHTML.slice(0, 120))"""
