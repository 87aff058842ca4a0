"""Tests agents: one call runs an agent on a query and returns everything that happened, the same every time.

Example:
    >>> from sentient_cli import Query, Response, Session, agent
    >>> from sentient_cli.testing import run_agent_sync
    >>> @agent
    ... async def echo(session: Session, query: Query, response: Response) -> None:
    ...     await response.text_block("ANSWER", query.prompt)
    >>> run_agent_sync(echo, "hi").text()
    'hi'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentient_cli.testing.agent_run import AgentRun
    from sentient_cli.testing.credential_stores import CredentialStoreCheck, credential_store_checks
    from sentient_cli.testing.credentials import MemoryCredentialStore, credentials_in
    from sentient_cli.testing.models import scripted_llm
    from sentient_cli.testing.providers import ProviderCheck, provider_checks
    from sentient_cli.testing.recording import RecordingResponse
    from sentient_cli.testing.running import run_agent, run_agent_sync
    from sentient_cli.testing.sessions import make_session
    from sentient_cli.testing.time import FixedClock, SequentialIds

__all__ = [
    "AgentRun",
    "CredentialStoreCheck",
    "FixedClock",
    "MemoryCredentialStore",
    "ProviderCheck",
    "RecordingResponse",
    "SequentialIds",
    "credential_store_checks",
    "credentials_in",
    "make_session",
    "provider_checks",
    "run_agent",
    "run_agent_sync",
    "scripted_llm",
]

_HOMES = {
    "agent_run": ("AgentRun",),
    "credential_stores": ("CredentialStoreCheck", "credential_store_checks"),
    "credentials": ("MemoryCredentialStore", "credentials_in"),
    "models": ("scripted_llm",),
    "providers": ("ProviderCheck", "provider_checks"),
    "recording": ("RecordingResponse",),
    "running": ("run_agent", "run_agent_sync"),
    "sessions": ("make_session",),
    "time": ("FixedClock", "SequentialIds"),
}
_MODULES = {name: f"{__name__}.{module}" for module, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker shall know the names above and no others

    def __getattr__(name: str) -> object:
        # The pytest plugin is in this package and is loaded in every test run: it must cost nothing.
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(importlib.import_module(_MODULES[name]), name)
        globals()[name] = value
        return value
