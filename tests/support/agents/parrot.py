"""An agent that says what it hears."""

from __future__ import annotations

from sentient_cli import Query, Response, Session, agent


@agent
async def parrot(session: Session, query: Query, response: Response) -> None:
    """Say the prompt back."""
    async with response.stream("ANSWER") as stream:
        await stream.write(query.prompt)
