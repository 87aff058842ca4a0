"""What a file's writer knows without reading, and reads when it is asked for after all."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.store.file import FileEventLog
from sentient_cli.store.ports import LogHead
from tests.store.adapters import entries


@pytest.mark.slow
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(1, 4), st.booleans()), min_size=1, max_size=12))
async def test_whoever_writes_and_forgets_the_log_is_the_same(steps: list[tuple[bool, int, bool]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        writers = FileEventLog(Path(directory)), FileEventLog(Path(directory))
        first, last = 1, 0
        for second, count, forget in steps:
            writer = writers[second]
            await writer.append("r", entries(last + 1, last + count))
            last += count
            if forget:
                first = last
                await writer.discard("r", before=first)
            assert await writers[not second].head("r") == LogHead(first, last, finished=False)
        for writer in writers:
            assert await writer.read("r", after=first - 1) == entries(1, last)[first - 1 :]
            await writer.aclose()


async def test_a_torn_tail_behind_what_was_just_written_is_cut_off(tmp_path: Path) -> None:
    log = FileEventLog(tmp_path)
    await log.append("r", entries(1, 3))
    with (tmp_path / "r.jsonl").open("ab") as file:
        file.write(b'{"seq":4,"at":1,"ty')
    await log.append("r", entries(4, 5))
    assert await log.read("r") == entries(1, 5)
    await log.aclose()
