"""The files of runs: every entry comes back, and every torn end is told from damage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import StoreError
from sentient_cli.store.entry import Entry
from sentient_cli.store.jsonl import decode_header, decode_line, encode_entries, to_entry
from sentient_cli.store.ports import LogHead
from tests.store.adapters import entries, entry, opened_log

_JSON: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ENTRIES = st.builds(
    Entry,
    seq=st.integers(1, 2**40),
    at=st.integers(0, 2**63 - 1),
    type=st.from_regex(r"[a-z][a-z0-9_.-]{0,20}", fullmatch=True),
    data=st.one_of(
        st.binary(max_size=60),
        st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass")),
        _JSON.map(lambda value: json.dumps(value).encode()),
        _JSON.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")),
        _JSON.map(lambda value: json.dumps(value, indent=1).encode()),
    ),
)


def decode(text: bytes, blobs: dict[str, bytes]) -> list[Entry]:
    lines = [decode_line(line) for line in text.split(b"\n")[:-1]]
    return [to_entry(line, blobs.__getitem__) for line in lines if line is not None]


@pytest.mark.slow
@given(st.lists(ENTRIES, max_size=5))
def test_every_entry_comes_back(written: list[Entry]) -> None:
    blobs: dict[str, bytes] = {}
    text = encode_entries(written, blobs.__setitem__)
    assert text.count(b"\n") == len(written)
    text.decode()
    assert decode(text, blobs) == written


@given(st.binary(max_size=200))
def test_any_bytes_are_a_line_or_none(text: bytes) -> None:
    decode_line(text)
    decode_header(text)


def test_data_that_nests_deeply_comes_back() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    blobs: dict[str, bytes] = {}
    written = [entry(1, "run.started", deep)]
    assert decode(encode_entries(written, blobs.__setitem__), blobs) == written


def test_large_data_stands_apart() -> None:
    blobs: dict[str, bytes] = {}
    data = b"1" * (256 * 1024 + 1)
    text = encode_entries([entry(1, "run.started", data)], blobs.__setitem__)
    assert blobs == {hashlib.sha256(data).hexdigest(): data}
    assert len(text) < 200
    with pytest.raises(StoreError, match="damaged"):
        decode(text, dict.fromkeys(blobs, b"other"))


def test_json_stands_as_it_is() -> None:
    text = encode_entries([entry(1, "run.started", b'{"a":[1,2]}')], lambda digest, data: None)
    assert json.loads(text) == {"seq": 1, "at": entry(1).at, "type": "run.started", "data": {"a": [1, 2]}}


async def _stored(path: Path, batches: Sequence[Sequence[Entry]]) -> Path:
    async with opened_log("file", path) as log:
        for batch in batches:
            await log.append("r", batch)
    return path / "runs" / "r.jsonl"


@pytest.mark.slow
async def test_a_tail_torn_anywhere_is_passed_over_then_cut_off(tmp_path: Path) -> None:
    file = await _stored(tmp_path, [entries(1, 2), entries(3, 5)])
    whole = file.read_bytes()
    ends = [index + 1 for index, byte in enumerate(whole) if byte == 0x0A]
    for cut in range(ends[0], len(whole), 3):
        file.write_bytes(whole[:cut])
        kept = 2 if cut >= ends[2] else 0
        async with opened_log("file", tmp_path) as log:
            assert await log.read("r") == entries(1, kept)
            assert await log.runs() == (["r"] if kept else [])
            assert [run.run_id for run in await log.kept()] == (["r"] if kept else [])
            await log.append("r", entries(kept + 1, 6, finished=True))
            assert await log.read("r") == entries(1, 6, finished=True)


@pytest.mark.parametrize(
    "tail", [b"\0" * 300, b"\0\n\0\n", b"{}\n", b'{"seq":9,"at":1,"type":"event","data":1}', b"\n"]
)
async def test_a_tail_of_rubbish_is_cut_off(tmp_path: Path, tail: bytes) -> None:
    file = await _stored(tmp_path, [entries(1, 2)])
    file.write_bytes(file.read_bytes() + tail)
    async with opened_log("file", tmp_path) as log:
        assert await log.read("r") == entries(1, 2)
        await log.append("r", entries(3, 3))
        assert await log.read("r") == entries(1, 3)
        assert await log.unfinished() == ["r"]


async def test_damage_in_the_middle_is_never_cut_off(tmp_path: Path) -> None:
    file = await _stored(tmp_path, [entries(1, 1), entries(2, 2), entries(3, 3)])
    lines = file.read_bytes().split(b"\n")
    lines[2] = b"#" + lines[2][1:]
    file.write_bytes(b"\n".join(lines))
    async with opened_log("file", tmp_path) as log:
        assert await log.read("r") == entries(1, 1)
        with pytest.raises(StoreError, match="damaged"):
            await log.read("r", after=1)
        with pytest.raises(StoreError, match="damaged"):
            await log.append("r", entries(2, 2))
        with pytest.raises(StoreError, match="damaged"):
            await log.discard("r", before=2)
        assert file.read_bytes() == b"\n".join(lines)
        await log.discard("r")
        assert await log.head("r") is None


async def test_files_of_others_are_passed_over(tmp_path: Path) -> None:
    file = await _stored(tmp_path, [entries(1, 2)])
    (file.parent / "notes.txt").write_text("mine")
    (file.parent / "UPPER.jsonl").write_text("{}\n")
    (file.parent / "other.jsonl").write_text('{"a":1}\n')
    (file.parent / "empty.jsonl").touch()
    async with opened_log("file", tmp_path) as log:
        assert await log.runs() == ["r"]
        assert await log.read("other") == []
        await log.append("empty", entries(1, 1))
        assert await log.runs() == ["empty", "r"]


async def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    file = await _stored(tmp_path, [entries(1, 2)])
    file.write_bytes(file.read_bytes().replace(b'"schema":1', b'"schema":2'))
    async with opened_log("file", tmp_path) as log:
        with pytest.raises(StoreError, match="another version"):
            await log.read("r")
        with pytest.raises(StoreError, match="another version"):
            await log.append("r", entries(3, 3))
        assert await log.runs() == []


async def test_a_blob_that_is_gone_or_changed_is_an_error(tmp_path: Path) -> None:
    data = b"1" * 300_000
    await _stored(tmp_path, [[entry(1, "run.started"), entry(2, data=data)]])
    (blob,) = (tmp_path / "runs" / "r.blobs").iterdir()
    assert blob.name == hashlib.sha256(data).hexdigest()
    assert blob.stat().st_mode & 0o777 == 0o600
    async with opened_log("file", tmp_path) as log:
        blob.write_bytes(b"2" * 300_000)
        with pytest.raises(StoreError, match="SHA-256"):
            await log.read("r")
        blob.unlink()
        with pytest.raises(StoreError, match="cannot be used"):
            await log.read("r")
        assert await log.head("r") == LogHead(1, 2, finished=False)


async def test_a_blob_name_cannot_lead_elsewhere(tmp_path: Path) -> None:
    file = await _stored(tmp_path, [entries(1, 1)])
    line = b'{"seq":2,"at":1,"type":"event","blob":"../../secret"}\n'
    file.write_bytes(file.read_bytes() + line)
    async with opened_log("file", tmp_path) as log:
        with pytest.raises(StoreError, match="no SHA-256"):
            await log.read("r")


async def test_files_are_private(tmp_path: Path) -> None:
    file = await _stored(tmp_path, [entries(1, 1)])
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    async with opened_log("file", tmp_path) as log:
        with pytest.raises(StoreError, match="cannot be used"):
            await log.append("r", entries(1, 1))
        with pytest.raises(StoreError, match="cannot be used"):
            await log.runs()
