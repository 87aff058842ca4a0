"""The agent: lets a model use tools until it can answer, and shows what happens meanwhile."""

from __future__ import annotations

import logging
import os

from sentient_cli import Agent, ProviderError, Query, Response, ResponseStream, Session, ToolError, llm

from .conversation import ANSWER, conversation, question_of
from .problems import Problem, problem_of
from .settings import Settings
from .tools import TOOLS

STEPS = "STEPS"
"""The stream of what is being done; it goes on beside the answer."""
TOOL = "TOOL"
"""The JSON event of a tool's result."""

log = logging.getLogger(__name__)


class Assistant(Agent):
    """Answers with the help of tools. One object answers all queries, many at a time."""

    def __init__(self, settings: Settings | None = None) -> None:
        """Take the settings; None reads them from the environment."""
        self.settings = settings or Settings.from_environment(os.environ)

    async def assist(self, session: Session, query: Query, response: Response) -> None:
        """Answer one query. What the reader has to know becomes an error event; bugs stay exceptions."""
        try:
            await self._answer(session, query, response)
        except Problem as problem:
            await response.error(str(problem), problem.code, problem.details)
        except (ProviderError, ToolError) as error:
            log.warning("No answer: %s", error)
            told = problem_of(error)
            await response.error(str(told), told.code, told.details)

    async def _answer(self, session: Session, query: Query, response: Response) -> None:
        question = question_of(query, longest=self.settings.longest_question)
        messages = conversation(session, question, remembered=self.settings.remembered)
        async with response.stream(STEPS) as steps:
            tools = ShownTools(steps, response)
            answer = llm.stream_tools(messages, tools, max_steps=self.settings.max_rounds)
            await response.stream_llm(ANSWER, answer)


class ShownTools(llm.Toolset):
    """The tools; the reader sees each one that the model uses, and what it gave."""

    def __init__(self, steps: ResponseStream, response: Response) -> None:
        """Take where they are shown: the tools of one answer."""
        super().__init__(TOOLS)
        self._steps = steps
        self._response = response

    async def answer(self, call: llm.ToolCall, *, parent: str | None = None) -> llm.Message:
        """Do what the model asks for. What goes wrong is told to the model, which may correct itself."""
        await self._steps.write(f"Using {call.name}\n")
        told = await super().answer(call, parent=parent)
        what = "error" if told.is_error else "result"
        await self._response.json(TOOL, {"tool": call.name, "ok": not told.is_error, what: told.text})
        return told
