"""A secret that is looked for wherever something is written: in each form in which it may travel."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

__all__ = ["CANARY", "REDACTOR_OFF", "Sinks", "command_lines", "forms"]

CANARY = 'cNry7/Gq+2Xv"N4sT&zK9wLbQ5'
"""No pattern knows it, and in JSON and URLs it is another text."""

REDACTOR_OFF = """
from sentient_cli import redact
from sentient_cli.cli import keys_mask

class _Off(redact.Redactor):
    def register(self, secret): return False
    def redact(self, text): return text
    def head(self, text, size): return text[:size]
    def redact_json(self, value): return value
    def hidden(self, text, start=0): return iter(())
    def begun(self, text, start=0): return len(text)
    def cut_value(self, text, start=0): return len(text)
    def suspects(self, text): return False

redact.redactor.__class__ = _Off
keys_mask.forms_of = lambda value: ()
"""
"""Python that has a process of a test redact nothing."""

_BEFORE = 80
_BOX = re.compile(rb"\n(?:\s*\xe2\x94\x82)?\s*|\s*\xe2\x94\x82|\r")
"""Where a box around an error breaks a line."""


def forms(value: str = CANARY) -> dict[str, str]:
    """The forms of a value, by name, as this test makes them and not as the program does."""
    data = value.encode()
    found = {
        "raw": value,
        "url": quote(value, safe=""),
        "json": json.dumps(value)[1:-1],
        "hex": data.hex(),
        "reversed": value[::-1],
    }
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + data + b"\0" * (-(offset + len(data)) % 3)).decode()
        spoilt = -(offset + len(data)) % 3
        found[f"base64 {offset}"] = text[(0, 2, 3)[offset] : len(text) - (0, 2, 3)[spoilt]]
    return found


class Sinks:
    """What was written, and by whom.

    Args:
        value: The secret that is looked for.
    """

    def __init__(self, value: str = CANARY) -> None:
        self._forms = forms(value)
        self._written: dict[str, bytes] = {}

    def add(self, sink: str, *texts: str | bytes) -> None:
        """Something was written there."""
        data = b"\n".join(text.encode(errors="surrogateescape") if isinstance(text, str) else text for text in texts)
        self._written[sink] = self._written.get(sink, b"") + b"\n" + data

    def add_files(self, sink: str, folder: Path, *, but: Iterable[Path] = ()) -> int:
        """All files below a folder but those that the test itself wrote; how many there are."""
        own = {path.absolute() for path in but}
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.absolute() not in own]
        for path in files:
            self.add(f"{sink}: {path.relative_to(folder)}", str(path), path.read_bytes())
        return len(files)

    def sizes(self) -> Mapping[str, int]:
        """How much was written to each."""
        return {sink: len(data) for sink, data in self._written.items()}

    def leaks(self) -> dict[str, list[str]]:
        """The sinks that have the canary in them: in which forms, and behind what."""
        found = {sink: _found_in(data, self._forms) for sink, data in self._written.items()}
        return {sink: names for sink, names in found.items() if names}


def _found_in(data: bytes, wanted: Mapping[str, str]) -> list[str]:
    told: list[str] = []
    for name, form in wanted.items():
        for text in (data, _BOX.sub(b"", data)):
            at = text.find(form.encode())
            if at >= 0:
                told.append(f"{name} behind {text[max(0, at - _BEFORE) : at]!r}")
                break
    return told


def command_lines() -> bytes:
    """The command lines of all processes that run."""
    lines: list[bytes] = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(entry.read_bytes().replace(b"\0", b" "))
    return b"\n".join(lines)
