"""Texts of any length in a keyring, each replaced at once, also where an entry is small or is replaced in two steps.

A text that is too long for an entry is put into several, under a name that is not in use, before the one entry is
written that says where they are. Where a keyring removes an entry before it writes it anew, the text is put into a
second entry first, which is read while the first one is not there.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from sentient_cli.credentials.stores.keyring_choice import INSTEAD, Chosen
from sentient_cli.errors import CredentialStoreError
from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize_line

__all__ = ["Entries"]

_PARTS: Final = '{"format":"sentient.parts"'
_TRIES: Final = 3
_T = TypeVar("_T")
_LONGEST: Final = 160


class _Parts(msgspec.Struct, frozen=True, tag_field="format", tag="sentient.parts"):
    generation: int
    count: int
    sum: str


class Entries:
    """The entries of a keyring that are ours.

    Args:
        chosen: The keyring.
        namespace: What our entries begin with.
    """

    def __init__(self, chosen: Chosen, namespace: str) -> None:
        self._chosen = chosen
        self._namespace = namespace

    def read(self, key: str) -> str | None:
        """The text of an entry; None: there is none.

        Raises:
            CredentialStoreError: the keyring refuses, or a part of the text is missing.
        """
        for _ in range(_TRIES):  # another process may write meanwhile
            raw = self._raw(key)
            text = self._joined(key, raw) if raw is not None else None
            if raw is None or text is not None:
                return text
        raise CredentialStoreError(
            f"What the keyring holds for {key} is damaged",
            why="A part of it is missing or another",
            fix="Remove it in the program of the keyring, and store it anew",
        )

    def write(self, key: str, text: str, *, verified: bool = True) -> None:
        """Have an entry hold a text. Only one at a time may do this.

        Args:
            key: The entry.
            text: What it is to hold.
            verified: Whether it is read back.

        Raises:
            CredentialStoreError: the keyring refuses, or holds something else afterwards.
        """
        before = self._parts_of(self._raw(key)) if self._chosen.limit else None
        if self._fits(text):
            self._put(key, text)
        else:
            self._put(key, self._split(key, text, 1 - before.generation if before is not None else 0))
        if verified and self.read(key) != text:
            raise CredentialStoreError(
                "The keyring does not hold what was put there",
                why="It was read back, and is something else",
                fix=f"Check the keyring. {INSTEAD}",
            )
        if before is not None:
            self._clear(key, before.generation)

    def remove(self, key: str) -> None:
        """Have an entry gone. Only one at a time may do this.

        Raises:
            CredentialStoreError: the keyring refuses.
        """
        if not self._chosen.replaces:
            self._delete(_second(key))
        self._delete(key)
        for generation in (0, 1) if self._chosen.limit else ():
            self._clear(key, generation)

    def _raw(self, key: str) -> str | None:
        raw = self._get(key)
        if raw is not None or self._chosen.replaces:
            return raw
        # Between its two steps the text is in the second entry; by now it may be past both.
        second = self._get(_second(key))
        return second if second is not None else self._get(key)

    def _put(self, key: str, raw: str) -> None:
        if self._chosen.replaces:
            self._set(key, raw)
            return
        second = self._get(_second(key))
        if second is not None and self._get(key) is None:
            self._set(key, second)  # somebody was killed between the steps: this is the only one
        self._set(_second(key), raw)
        self._set(key, raw)
        self._delete(_second(key))

    def _fits(self, text: str) -> bool:
        limit = self._chosen.limit
        return not limit or (_size(text) <= limit and not text.startswith(_PARTS))

    def _split(self, key: str, text: str, generation: int) -> str:
        length = self._chosen.limit // 4  # a character has at most four bytes
        self._clear(key, generation)  # of somebody who was killed
        parts = [text[start : start + length] for start in range(0, len(text), length)]
        for number, part in enumerate(parts):
            self._set(_part(key, generation, number), part)
        return msgspec.json.encode(_Parts(generation, len(parts), _sum(text))).decode()

    def _joined(self, key: str, raw: str) -> str | None:
        parts = self._parts_of(raw)
        if parts is None:
            return raw
        found = [self._get(_part(key, parts.generation, number)) for number in range(parts.count)]
        text = "".join(part for part in found if part is not None)
        return text if _sum(text) == parts.sum else None

    def _parts_of(self, raw: str | None) -> _Parts | None:
        if raw is None or not self._chosen.limit or not raw.startswith(_PARTS):
            return None
        with contextlib.suppress(msgspec.MsgspecError):
            return msgspec.json.decode(raw, type=_Parts)
        return None

    def _clear(self, key: str, generation: int) -> None:
        # They are made upwards and removed downwards, so that none is behind one that is missing.
        count = 0
        while self._get(_part(key, generation, count)) is not None:
            count += 1
        for number in reversed(range(count)):
            self._delete(_part(key, generation, number))

    def _get(self, key: str) -> str | None:
        return self._asked(lambda: self._chosen.backend.get_password(f"{self._namespace}:{key}", key))

    def _set(self, key: str, text: str) -> None:
        self._asked(lambda: self._chosen.backend.set_password(f"{self._namespace}:{key}", key, text), text)

    def _delete(self, key: str) -> None:
        if self._get(key) is not None:
            self._asked(lambda: self._chosen.backend.delete_password(f"{self._namespace}:{key}", key))

    def _asked(self, call: Callable[[], _T], text: str = "") -> _T:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - whatever a foreign module raises
            fault = self._refused(error, text)
        raise fault  # here, where it brings no frames of the keyring along, with texts and open sockets in them

    def _refused(self, error: Exception, text: str) -> CredentialStoreError:
        from keyring.errors import KeyringError, KeyringLocked  # noqa: PLC0415 - loaded by now

        if isinstance(error, KeyringLocked):
            return CredentialStoreError(
                f"The keyring ({self._chosen.name}) is locked", why="It was not unlocked when asked", fix=INSTEAD
            )
        # What else is raised may have anything in it; so does a message that quotes what was to be written.
        said = redactor.redact(sanitize_line(str(error)))[:_LONGEST] if isinstance(error, KeyringError) else ""
        if not said or (text and text in str(error)):
            said = type(error).__name__
        return CredentialStoreError(f"The keyring ({self._chosen.name}) refuses", why=said, fix=INSTEAD)


def _part(key: str, generation: int, number: int) -> str:
    return f"{key}#{generation}.{number}"


def _second(key: str) -> str:
    return f"{key}#second"


def _size(text: str) -> int:
    return len(text.encode("utf-16-le"))


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
