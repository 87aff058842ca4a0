"""The browser and the server of the page's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.page.chromium import Browser, Page, find_chromium, running_browser
from tests.page.page_stub import Stub, running_stub


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; without one its tests are skipped."""
    path = find_chromium()
    if path is None:
        pytest.skip("there is no Chromium: install the package `chromium`, or name one in SENTIENT_TEST_CHROMIUM")
    with running_browser(path) as running:
        yield running


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A server with the page."""
    with running_stub() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of the size of a small laptop's."""
    with browser.page() as made:
        yield made
