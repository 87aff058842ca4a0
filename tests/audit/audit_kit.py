"""Logs to try things on, and every way to change one."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

from sentient_cli.audit import AuditLog, AuditPlaces, Event
from sentient_cli.audit.line import sealed

EVENT = Event("credential", "resolved", "default/openai", {"store": "keyring"})
SECOND = 10**9


def places_in(folder: Path) -> AuditPlaces:
    """A log, its checkpoint and its key in a folder that is made with the first line."""
    home = folder / "audit"
    return AuditPlaces(home / "log", home / "checkpoint", home / "key")


def filled(folder: Path, count: int = 5) -> AuditPlaces:
    """A log of some lines, with its beginning ``count + 1``."""
    places = places_in(folder)
    AuditLog(places).append(*(EVENT._replace(subject=f"default/{number}") for number in range(count)))
    return places


def with_history(folder: Path, *, before: int = 12, after: int = 20) -> AuditPlaces:
    """A log of some forty lines over which a few things went that may go over one, with lines before and after them."""
    places = filled(folder, before)
    log = AuditLog(places, now_ns=lambda: 5)  # the clock goes back
    log.append(EVENT)
    with places.log.open("ab") as file:
        file.write(b'{"action":"reso')  # a write that was cut off
    log = AuditLog(places)
    log.append(EVENT)
    head = places.checkpoint.read_bytes()
    log.append(EVENT)
    places.checkpoint.write_bytes(head)  # the end of a process between a line and its checkpoint
    for number in range(after):
        log.append(EVENT._replace(category="config", data={"text": "\x00\u2028é\n" * (number % 3), "n": number}))
    return places


def lines_of(data: bytes) -> list[bytes]:
    """Lines with their line breaks; the last one may have none."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


def first_difference(before: bytes, after: bytes) -> int:
    """The first line, from 1, that is another; where one is the beginning of the other, the line behind it."""
    old, new = lines_of(before), lines_of(after)
    pairs = zip(old, new, strict=False)
    return next((number for number, (one, two) in enumerate(pairs, 1) if one != two), min(len(old), len(new)) + 1)


_ODD = (b"\r", b"\n", b"\0", b" ", b"\xef\xbb\xbf", b"\xff", b"\t", b"\\", b'"', b"\n\n", b"\r\n", b"}", b"{}\n")


def _edit(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    byte = bytes([chance.randrange(256)]) if chance.random() < 0.7 else chance.choice(_ODD)
    return data[:at] + byte + data[at + 1 :]


def _put_in(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + (chance.choice(_ODD) if chance.random() < 0.7 else chance.randbytes(3)) + data[at:]


def _take_out(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.choice((1, 1, 2, 30, 600)) :]


def _cut_off(data: bytes, chance: random.Random) -> bytes:
    lines = lines_of(data)
    if chance.random() < 0.3:
        return b"".join(lines[: chance.randrange(len(lines))])
    return data[: -1 if chance.random() < 0.1 else chance.randrange(len(data))]


def _without_lines(data: bytes, chance: random.Random) -> bytes:
    lines = lines_of(data)
    at = chance.randrange(len(lines))
    return b"".join(lines[:at] + lines[at + chance.choice((1, 1, 2, 7)) :])


def _with_line(data: bytes, chance: random.Random) -> bytes:
    lines = lines_of(data)
    more = chance.choice((chance.choice(lines), b"\n", b"{}\n", b"\xef\xbb\xbf\n", chance.choice(lines)[:40] + b"\n"))
    at = chance.randrange(len(lines) + 1)
    return b"".join([*lines[:at], more, *lines[at:]])


def _swapped(data: bytes, chance: random.Random) -> bytes:
    lines = lines_of(data)
    one, two = chance.sample(range(len(lines)), 2)
    lines[one], lines[two] = lines[two], lines[one]
    return b"".join(lines)


def _sealed_anew(data: bytes, chance: random.Random) -> bytes:
    """Another line with a hash that is right for it, as one would write it who knows how."""
    lines = lines_of(data)
    at = chance.randrange(len(lines))
    try:
        fields = json.loads(lines[at])
    except ValueError:
        return data
    del fields["hash"]
    fields["subject"] += "x"
    lines[at] = sealed(fields)[0] + b"\n"
    return b"".join(lines)


def _forged_in(data: bytes, chance: random.Random) -> bytes:
    """A further line, with a number and hashes that are right for it."""
    lines = lines_of(data)
    at = chance.randrange(len(lines))
    forged = lines_of(_sealed_anew(lines[at], chance))
    return b"".join([*lines[:at], *forged, *lines[at:]])


CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_edit, _put_in, _take_out, _cut_off, _without_lines, _with_line, _swapped, _sealed_anew, _forged_in),
)


def changed(data: bytes, chance: random.Random) -> bytes:
    """The log with one thing done to it."""
    while (after := chance.choice(CHANGES)(data, chance)) == data:
        pass
    return after
