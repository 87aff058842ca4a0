"""What is compared: for each tool the files of a small project, how it is started, and how its agent is asked.

Each has the same agent: it answers with the version of its code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from bench.peers import Environment

__all__ = ["ADK", "ADK_RELOAD", "FASTAPI", "HEAVY", "LANGGRAPH", "OURS", "UVICORN", "Tool"]

HEAVY: Final = "import anthropic\nimport openai\n"
"""What an agent of the usual kind imports."""

_IDS: Final = ("01JS4F4Z5V0000000000000001", "01JS4F4Z5V0000000000000002", "01JS4F4Z5V0000000000000003")


@dataclass(frozen=True, slots=True)
class Tool:
    """A command that serves an agent.

    Args:
        name: For people.
        environment: Where it is installed.
        command: What is run, as arguments of Python; ``{port}`` stands for the port.
        file: The file with the agent.
        text: What is in it; ``{imports}`` and ``{version}`` are filled in.
        path: Where the agent is asked.
        body: What it is asked; ``{session}`` is filled in.
        opening: What is asked before in each session; empty: nothing.
        more: The other files, by name.
        env: More of the environment.
        packages: Whose versions are told.
    """

    name: str
    environment: Environment
    command: tuple[str, ...]
    file: str
    text: str
    path: str
    body: str
    opening: str = ""
    more: Mapping[str, str] = field(default_factory=dict[str, str])
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    packages: tuple[str, ...] = ()

    def code(self, version: str, imports: str) -> str:
        """The text of the agent's file."""
        return self.text.replace("{imports}", imports).replace("{version}", version)


_QUERY: Final = json.dumps({"query": {"id": _IDS[0], "prompt": "Which version?"}})

OURS: Final = Tool(
    name="sentient dev",
    environment="web",
    command=("-m", "sentient_cli", "dev", "--json", "--strict-port", "--port", "{port}"),
    file="agent.py",
    text="""{imports}
from sentient_cli import Query, Response, Session, agent

VERSION = "{version}"


@agent
async def answers(session: Session, query: Query, response: Response) -> None:
    async with response.stream("ANSWER") as stream:
        await stream.write(VERSION)
""",
    path="/assist",
    body=_QUERY,
)

_FASTAPI: Final = """{imports}
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

VERSION = "{version}"
app = FastAPI()


@app.post("/assist")
async def assist(request: Request) -> StreamingResponse:
    await request.json()

    async def events() -> AsyncIterator[str]:
        yield f"data: {VERSION}\\n\\n"

    return StreamingResponse(events(), media_type="text/event-stream")
"""

UVICORN: Final = Tool(
    name="uvicorn --reload",
    environment="web",
    command=("-m", "uvicorn", "main:app", "--reload", "--port", "{port}"),
    file="main.py",
    text=_FASTAPI,
    path="/assist",
    body=_QUERY,
    packages=("uvicorn", "fastapi"),
)

FASTAPI: Final = replace(
    UVICORN,
    name="fastapi dev",
    command=("-m", "fastapi", "dev", "main.py", "--port", "{port}"),
    packages=("fastapi", "uvicorn"),
)

_ADK: Final = """{imports}
from collections.abc import AsyncGenerator

from google.adk.agents import BaseAgent
from google.adk.agents.invocation_context import InvocationContext
from google.adk.events import Event
from google.genai import types

VERSION = "{version}"


class Answers(BaseAgent):
    async def _run_async_impl(self, ctx: InvocationContext) -> AsyncGenerator[Event, None]:
        yield Event(author=self.name, content=types.Content(role="model", parts=[types.Part(text=VERSION)]))


root_agent = Answers(name="answers")
"""
# Sessions in memory, as ours keeps them there under `dev`; its default, a file of SQLite, is slower.
_ADK_COMMAND: Final = ("-m", "google.adk.cli", "web", "--port", "{port}", "--session_service_uri", "memory://")

ADK: Final = Tool(
    name="adk web",
    environment="adk",
    command=(*_ADK_COMMAND, "."),
    file="answers/agent.py",
    text=_ADK,
    path="/run",
    body=json.dumps(
        {
            "appName": "answers",
            "userId": "user",
            "sessionId": "{session}",
            "newMessage": {"role": "user", "parts": [{"text": "Which version?"}]},
        }
    ),
    opening="/apps/answers/users/user/sessions/{session}",
    more={"answers/__init__.py": "from . import agent\n"},
    packages=("google-adk",),
)

ADK_RELOAD: Final = replace(ADK, name="adk web --reload_agents", command=(*_ADK_COMMAND, "--reload_agents", "."))

LANGGRAPH: Final = Tool(
    name="langgraph dev",
    environment="langgraph",
    command=("-m", "langgraph_cli", "dev", "--no-browser", "--port", "{port}"),
    file="graph.py",
    text="""{imports}
from typing import TypedDict

from langgraph.graph import END, START, StateGraph

VERSION = "{version}"


class State(TypedDict):
    text: str


def answer(state: State) -> State:
    return {"text": VERSION}


builder = StateGraph(State)
builder.add_node("answer", answer)
builder.add_edge(START, "answer")
builder.add_edge("answer", END)
graph = builder.compile()
""",
    path="/runs/wait",
    body=json.dumps({"assistant_id": "agent", "input": {"text": "Which version?"}}),
    more={"langgraph.json": json.dumps({"dependencies": ["."], "graphs": {"agent": "./graph.py:graph"}})},
    env={"LANGSMITH_TRACING": "false", "LANGGRAPH_CLI_NO_ANALYTICS": "1"},
    packages=("langgraph-cli", "langgraph-api"),
)
