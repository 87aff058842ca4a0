"""The framework's identity of an agent, and its ids."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator

from sentient_cli.clock import SystemClock, SystemIds, Ulid

__all__ = ["Identity", "UlidField", "new_ulid"]

_ids = SystemIds(SystemClock())


def new_ulid() -> Ulid:
    """A ULID greater than every one that this process gave before."""
    return _ids.ulid()


def _text(value: object) -> object:
    # A ULID of another library is taken by its text.
    return str(value) if type(value).__name__ == "ULID" else value


UlidField: TypeAlias = Annotated[Ulid, BeforeValidator(_text)]


class Identity(BaseModel):
    """Who emits events.

    Args:
        id: The ``source`` of the events.
        name: For people.
    """

    id: str
    name: str

    def __str__(self) -> str:
        return f"{self.id}:{self.name}"
