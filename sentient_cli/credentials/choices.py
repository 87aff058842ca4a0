"""What a user has chosen about credentials, in a file of the user's own: never in one of a project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from sentient_cli.credentials.files import locked, read_private, write_private
from sentient_cli.errors import CredentialStoreError

__all__ = ["ChoiceFile"]

T = TypeVar("T", bound=msgspec.Struct)


class ChoiceFile(Generic[T]):
    """A small file, changed by one process at a time, as a whole or not at all.

    Args:
        path: Where it is.
        kind: What is in it; all has defaults.
        what: What it is, for people, such as ``The choice of profiles``.
        fix: What to do when it is not whole.

    Example:
        >>> import tempfile
        >>> class Liked(msgspec.Struct, frozen=True):
        ...     names: tuple[str, ...] = ()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = ChoiceFile(Path(folder, "liked.json"), Liked, "The choice", "Remove it")
        ...     file.change(lambda held: Liked((*held.names, "red")))
        ...     file.read()
        Liked(names=('red',))
    """

    def __init__(self, path: Path, kind: type[T], what: str, fix: str) -> None:
        self.path: Path = path
        self._kind = kind
        self._what = what
        self._fix = fix

    def read(self) -> T:
        """What was chosen.

        Raises:
            CredentialStoreError: the file cannot be read, or is not whole.
        """
        data = read_private(self.path)
        if data is None:
            return self._kind()
        try:
            return msgspec.json.decode(data, type=self._kind)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise CredentialStoreError(f"{self._what} is not whole: {self.path}", fix=self._fix) from error

    def change(self, step: Callable[[T], T]) -> None:
        """Change what was chosen while nobody else does.

        Args:
            step: Gets what is there and gives what is to be there.

        Raises:
            CredentialStoreError: it cannot be written; nothing was changed.
        """
        with locked(self.path):
            write_private(self.path, msgspec.json.format(msgspec.json.encode(step(self.read())), indent=1))
