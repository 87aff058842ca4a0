"""What a worker is told when it is started."""

from __future__ import annotations

import json

import msgspec

__all__ = ["FlagText", "Order", "decode_order", "encode_order"]

FlagText = str | int | float | bool | tuple[str, ...] | None
"""What a flag of the command line can be."""


class Order(msgspec.Struct, frozen=True):
    """One generation to be loaded and served.

    Args:
        generation: Its number.
        hub: The process that it serves under, and does not outlive.
        home: Where the code is: the project's directory.
        typed_in: The directory that the agent's file was typed in; None when it comes from the settings.
        recordings: Where runs are recorded.
        environment: The variables of the shell that started it all; those of ``.env`` come on top.
        flags: What the command line says, by dotted setting.
        project: What ``--project`` says.
        profile: What ``--profile`` says.
        env_file: What ``--env-file`` says.
        use_env_file: Whether a file of variables is read at all.
        debug: Whether a debugger can attach.
        page_token: What the page presents, in the place of the server's own token.
    """

    generation: int
    hub: int
    home: str
    typed_in: str | None
    recordings: str
    environment: dict[str, str]
    flags: dict[str, FlagText]
    project: str | None = None
    profile: str | None = None
    env_file: str | None = None
    use_env_file: bool = True
    debug: bool = False
    page_token: str | None = None


def encode_order(order: Order) -> bytes:
    """An order as bytes. Names of files and variables that are no text keep their bytes: they have lone surrogates."""
    return json.dumps(msgspec.to_builtins(order)).encode()


def decode_order(data: bytes) -> Order:
    """What `encode_order` made.

    Raises:
        ValueError: it is something else.
    """
    return msgspec.convert(json.loads(data), Order)
