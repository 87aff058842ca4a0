"""Masked entries of a run as one batch: the chunks of a stream become lines without a step of Python for each part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

import msgspec
from typing_extensions import override

from sentient_cli.runtime.chunks import ChunkEncoder, ChunkEntry
from sentient_cli.runtime.events import encode_texts
from sentient_cli.store.batch import EntryBatch, KeepBlob
from sentient_cli.store.entry import LogEntry
from sentient_cli.store.jsonl import encode_line
from sentient_cli.store.rules import BLOB_BYTES

__all__ = ["ChunkShape", "MaskedBatch", "stream_of"]

_LONGEST_TEXT = BLOB_BYTES // 8
"""A text of so many characters stays below the size from which data is kept apart, however it is escaped."""
_ENDS = (b"}}\n", *(b'},"left":%d}\n' % left for left in range(1, 512)))
"""How the line of a chunk ends that so many entries of the same append follow."""
_PARTS = 9
"""Of the line of a chunk."""
_encode_lines = msgspec.json.Encoder().encode_lines


def stream_of(entries: Sequence[LogEntry]) -> ChunkEncoder | None:
    """The encoder of entries that are chunks of one stream, as they are nearly always; None: they are not."""
    encoder: ChunkEncoder | None = None
    for entry in entries:
        if not isinstance(entry, ChunkEntry) or (encoder is not None and entry.encoder is not encoder):
            return None
        encoder = entry.encoder
    return encoder


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
        of_one_stream: Whether `stream_of` finds one.
    """

    __slots__ = ("_masked", "_of_one_stream", "_shape_of")

    def __init__(
        self,
        entries: Sequence[LogEntry],
        shape_of: Callable[[ChunkEncoder], ChunkShape],
        *,
        of_one_stream: bool = False,
    ) -> None:
        super().__init__()
        self._masked = entries
        self._shape_of = shape_of
        self._of_one_stream = of_one_stream

    @override
    def source(self) -> Sequence[LogEntry]:
        """The entries as they are held."""
        return self._masked

    @override
    def lines(self, keep_blob: KeepBlob) -> bytes:
        """The lines of all entries."""
        parts: list[bytes] = []
        left = len(self._masked)
        if self._of_one_stream:
            self._add_chunks(parts, cast("Sequence[ChunkEntry]", self._masked), left, keep_blob)
            return b"".join(parts)
        chunks: list[ChunkEntry] = []
        encoder: ChunkEncoder | None = None
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
        seqs, ats, contents = _as_json(chunks, texts, ascii_only=whole.isascii())
        line = [b'{"seq":', b"", b',"at":', b"", shape.before_id, b"", shape.after_id, b"", b""] * count
        line[1::_PARTS] = seqs
        line[3::_PARTS] = ats
        line[5::_PARTS] = [chunk.event_id for chunk in chunks]
        line[7::_PARTS] = contents
        line[8::_PARTS] = _ends(after, left)
        parts += line
        return after


def _as_json(
    chunks: Sequence[ChunkEntry], texts: list[str], *, ascii_only: bool
) -> tuple[Sequence[bytes], Sequence[bytes], Iterable[bytes]]:
    """What differs from line to line: seqs, times and texts. To encode all at once costs a fifth of one by one."""
    count = len(chunks)
    values: list[object] = [chunk.seq for chunk in chunks]
    values += [chunk.at for chunk in chunks]
    if ascii_only:
        values += texts
    found = _encode_lines(values).split(b"\n")  # no string has a line feed as JSON
    return found[:count], found[count : 2 * count], found[2 * count : -1] if ascii_only else encode_texts(texts)


def _ends(after: int, left: int) -> Sequence[bytes]:
    """How the lines end that ``left - 1`` to ``after`` entries follow."""
    if left <= len(_ENDS):
        return _ENDS[after:left][::-1]
    return [b'},"left":%d}\n' % later if later else _ENDS[0] for later in range(left - 1, after - 1, -1)]
