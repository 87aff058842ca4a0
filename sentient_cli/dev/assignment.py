"""What a hub is there for: whose code, with which settings, reached where."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from sentient_cli.dev.debugging import QUIET
from sentient_cli.dev.processes.order import FlagText, Order

__all__ = ["Assignment"]


class Assignment(msgspec.Struct, frozen=True):
    """What a hub is told when it is made.

    Args:
        url: Where it is reached.
        inspect_url: The page, with the token.
        agent: How the user named the agent.
        home: The directory of the code.
        recordings: Where runs are recorded.
        typed_in: The directory that the agent's file was typed in.
        environment: The variables of the shell.
        flags: What the command line says, by dotted setting.
        project: What ``--project`` says.
        profile: What ``--profile`` says.
        env_file: What ``--env-file`` says.
        use_env_file: Whether a file of variables is read at all.
        debugger: Where a debugger can attach to the workers; None: nowhere.
        page_token: What the page presents, in the place of the server's own token.
        patience: Seconds that a client may say nothing.
        grow_bytes: How much a worker may grow; 0: as much as it likes.
        began: When the command began, on the monotonic clock.
    """

    url: str
    inspect_url: str
    agent: str | None
    home: Path
    recordings: Path
    typed_in: Path | None = None
    environment: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    flags: Mapping[str, FlagText] = msgspec.field(default_factory=dict[str, FlagText])
    project: Path | None = None
    profile: str | None = None
    env_file: Path | None = None
    use_env_file: bool = True
    debugger: str | None = None
    page_token: str | None = None
    patience: float = 10.0
    grow_bytes: int = 0
    began: float = 0.0

    @property
    def debug(self) -> bool:
        """Whether a debugger can attach."""
        return self.debugger is not None

    def order(self, generation: int, hub: int) -> Order:
        """What a worker is told."""
        return Order(
            generation=generation,
            hub=hub,
            home=str(self.home),
            typed_in=None if self.typed_in is None else str(self.typed_in),
            recordings=str(self.recordings),
            environment={**self.environment, **(QUIET if self.debug else {})},
            flags=dict(self.flags),
            project=None if self.project is None else str(self.project),
            profile=self.profile,
            env_file=None if self.env_file is None else str(self.env_file),
            use_env_file=self.use_env_file,
            debug=self.debug,
            page_token=self.page_token,
        )
