"""The agent: lets a model use tools until it can answer, and shows what happens meanwhile."""

from __future__ import annotations

import asyncio
import logging
import os

from sentient_cli import Agent, ProviderError, Query, Response, ResponseStream, Session, llm

from .conversation import ANSWER, conversation, question_of
from .problems import Problem, problem_of
from .settings import Settings
from .toolbox import Toolbox, ToolFailure
from .tools import convert, days_between, search_handbook

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
        self.toolbox = Toolbox(convert, days_between, search_handbook)

    async def assist(self, session: Session, query: Query, response: Response) -> None:
        """Answer one query. What the reader has to know becomes an error event; bugs stay exceptions."""
        try:
            await self._answer(session, query, response)
        except Problem as problem:
            await response.error(str(problem), problem.code, problem.details)
        except ProviderError as error:
            log.warning("The model failed: %s", error)
            told = problem_of(error)
            await response.error(str(told), told.code, told.details)

    async def _answer(self, session: Session, query: Query, response: Response) -> None:
        question = question_of(query, longest=self.settings.longest_question)
        messages = conversation(session, question, remembered=self.settings.remembered)
        async with response.stream(STEPS) as steps, response.stream(ANSWER) as answer:
            for _ in range(self.settings.max_rounds):
                said = await self._ask(messages, answer)
                if not said.tool_calls:
                    return
                async with asyncio.TaskGroup() as group:
                    calls = [group.create_task(self._use(call, steps, response)) for call in said.tool_calls]
                messages += [said.message, *(call.result() for call in calls)]
        limit = self.settings.max_rounds
        raise Problem("I found no answer. Please ask for less at once.", 504, reason="too-many-rounds", limit=limit)

    async def _ask(self, messages: list[llm.Message], answer: ResponseStream) -> llm.Completion:
        async with llm.stream(messages, tools=self.toolbox.tools) as stream:
            async for text in stream:
                await answer.write(text)
            said = await stream.completion()
        if said.text and said.tool_calls:
            await answer.write("\n\n")  # what comes after the tools is a paragraph of its own
        answer.describe(stream.metadata)
        return said

    async def _use(self, call: llm.ToolCall, steps: ResponseStream, response: Response) -> llm.Message:
        await steps.write(f"Using {call.name}\n")
        try:
            result = await self.toolbox.use(call, timeout=self.settings.tool_timeout)
        except ToolFailure as failure:
            await response.json(TOOL, {"tool": call.name, "ok": False, "error": str(failure)})
            return llm.Message.tool(call, str(failure), is_error=True)  # the model may correct itself
        await response.json(TOOL, {"tool": call.name, "ok": True, "result": result})
        return llm.Message.tool(call, result)
