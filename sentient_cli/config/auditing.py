"""Changes of settings that we make are told to the audit log: which settings, in which file, and never their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sentient_cli.config.differences import ABSENT, Table, differences
from sentient_cli.config.toml_text import key_text

if TYPE_CHECKING:
    from pathlib import Path

    from sentient_cli.config.versions import Means

__all__ = ["require_checkpoint", "tell_change"]

_MOST: Final = 100


def require_checkpoint(place: Path | None) -> None:
    """See that a checkpoint can be where settings would have it: with a wrong one, nothing could be changed any more.

    Args:
        place: Where, if not beside the log.

    Raises:
        AuditError: something else is there.
    """
    from sentient_cli.audit import AuditPlaces  # noqa: PLC0415 - only who moves it needs it
    from sentient_cli.audit.log import read_checkpoint  # noqa: PLC0415 - the same

    read_checkpoint(AuditPlaces.of_this_user(place))


def tell_change(file: Path, before: Table, after: Table, means: Means, checkpoint: Path | None) -> None:
    """Tell which settings of a file will be other ones.

    Args:
        file: The settings file.
        before: Its settings.
        after: The same after the change.
        means: How the change comes about.
        checkpoint: Where the checkpoint of the log is, if not beside it.

    Raises:
        AuditError: the log cannot be kept; then nothing may be changed.
    """
    # It signs, and so imports a library that no command needs which only reads settings.
    from sentient_cli.audit import AuditLog, AuditPlaces, Event  # noqa: PLC0415 - see above

    found = differences(before, after)
    data = {"file": str(file), "by": means}
    events = [
        Event("config", "unset" if then is ABSENT else "set", key_text(path), data) for path, _, then in found[:_MOST]
    ]
    if len(found) > _MOST:
        events.append(Event("config", "set", "", {**data, "more": len(found) - _MOST}))
    if events:
        AuditLog(AuditPlaces.of_this_user(checkpoint)).append(*events)
