"""What a provider sends besides an answer, put together where it comes piece by piece."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Final

import msgspec

from sentient_cli.llm.types import JsonValue

__all__ = ["Besides"]

_SCORES: Final = "logprobs"
_SOUND: Final = "audio"
_DATA: Final = "data"


class Besides(msgspec.Struct, eq=False):
    """What came so far. Of most the last counts; log probabilities and sound come with each piece of the answer.

    Example:
        >>> besides = Besides()
        >>> besides.add({"logprobs": {"content": [{"token": "Hel"}]}, "tier": "flex"})
        >>> besides.add({"logprobs": {"content": [{"token": "lo"}]}})
        >>> besides.told
        {'logprobs': {'content': [{'token': 'Hel'}, {'token': 'lo'}]}, 'tier': 'flex'}
    """

    _told: dict[str, JsonValue] = {}
    _scores: dict[str, JsonValue] = {}
    _sounds: list[str] = []

    def void(self) -> None:
        """Begin anew."""
        self._told, self._scores, self._sounds = {}, {}, []

    def add(self, extra: dict[str, JsonValue]) -> None:
        """Take what came with the next chunk.

        Args:
            extra: By the provider's own names.
        """
        for name, value in extra.items():
            if name == _SCORES and isinstance(value, dict):
                self._add_scores(value)
                self._told[name] = self._scores
            elif name == _SOUND and isinstance(value, dict):
                data = value.get(_DATA)
                if isinstance(data, str):
                    self._sounds.append(data)
                before = self._told.get(name)
                self._told[name] = (before if isinstance(before, dict) else {}) | value
            else:
                self._told[name] = value

    def _add_scores(self, scores: dict[str, JsonValue]) -> None:
        """Each piece has those of its own tokens."""
        for name, values in scores.items():
            before = self._scores.get(name)
            if isinstance(before, list) and isinstance(values, list):
                before += values
            elif values is not None or name not in self._scores:
                self._scores[name] = [*values] if isinstance(values, list) else values

    @property
    def told(self) -> dict[str, JsonValue] | None:
        """All of it, by the provider's own names; None: nothing came."""
        sound = self._told.get(_SOUND)
        if self._sounds and isinstance(sound, dict):
            return {**self._told, _SOUND: {**sound, _DATA: _joined(self._sounds)}}
        return dict(self._told) or None


def _joined(pieces: list[str]) -> str:
    """Sound in base64 as one; each piece may end with padding."""
    try:
        return b64encode(b"".join(map(b64decode, pieces))).decode()
    except (binascii.Error, ValueError):
        return "".join(pieces)
