"""Masked entries of a run as one batch: the chunks of a stream become lines without a step of Python for each part."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from typing_extensions import override

from sentient_cli.runtime.chunks import ChunkEncoder, ChunkEntry
from sentient_cli.runtime.events import encode_texts
from sentient_cli.store.batch import EntryBatch, KeepBlob
from sentient_cli.store.entry import LogEntry
from sentient_cli.store.jsonl import encode_line
from sentient_cli.store.rules import BLOB_BYTES

__all__ = ["ChunkShape", "MaskedBatch"]

_LONGEST_TEXT = BLOB_BYTES // 8
"""A text of so many characters stays below the size from which data is kept apart, however it is escaped."""
_ENDS = (b"}}\n", *(b'},"left":%d}\n' % left for left in range(1, 512)))
"""How the line of a chunk ends that so many entries of the same append follow."""
_PARTS = 6
"""Of the line of a chunk."""
_encode_lines = msgspec.json.Encoder().encode_lines


class ChunkShape:
    """What the lines of all chunks of one stream have before the id, and between the id and the text.

    Args:
        encoder: That of the stream.
    """

    __slots__ = ("after_id", "before_id")

    def __init__(self, encoder: ChunkEncoder) -> None:
        # A control character is escaped in every name, and this one is not escaped.
        before, _, after = encoder.encode(b"\0", "").partition(b"\0")
        self.before_id: bytes = b',"type":"event","data":' + before
        self.after_id: bytes = after.removesuffix(b'""}')


class MaskedBatch(EntryBatch):
    """Entries without secrets.

    Args:
        entries: The entries.
        shape_of: Gives the shape of a stream's chunks.
    """

    __slots__ = ("_masked", "_shape_of")

    def __init__(self, entries: Sequence[LogEntry], shape_of: Callable[[ChunkEncoder], ChunkShape]) -> None:
        super().__init__()
        self._masked = entries
        self._shape_of = shape_of

    @override
    def source(self) -> Sequence[LogEntry]:
        """The entries as they are held."""
        return self._masked

    @override
    def lines(self, keep_blob: KeepBlob) -> bytes:
        """The lines of all entries."""
        parts: list[bytes] = []
        chunks: list[ChunkEntry] = []
        encoder: ChunkEncoder | None = None
        left = len(self._masked)
        for entry in self._masked:
            if isinstance(entry, ChunkEntry):
                if entry.encoder is not encoder:
                    if chunks:
                        left = self._add_chunks(parts, chunks, left, keep_blob)
                    chunks, encoder = [], entry.encoder
                chunks.append(entry)
                continue
            if chunks:
                left = self._add_chunks(parts, chunks, left, keep_blob)
                chunks = []
            left -= 1
            encoder = None
            parts.append(encode_line(entry, left, keep_blob))
        if chunks:
            self._add_chunks(parts, chunks, left, keep_blob)
        return b"".join(parts)

    def _add_chunks(self, parts: list[bytes], chunks: Sequence[ChunkEntry], left: int, keep_blob: KeepBlob) -> int:
        """Add the lines of chunks of one stream, and return how many of the ``left`` entries follow them."""
        count = len(chunks)
        after = left - count
        texts = [chunk.text for chunk in chunks]
        whole = "".join(texts)
        if len(whole) > _LONGEST_TEXT and max(map(len, texts)) > _LONGEST_TEXT:
            parts += [encode_line(chunk, left - place, keep_blob) for place, chunk in enumerate(chunks, 1)]
            return after
        shape = self._shape_of(chunks[0].encoder)
        line = [shape.before_id] * (_PARTS * count)
        line[0::_PARTS] = _beginnings(chunks)
        line[2::_PARTS] = [chunk.event_id for chunk in chunks]
        line[3::_PARTS] = [shape.after_id] * count
        # No string has a line feed as JSON.
        line[4::_PARTS] = _encode_lines(texts).split(b"\n")[:-1] if whole.isascii() else encode_texts(texts)
        line[5::_PARTS] = _ends(after, left)
        parts += line
        return after


def _beginnings(chunks: Sequence[ChunkEntry]) -> list[bytes]:
    """How the lines begin; `_encode_lines` writes a number at a fifth of what formatting it costs."""
    numbers = _encode_lines([(chunk.seq, chunk.at) for chunk in chunks])
    return numbers.replace(b"[", b'{"seq":').replace(b",", b',"at":').split(b"]\n")[:-1]


def _ends(after: int, left: int) -> Sequence[bytes]:
    """How the lines end that ``left - 1`` to ``after`` entries follow."""
    if left <= len(_ENDS):
        return _ENDS[after:left][::-1]
    return [b'},"left":%d}\n' % later if later else _ENDS[0] for later in range(left - 1, after - 1, -1)]
