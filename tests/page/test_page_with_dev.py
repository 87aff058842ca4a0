"""The page as `sentient dev` serves it: asked, edited, broken and mended, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dev.developing import AGENT, developing
from tests.page.chromium import Page
from tests.page.test_page_browser import ask

pytestmark = pytest.mark.slow


@pytest.mark.story("20.5", "18.1")
def test_a_day_with_the_page(page: Page, tmp_path: Path) -> None:
    with developing(tmp_path / "project", env={"SENTIENT_SERVER_TOKEN": "the-token-of-the-callers"}) as dev:
        page.open(f"{dev.url}/#token={dev.token}")
        page.wait("document.getElementById('badge').innerText === 'Generation 1'")
        ask(page, "agent.py")
        page.wait("document.querySelector('.turn').innerText.includes('one')")
        page.wait("[...document.querySelectorAll('.row .type')].some((type) => type.innerText === 'finished')")

        dev.save("two")
        page.wait("document.querySelector('.toast')?.innerText.startsWith('Reloaded in')")
        ask(page, "agent.py")
        page.wait("[...document.querySelectorAll('.turn')].at(-1).innerText.includes('two')")

        dev.wait("broken", since=dev.write("agent.py", AGENT.format(version="three") + "\nx = (\n"))
        page.wait("!document.getElementById('broken').hidden")
        shown = str(page.run("document.getElementById('broken').innerText"))
        assert "agent.py is no valid Python" in shown
        assert "x = (" in shown
        page.picture(tmp_path / "broken.png")

        dev.save("three")
        page.wait("document.getElementById('broken').hidden")
        assert page.problems() == []


@pytest.mark.story("20.5")
def test_a_page_of_a_server_that_was_started_again_shows_nothing_stale(page: Page, tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        page.open(f"{dev.url}/#token={dev.token}")
        page.wait("document.getElementById('badge').innerText === 'Generation 1'")
        assert page.run("document.activeElement.id") == "prompt", "whoever comes can type"
        port = dev.url.rpartition(":")[2]
    with developing(tmp_path / "project", "--port", port) as dev:
        assert dev.url.endswith(f":{port}")
        page.wait("document.getElementById('badge').hidden")
        ask(page, "agent.py")


@pytest.mark.story("20.5")
def test_code_that_never_loaded_is_explained_and_its_first_good_save_answers(page: Page, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "agent.py").write_text("x = (\n")
    with developing(project, ready=False) as dev:
        dev.wait("broken")
        dev.wait_announced()
        page.open(f"{dev.url}/#token={dev.token}")
        page.wait("!document.getElementById('broken').hidden")
        assert "Nothing answers until this is mended" in str(page.run("document.getElementById('broken').innerText"))
        dev.write("agent.py", AGENT.format(version="mended"))
        dev.wait_ready()
        page.wait("document.getElementById('broken').hidden")
        ask(page, "agent.py")
        page.wait("document.querySelector('.turn').innerText.includes('mended')")


_CRASHING = """
import asyncio, ctypes

from sentient_cli import agent


@agent
async def crashing(session, query, response):
    if query.prompt == "at once":
        ctypes.string_at(0)
    async with response.stream("ANSWER") as stream:
        await stream.write("here")
        if query.prompt == "later":
            ctypes.string_at(0)
"""


@pytest.mark.story("20.5")
def test_a_crash_is_told_with_signal_and_place_where_the_answer_ends(page: Page, tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent=_CRASHING) as dev:
        page.open(f"{dev.url}/#token={dev.token}")
        page.wait("document.getElementById('badge').innerText === 'Generation 1'")
        for number, (prompt, line, outcome) in enumerate((("later", 14, "Failed"), ("at once", 10, "Not accepted"))):
            ask(page, prompt)
            page.wait("document.querySelector('.toast')?.innerText.includes('killed by SIGSEGV')")
            box = f"document.querySelectorAll('.turn')[{number * 2}]"
            page.wait(f"{box}?.querySelector('.foot, .status')?.innerText.includes('{outcome}')")
            said = str(page.run(f"{box}.innerText"))
            assert f"ended: killed by SIGSEGV at agent.py:{line}. It used memory that is" in said
            ask(page, "hello")
            page.wait(f"document.querySelectorAll('.turn')[{number * 2 + 1}]?.innerText.includes('Done')")
        page.picture(tmp_path / "crash.png")
        page.open(f"{dev.url}/")  # without the token it is said that it ended, and not why
        page.run("sessionStorage.clear(), location.reload()")
        page.wait("document.querySelector('.turn')?.innerText.includes('ended in the middle of this answer')")
        assert "Broken off" in str(page.run("document.querySelector('.turn').innerText"))
