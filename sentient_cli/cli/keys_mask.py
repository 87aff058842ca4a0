"""Keys taken out of what another program writes: bytes as they come, in any pieces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sentient_cli.redact import MIN_SECRET, REDACTED
from sentient_cli.secret_forms import forms_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["OutputMask"]

_MASK: Final = REDACTED.encode()
_TELLING: Final = 12
"""Bytes of the beginning of a key that are not shown either, when nothing follows them: more than what all keys of a
provider begin with."""


class OutputMask:
    r"""Masks one stream of bytes, and leaves all else in it as it is, whatever its encoding.

    What may be the beginning of a key waits for what follows. Whoever cannot wait calls `expire`: a short beginning is
    let through then, a longer one masked, and in both cases the rest of the key is known when it comes.

    Args:
        values: The keys. Those of fewer than six characters are not masked.

    Example:
        >>> mask = OutputMask(["sk-0123456789"])
        >>> mask.feed(b"key=sk-01234"), mask.feed(b"56789\n")
        (b'key=', b'[redacted]\n')
    """

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values for form in forms_of(value) if len(form) >= MIN_SECRET}
        encoded = sorted({form.encode(errors="surrogateescape") for form in forms}, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, encoded))) if encoded else None
        self._by_first: dict[int, list[bytes]] = {}
        for form in encoded:
            self._by_first.setdefault(form[0], []).append(form)
        self._longest = len(encoded[0]) if encoded else 0
        self._tail = b""  # may be the beginning of a key,
        self._seen = 0  # so much of it was dealt with,
        self._masked = False  # and a mask was written for it

    @property
    def waits(self) -> bool:
        """Whether something is held back."""
        return len(self._tail) > self._seen

    def feed(self, data: bytes) -> bytes:
        """Take a piece, and return what is certain of all that came."""
        if self._pattern is None:
            return data
        text, done, masked = self._tail + data, self._seen, self._masked
        parts: list[bytes] = []
        end = 0
        for match in self._pattern.finditer(text):
            parts.append(text[done : match.start()])
            if not (masked and match.start() == 0):
                parts.append(_MASK)
            end = match.end()
            done = max(done, end)
        begun = self._begun(text, end)
        parts.append(text[done:begun])
        self._tail = text[begun:]
        self._seen = max(done - begun, 0)
        self._masked = masked and begun == 0
        return b"".join(parts)

    def expire(self) -> bytes:
        """What is held back, as nothing followed it for too long."""
        held, self._seen = self._tail[self._seen :], len(self._tail)
        if len(self._tail) < _TELLING or not held:
            return held
        masked, self._masked = self._masked, True
        return b"" if masked else _MASK

    def _begun(self, text: bytes, start: int) -> int:
        """Where the end of the text begins that may be the beginning of a key."""
        for at in range(max(start, len(text) - self._longest + 1), len(text)):
            forms = self._by_first.get(text[at])
            if forms and any(form.startswith(text[at:]) for form in forms):
                return at
        return len(text)
