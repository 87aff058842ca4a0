"""The link that `sentient dev` opens a browser with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from sentient_cli.server.tickets import Tickets
from tests.dev.developing import Developing, developing, wait_until

_NOBODY = 65534


def opened(dev: Developing, given: Path) -> str:
    """What the browser was started with."""
    wait_until(lambda: given.is_file() and given.read_text().endswith("\n"), "the browser is started")
    return given.read_text().strip()


def follow(link: str) -> str:
    """Where a link leads."""
    answer = httpx.get(link, timeout=150)
    assert (answer.status_code, answer.headers["cache-control"]) == (303, "no-store")
    return str(answer.headers["location"])


def follow_as_another(link: str) -> str:
    """What another user of this machine is answered."""
    split = urlsplit(link)
    script = (
        f'exec 3<>/dev/tcp/{split.hostname}/{split.port}; printf "GET {split.path} HTTP/1.1\\r\\n'
        f'Host: localhost\\r\\nConnection: close\\r\\n\\r\\n" >&3; cat <&3'
    )
    done = subprocess.run(
        ["/bin/bash", "-c", script], user=_NOBODY, cwd="/", capture_output=True, text=True, timeout=150, check=True
    )
    return done.stdout


@pytest.mark.story("20.5")
def test_the_link_of_the_browser_is_worth_something_once_and_to_this_user(tmp_path: Path) -> None:
    browser, given = tmp_path / "browser", tmp_path / "given"
    browser.write_text(f'#!/bin/sh\necho "$1" > {given}\n')
    browser.chmod(0o755)
    with developing(tmp_path / "project", "--open", env={"BROWSER": f"{browser} %s"}) as dev:
        link = opened(dev, given)
        assert link.startswith(f"{dev.url}/_sentient/open/")
        assert dev.token not in link
        if os.getuid() == 0:
            answer = follow_as_another(link)
            assert answer.startswith("HTTP/1.1 303 ")
            assert dev.token not in answer
        assert follow(link) == f"/#token={dev.token}"
        assert follow(link) == "/"
        assert follow(f"{dev.url}/_sentient/open/guessed") == "/"
        assert httpx.get(link, headers={"sec-fetch-site": "cross-site"}, timeout=150).status_code == 403


def test_links_end_with_time_and_with_newer_ones() -> None:
    now = [0.0]
    tickets = Tickets(lambda: now[0])
    made = [tickets.link("").rpartition("/")[2] for _ in range(9)]
    assert [tickets.is_valid(ticket) for ticket in made] == [False] + [True] * 8
    now[0] = 61.0
    assert not any(map(tickets.take, made))
    assert tickets.take(tickets.link("").rpartition("/")[2])
