"""An agent that tells which model its settings name at this moment."""

from __future__ import annotations

from sentient_cli import Query, Response, Session, agent, llm


@agent
async def told(session: Session, query: Query, response: Response) -> None:
    """Name the default model."""
    await response.respond("ANSWER", f"<{llm.get_manager().default_model}>")
