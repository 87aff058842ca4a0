"""A settings file is set back to what one of its versions says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentient_cli.config.differences import ABSENT, differences, hides, masked
from sentient_cli.config.toml_edit import set_key, unset_key
from sentient_cli.config.toml_text import key_text
from sentient_cli.config.versions import Versions
from sentient_cli.config.writing import Also, Target, Written, rewrite, settings_in
from sentient_cli.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["roll_back"]


def roll_back(target: Target, number: int, also: Also | None = None) -> tuple[Written, Sequence[str]]:
    """Set the settings of a file back to those of a version. Comments and order stay as they are today.

    Args:
        target: The file.
        number: The version.
        also: What else tries the settings that would hold.

    Returns:
        What came of it, and the keys of secrets that were left as they are, since no version has them.

    Raises:
        ConfigError: the version is damaged or no longer valid; nothing was changed.
        ConfigurationNotFoundError: there is no such version.
    """
    wanted = Versions(target.file).get(number).table()
    left: list[str] = []

    def edited(text: str) -> str:
        left.clear()
        for path, now, then in differences(masked(settings_in(target, text)), wanted):
            full = (*target.root, *path)
            if hides(now) or hides(then):
                left.append(key_text(path))
            elif then is ABSENT:
                text = unset_key(text, full)
            else:
                text = set_key(text, full, then)
        return text

    try:
        return rewrite(target, edited, means="rollback", note=f"to version {number}", also=also), left
    except ConfigError as error:
        said = f"{error.what}. {error.why}" if error.why else error.what
        raise ConfigError(
            f"Version {number} cannot be gone back to, and nothing was changed",
            why=said,
            fix=error.fix or "Take another version: `sentient config history` lists them",
            detail=error.detail,
        ) from None
