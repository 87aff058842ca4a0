"""Frames as workers send them, and a channel that hands them over."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sentient_cli.dev.messages import BLOB, BlobHead, EntriesHead
from sentient_cli.errors import StoreError
from sentient_cli.store.entry import Entry
from sentient_cli.store.jsonl import encode_entries


def entry(seq: int, kind: str = "event", data: bytes = b"{}") -> Entry:
    return Entry(seq, 1_700_000_000_000_000_000 + seq, kind, data)


def entries(first: int, last: int, *, finished: bool = False, data: bytes = b"{}") -> list[Entry]:
    """Entries that continue a log; the first of a log starts it, and the last may finish it."""
    made = [entry(seq, "run.started" if seq == 1 else "event", data) for seq in range(first, last + 1)]
    if finished:
        made[-1] = entry(last, "run.finished", b'{"outcome":"done","totals":{"events":7}}')
    return made


def no_blob(digest: str, data: bytes) -> None:
    raise AssertionError(digest)


def frame(run: str, batch: Sequence[Entry]) -> tuple[EntriesHead, bytes]:
    """What the hub takes of a frame."""
    head = EntriesHead(run, batch[0].seq, batch[-1].seq, batch[-1].type == "run.finished")
    return head, encode_entries(batch, no_blob)


class Channel:
    """Keeps the frames, and says which there are."""

    def __init__(self) -> None:
        self.entries: list[tuple[EntriesHead, bytes]] = []
        self.blobs: list[tuple[BlobHead, bytes]] = []
        self.drained = 0
        self.gone = False

    def send(self, kind: int, header: bytes, payload: bytes) -> None:
        if self.gone:
            raise StoreError("The hub is gone")
        assert b"\n" not in header
        if kind == BLOB:
            self.blobs.append((msgspec.json.decode(header, type=BlobHead), payload))
        else:
            at = 0
            for head in msgspec.json.decode(header, type=list[EntriesHead]):
                self.entries.append((head, payload[at : at + head.size]))
                at += head.size
            assert at == len(payload)

    async def drain(self) -> None:
        self.drained += 1
