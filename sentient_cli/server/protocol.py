"""Which HTTP protocol serves: the fast one where its parser is installed, or one that needs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import asyncio

    from sentient_cli.server.header_limits import HeaderLimits

__all__ = ["make_protocol"]


def make_protocol(header_timeout: float) -> type[asyncio.Protocol]:
    """A protocol class for uvicorn's ``http`` setting.

    Args:
        header_timeout: Seconds from the connection, or the first byte of a later request, to the end of the headers.
    """
    return cast("type[asyncio.Protocol]", type("Protocol", (_limited(),), {"header_timeout": header_timeout}))


def _limited() -> type[HeaderLimits]:
    try:
        from sentient_cli.server.httptools_protocol import LimitedHttpToolsProtocol  # noqa: PLC0415
    except ImportError:  # there are no wheels for every Python
        from sentient_cli.server.h11_protocol import LimitedH11Protocol  # noqa: PLC0415

        return LimitedH11Protocol
    return LimitedHttpToolsProtocol
