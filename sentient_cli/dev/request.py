"""What a hub is asked to do."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from sentient_cli.config import FlagValue, Settings
from sentient_cli.server.tickets import Tickets

__all__ = ["Command", "HubRequest"]

Command: TypeAlias = Literal["reload", "quit"]
"""What a hub can be told while it runs."""


class HubRequest(msgspec.Struct, frozen=True):
    """All that a hub has to know.

    Args:
        listener: The socket that listens; closed by its owner, after the hub.
        settings: The settings as they are now. Each generation reads its own.
        home: The project's directory, or the one where the command was typed.
        typed_in: The directory that the agent's file was typed in; None when it comes from the settings.
        environment: The variables of the shell; those of ``.env`` come on top.
        flags: What the command line says, by dotted setting; None: not given.
        project: What ``--project`` says.
        profile: What ``--profile`` says.
        env_file: What ``--env-file`` says.
        use_env_file: Whether a file of variables is read at all.
        reload: Whether files are watched.
        debugger: Where a debugger can attach to the agent, as host and port; None: nowhere.
        sockets: A private directory, removed by its owner after the hub.
        token_file: Where in it the inspection token belongs, for tools that find it.
        tickets: The links that let browsers in.
        began: When the command began, on the monotonic clock in seconds.
    """

    listener: socket.socket
    settings: Settings
    home: Path
    typed_in: Path | None
    environment: Mapping[str, str]
    flags: Mapping[str, FlagValue]
    project: Path | None
    profile: str | None
    env_file: Path | None
    use_env_file: bool
    reload: bool
    debugger: tuple[str, int] | None
    sockets: Path
    token_file: Path
    tickets: Tickets
    began: float
