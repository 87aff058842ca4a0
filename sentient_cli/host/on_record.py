"""What is taken up is a version of its file, so that it can be compared and rolled back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from sentient_cli.config.files import SettingsFile
from sentient_cli.errors import SentientError

__all__ = ["put_on_record"]

_logger = logging.getLogger(__name__)


def put_on_record(files: Sequence[SettingsFile], means: Literal["dev", "serve"]) -> str:
    """Record what settings files hold, unless whoever changed them has done so; it may block.

    Args:
        files: Which.
        means: Who takes them up.

    Returns:
        Which versions these are, and whose; empty when they cannot be recorded, which is logged.
    """
    from sentient_cli.config.versions import Versions  # noqa: PLC0415 - only where settings change

    said: list[str] = []
    try:
        for file in files:
            versions = Versions(file.path)
            if (version := versions.note(file.table, means) or versions.latest()) is not None:
                said.append(f"version {version.number} of {file.path.name}, by {version.who}")
    except SentientError as error:
        _logger.warning("What has changed is not among the versions of the settings. %s", error)
        return ""
    return "; ".join(said)
