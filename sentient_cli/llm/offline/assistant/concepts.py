"""Explains the words of this project."""

from __future__ import annotations

import re

from sentient_cli.llm.offline.assistant.talk import Talk

__all__ = ["CONCEPTS", "explain"]

CONCEPTS: dict[str, str] = {
    "agent": (
        "An **agent** is your code: an object with `async def assist(self, session, query, response)`. It "
        "reads the query and writes to the response; one function with a decorator will do."
    ),
    "session": (
        "A **session** is a chat: the runs that belong together, with what was said before. An agent reads it "
        "with `session.get_interactions()`."
    ),
    "query": "A **query** is what the user asks in one run: `query.id` and `query.prompt`.",
    "run": (
        "A **run** is one query to one agent. It is a task of its own, not the life of an HTTP request: a "
        "broken connection can come back to it, and a second client can watch. Everything in it is an entry "
        "of its log."
    ),
    "log": (
        "The **log** of a run holds its entries in order: one start, one terminal entry, and nothing after "
        "it. The wire, recordings and the debugger are all views of it."
    ),
    "entry": (
        "An **entry** is one thing that happened in a run: `Entry(seq, at, type, data)`. `seq` counts from 1 "
        "without gaps, `at` is in nanoseconds, `data` is JSON."
    ),
    "event": (
        "An **event** is an entry that goes to the client: a text block, JSON, a chunk of a text stream, an "
        "error, or `done`, which is always the last."
    ),
    "response": (
        "A **response** is what an agent writes to: `text_block`, `json`, `error`, `stream(name)` and "
        "`complete`. An agent that returns without `complete` has it done for it."
    ),
    "cursor": (
        "A **cursor** says from where to read a log. Within a run it is a `seq`: a client that sends "
        "`Last-Event-ID` gets what came after it, then what comes live."
    ),
    "provider": (
        "A **provider** is one LLM vendor or server, behind one protocol, `LLMProvider`. The offline model is "
        "a provider too. Model ids are `provider:model`."
    ),
    "model": (
        "A **model** is named `provider:model`; a provider's id alone means its default model. `offline` "
        "needs no key and no network."
    ),
    "manager": (
        "The **manager**, `LLMManager`, is the one façade over providers: it finds the provider of a model "
        "id, begins the call, and tells the hooks about it."
    ),
    "chunk": (
        "A **chunk** is a piece of an answer as it streams: text, a piece of a tool call, usage, or the "
        "reason of the end. A stream without that reason was cut off, and that is an error."
    ),
    "usage": (
        "**Usage** counts the tokens of a call: input, cache reads and writes, output, and reasoning as a "
        "part of the output. What a provider does not say is unknown, never zero."
    ),
    "hook": "A **hook** listens to LLM calls: one method, `on_record`. It can neither delay a call nor fail it.",
    "attempt": "An **attempt** is one call to one provider. An answer says how many it took.",
    "store": (
        "A **store** is where runs and state are kept: in memory, in SQLite, or in files. All pass one contract suite."
    ),
    "host": "The **host** puts the parts together: agents, models, stores, hooks, clock. It starts and ends runs.",
    "profile": (
        "A **profile** is a named set of settings in the project file, chosen with `--profile` or the environment."
    ),
    "project": "A **project** is a directory with a `sentient.toml`, or `[tool.sentient]` in its `pyproject.toml`.",
    "tool": (
        "A **tool** is something that a model may ask your agent to do. The model names it with arguments; "
        "the agent does it and sends the result back as a message."
    ),
    "script": (
        "A **script** tells the offline model what to answer to what: rules with a pattern and an answer, "
        "tool calls, token numbers, delays, or failures, in TOML or JSON. It makes tests of agents exact."
    ),
    "sentient chat": (
        "**Sentient Chat** is the wire: `POST /assist` answers with server-sent events of version 1.0. The "
        "public clients read it, and `sentient chat` talks it in the terminal."
    ),
    "serve": (
        "`sentient serve` is the production server: it serves your agent over HTTP, with health checks, "
        "limits, and a drain that ends every stream with a last event."
    ),
}
_ALIASES = {
    "run log": "log",
    "llm provider": "provider",
    "llmprovider": "provider",
    "llmmanager": "manager",
    "token": "usage",
    "offline script": "script",
    "sentient serve": "serve",
    "conversation": "session",
    "entrie": "entry",
    "querie": "query",
}
_TERM = "|".join(sorted((re.escape(word) for word in (*CONCEPTS, *_ALIASES)), key=len, reverse=True))
_TERMS = re.compile(rf"(?i)\b({_TERM})s?\b")
_ASKS = re.compile(
    r"(?i)^\W*(?:(?:and|so|ok|please|hi|hello)\W+)*(?:what(?:'s| is| are| does)|explain|define|describe|"
    r"tell me (?:more )?about|"
    r"how (?:do|does|is|are)|difference|compare|who is|can you explain|could you explain)\b"
)
_ALL = re.compile(r"(?i)\b(?:concepts|vocabulary|glossary|terms)\b")
_PROJECT = re.compile(r"(?i)\b(?:sentient|this project|this program|this framework)\b")
ABOUT_PROJECT = (
    "`sentient` serves agents and talks to them. You write an agent; `sentient serve` puts it on HTTP; `sentient chat` "
    "talks to it. Everything that happens in a run goes into one log, in order, so that it can be watched, resumed and "
    "understood. Ask me about a word of it: run, entry, event, session, provider…"
)


def explain(talk: Talk) -> str | None:
    """The meaning of the words of this project that the prompt asks about, at most three of them."""
    prompt = talk.prompt
    if not talk.within(200):
        return None
    if _ALL.search(prompt):
        return (
            "The words of this project: " + ", ".join(f"`{word}`" for word in CONCEPTS) + ". Ask me about any of them."
        )
    asked = bool(_ASKS.search(prompt))
    terms = list(dict.fromkeys(_canonical(word) for word in _TERMS.findall(prompt)))
    bare = len(terms) == 1 and talk.within(len(terms[0]) + 4)
    if terms and (asked or bare):
        return "\n\n".join(CONCEPTS[term] for term in terms[:3])
    return ABOUT_PROJECT if asked and _PROJECT.search(prompt) else None


def _canonical(word: str) -> str:
    lowered = word.casefold()
    return _ALIASES.get(lowered, lowered)
