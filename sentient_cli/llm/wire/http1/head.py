r"""The head of an answer in HTTP/1.1 (RFC 9112): taken strictly, since what is misread here is read as another answer.

The example shows the fields that are told twice as one, which most of them are by RFC 9110, section 5.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from sentient_cli.llm.wire.broken import GarbledError

__all__ = ["MAX_HEAD", "Head", "read_head", "written_head"]

MAX_HEAD: Final = 64 * 1024
"""Bytes that a head may have."""
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_BODILESS: Final = frozenset({204, 205, 304})
_NO_HTTP: Final = "What it answers is no HTTP"


class Head(NamedTuple):
    """What a head says.

    Args:
        status: The status.
        headers: The headers, with names in lower case.
        size: Bytes of the body; None: it ends with its last chunk, or with the connection.
        chunked: Whether the body comes in chunks.
        keeps: Whether the connection can be used again after it.
    """

    status: int
    headers: dict[str, str]
    size: int | None
    chunked: bool
    keeps: bool


def read_head(data: bytes) -> Head:
    r"""A head, without the blank line after it.

    Args:
        data: Its lines.

    Raises:
        GarbledError: it is none, or says two things at once.

    Example:
        >>> head = read_head(b"HTTP/1.1 200 OK\r\nVia: a\r\nVia: b\r\nContent-Length: 5")
        >>> head.status, head.headers["via"], head.size, head.keeps
        (200, 'a, b', 5, True)
    """
    first, *lines = data.split(b"\r\n")
    found = _STATUS.fullmatch(first)
    if found is None:
        raise GarbledError(_NO_HTTP)
    status, headers = int(found[2]), _fields(lines)
    chunked, size = _framing(headers)
    if status in _BODILESS or status < 200:  # noqa: PLR2004 - what only announces an answer
        chunked, size = False, 0
    tokens = {token.strip().lower() for token in headers.get("connection", "").split(",")}
    # Who tells both, a size and chunks, may mean the one, and something between us the other.
    doubtful = chunked and "content-length" in headers
    keeps = found[1] == b"1" and "close" not in tokens and (chunked or size is not None) and not doubtful
    return Head(status, headers, size, chunked, keeps)


def _fields(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise GarbledError(_NO_HTTP)
        name, value = field[1].decode("ascii").lower(), _text(field[2].rstrip(b" \t"))
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _text(value: bytes) -> str:
    """A value as most servers mean it; any bytes are one."""
    try:
        return value.decode("utf-8")
    except UnicodeError:
        return value.decode("latin-1")


def _framing(headers: Mapping[str, str]) -> tuple[bool, int | None]:
    """Whether the body comes in chunks, and else its size, where that is told.

    Raises:
        GarbledError: nobody can tell where it ends.
    """
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        if coding.lower() != "chunked":
            raise GarbledError(f"The answer comes as {coding!r:.40}, which nobody asked for")
        return True, None
    if length is None:
        return False, None
    sizes = {size.strip() for size in length.split(",")}
    if len(sizes) != 1 or _DIGITS.fullmatch(size := sizes.pop()) is None:
        raise GarbledError("The head of the answer tells a size that is none")
    return False, int(size)


def written_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    r"""The head of a request, with the blank line after it.

    Args:
        method: Such as ``POST``.
        target: What is asked for.
        headers: All of them.

    Raises:
        ValueError: one of them has characters that none may have.

    Example:
        >>> written_head("GET", "/v1/models", {"Host": "127.0.0.1"})
        b'GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'
    """
    if not target.isascii() or any(char <= " " or char == "\x7f" for char in target):
        raise ValueError("The address has characters that are not allowed there")
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in headers.items():
        if _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            raise ValueError("A header has characters that are not allowed there")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8")
