"""What the program keeps during a test holds no key of the tests, in no form: all that the suite writes is swept."""

from __future__ import annotations

import contextlib
import functools
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.credentials.canary_kit import CANARY, forms
from tests.support.stored_keys import KEY, OTHER, THIRD

_FOLDERS = frozenset({"sentient", ".sentient"})
"""What the program calls its own folders for settings, data, state, caches and sockets, and those in projects."""


@functools.cache
def _pattern() -> re.Pattern[bytes]:
    """Every form of every key that tests store."""
    texts = {form for key in (KEY, OTHER, THIRD, CANARY) for form in forms(key).values()}
    return re.compile(b"|".join(re.escape(text.encode()) for text in sorted(texts)))


def _files(folder: Path) -> Iterator[Path]:
    """The files in folders of the program's own below a folder; what other programs make there is passed over."""
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_dir():
            continue
        if path.name in _FOLDERS:
            yield from (each for each in path.rglob("*") if each.is_file() and not each.is_symlink())
        elif path.name != "node_modules" and not (path / "pyvenv.cfg").exists():
            yield from _files(path)


def _found_in(path: Path) -> str:
    if path.stat().st_size == 0:
        return ""  # it cannot be mapped
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = _pattern().search(data)
        return repr(data[max(0, found.start() - 60) : found.start()]) if found else ""


@pytest.fixture(autouse=True)
def swept(request: pytest.FixtureRequest, isolated: None, tmp_path: Path) -> Iterator[None]:
    """Fail a test after which a key is in a file of the program's own."""
    yield
    told: list[str] = []
    with contextlib.suppress(OSError):  # what is removed meanwhile holds nothing
        for path in _files(tmp_path):
            with contextlib.suppress(OSError):
                found = _found_in(path)
                told += [f"{path.relative_to(tmp_path)} behind {found}"] if found else []
    if told and "spills" not in request.fixturenames:
        pytest.fail(f"a key is in {'; '.join(told[:5])}")


@pytest.fixture
def spills() -> None:
    """For a test that has keys written where they must not be."""
