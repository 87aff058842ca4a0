"""Whatever is done to a tree: after a while, what was told leads to what is there, and nothing ignored is ever told."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentient_cli.dev.watching.watch import Scope
from tests.dev.watch_kit import Told, matters, watching

_Operation: TypeAlias = tuple[str, int, int, str]

_FOLDERS = (".", "a", "a/b", "c", "node_modules", "a/.venv", "a/skipped")
_NAMES = ("agent.py", "prompt.md", "other.py", "run.log", ".agent.py.swp", "agent.py~")
_PLACES = [f"{folder}/{name}".removeprefix("./") for folder in _FOLDERS for name in _NAMES]
_KINDS = ("save", "save", "save", "atomic", "touch", "delete", "move", "remove tree", "move tree", "directory", "wait")
_operation = st.tuples(
    st.sampled_from(_KINDS),
    st.integers(0, len(_PLACES) - 1),
    st.integers(0, len(_PLACES) - 1),
    st.sampled_from(["", "one", "two", "three"]),
)


def _clear(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _room(path: Path, top: Path) -> None:
    """Make the directory that a path is in, in place of whatever is in its way."""
    for parent in reversed(path.parents):
        if top in parent.parents and not parent.is_dir():
            _clear(parent)
            parent.mkdir()


def _do(top: Path, operation: _Operation) -> None:
    kind, first, second, text = operation
    path, other = top / _PLACES[first], top / _PLACES[second]
    if kind in {"save", "atomic", "directory"}:
        _room(path, top)
        if path.is_dir() or kind == "directory":
            _clear(path)
        _put(kind, path, text)
    elif kind in {"move", "move tree"}:
        _move(kind, path, other, top)
    elif kind == "touch" and path.exists():
        path.touch()
    elif kind == "delete":
        _clear(path)
    elif kind == "remove tree" and path.parent != top:
        _clear(path.parent)


def _put(kind: str, path: Path, text: str) -> None:
    if kind == "directory":
        path.mkdir()
    elif kind == "save":
        path.write_text(text)
    else:
        path.with_name("agent.py.tmp").write_text(text)
        path.with_name("agent.py.tmp").replace(path)


def _move(kind: str, path: Path, other: Path, top: Path) -> None:
    source, target = (path, other) if kind == "move" else (path.parent, top / "moved" / other.name)
    if source in {top, target} or not (source.is_file() if kind == "move" else source.is_dir()):
        return
    _room(target, top)
    if source.exists() and source not in target.parents and target not in source.parents:
        _clear(target)
        source.rename(target)


def _contents(top: Path, scope: Scope) -> dict[Path, str]:
    return {path: path.read_text() for path in top.rglob("*") if path.is_file() and matters(scope, path)}


class _Reader:
    """Knows of the files what it was told to read again, as the agent's code does."""

    def __init__(self, top: Path, scope: Scope, told: Told) -> None:
        self._top = top
        self._scope = scope
        self._told = told
        self._read = _contents(top, scope)
        self._seen = 0

    def _catch_up(self) -> bool:
        for changed in self._told.sets[self._seen :]:
            for path in changed:
                assert matters(self._scope, path), path
                if path.is_file():
                    self._read[path] = path.read_text()
                else:
                    self._read.pop(path, None)
        self._seen = len(self._told.sets)
        return self._read == _contents(self._top, self._scope)

    async def settled(self) -> None:
        await self._told.until(self._catch_up)


async def _play(operations: list[_Operation], top: Path) -> None:
    scope = Scope(top, ignore=["skipped"])
    for number, place in enumerate(_PLACES[::2]):
        _room(top / place, top)
        (top / place).write_text(f"{number}")
    async with watching(scope) as told:
        reader = _Reader(top, scope, told)
        for operation in operations:
            if operation[0] == "wait":
                await reader.settled()
            else:
                _do(top, operation)
                await asyncio.sleep(0)
        await reader.settled()
        assert await told.quiet(top / "beacon.py") is not None
        for changed in told.sets:
            assert all(matters(scope, path) for path in changed)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_operation, max_size=25))
async def test_what_is_told_leads_to_what_is_there(operations: list[_Operation]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        await _play(operations, Path(folder))
