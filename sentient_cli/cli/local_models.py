"""Names the models of this machine to somebody who has no key."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentient_cli.errors import CredentialNotFoundError

__all__ = ["name_local_models"]

_MOST = 3


def name_local_models(error: CredentialNotFoundError) -> None:
    """Add to what can be done which local servers listen on their usual ports, if any does.

    Args:
        error: That of the missing key.
    """
    import asyncio

    from sentient_cli.llm.compatible import local

    with suppress(Exception):  # it is a favour: what fails in it must not take the place of the error
        found = asyncio.run(local.find_local())
        names = [f"`{server.vendor}:{model}`" for server in found for model in server.models]
        if names:
            more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
            error.fix = (
                f"{error.fix.rstrip('. ')}. On this machine {', '.join(names[:_MOST])}{more} can be used without one"
            )
