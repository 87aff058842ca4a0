"""The example agent: says what it will do, shows what it knows, then streams the model's answer.

It needs no key: without another model it asks the offline one.
"""

from __future__ import annotations

from sentient_cli import Query, Response, Session, agent, llm


def conversation(session: Session, query: Query) -> list[llm.Message]:
    """The earlier turns and this question, as a model wants them."""
    messages = [llm.Message.system("You are a helpful assistant. Answer shortly.")]
    for turn in session.interactions:
        messages.append(llm.Message.user(turn.prompt))
        messages.append(llm.Message.assistant(turn.answer("FINAL_RESPONSE")))
    return [*messages, llm.Message.user(query.prompt)]


@agent
async def assistant(session: Session, query: Query, response: Response) -> None:
    """Answer one question."""
    messages = conversation(session, query)
    await response.text_block("PLAN", "Read the question, ask the model, stream its answer.")
    await response.json("CONTEXT", {"turn": len(session.interactions) + 1, "words": len(query.prompt.split())})
    await response.stream_llm("FINAL_RESPONSE", llm.stream(messages))
