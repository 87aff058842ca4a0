"""The agent: answers a question with the conversation in mind."""

from __future__ import annotations

import logging

from sentient_cli import ProviderError, Query, Response, Session, agent, llm

ANSWER = "FINAL_RESPONSE"
"""The name of the event that clients show as the answer."""

INSTRUCTIONS = "You are a helpful assistant. Answer in at most three sentences, and say so when you do not know."
REMEMBERED = 20  # earlier turns that the model is shown

log = logging.getLogger(__name__)


def conversation(session: Session, question: str) -> list[llm.Message]:
    """The instructions, the latest turns and the question, as a model wants them."""
    messages = [llm.Message.system(INSTRUCTIONS)]
    for turn in session.interactions[-REMEMBERED:]:
        messages += [llm.Message.user(turn.prompt), llm.Message.assistant(turn.answer())]
    return [*messages, llm.Message.user(question)]


@agent
async def assistant(session: Session, query: Query, response: Response) -> None:
    """Answer one question, piece by piece as the model says it."""
    question = query.prompt.strip()
    if not question:
        await response.error("There is no question. Please ask something.", 400)
        return
    try:
        await response.stream_llm(ANSWER, llm.stream(conversation(session, question)))
    except ProviderError as error:
        log.warning("The model failed: %s", error)
        await response.error("The model cannot answer right now. Please try again.", 503, {"reason": error.code})
