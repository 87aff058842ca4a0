"""What the model is shown: the instructions, the latest turns of the session, the question."""

from __future__ import annotations

from sentient_cli import Query, Session, llm

from .problems import Problem

ANSWER = "FINAL_RESPONSE"
"""The name of the stream that clients show as the answer."""

INSTRUCTIONS = """\
You are a helpful assistant. Answer in at most three sentences.
Use a tool wherever one fits, and the handbook for questions about us. Say so when you do not know."""


def question_of(query: Query, *, longest: int) -> str:
    """The words of a query.

    Raises:
        Problem: there are none, or more than `longest` characters.
    """
    question = query.prompt.strip()
    if not question:
        raise Problem("There is no question. Please ask something.", 400, reason="no-question")
    if len(question) > longest:
        raise Problem("The question is too long. Please shorten it.", 413, reason="question-too-long", limit=longest)
    return question


def conversation(session: Session, question: str, *, remembered: int) -> list[llm.Message]:
    """The messages for the model, with as many of the latest turns as `remembered` says."""
    messages = [llm.Message.system(INSTRUCTIONS)]
    turns = session.interactions
    for turn in turns[max(len(turns) - remembered, 0) :]:
        answer = turn.answer(ANSWER) or turn.answer()
        messages += [llm.Message.user(turn.prompt), llm.Message.assistant(answer)]
    return [*messages, llm.Message.user(question)]
