"""Greetings, thanks, and who the assistant is, what it can do, and how to put a real model in its place."""

from __future__ import annotations

import re

from sentient_cli.llm.offline.assistant.memory import known_name
from sentient_cli.llm.offline.assistant.talk import Talk

__all__ = ["greet", "introduce"]

_HELLO = re.compile(
    r"(?i)^\W*(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day)|hallo|salut)\b"
)
_THANKS = re.compile(r"(?i)^\W*(?:thanks|thank you|thx|cheers|great|perfect|awesome|nice)\b.{0,40}$")
_BYE = re.compile(r"(?i)^\W*(?:bye|goodbye|good night|see you|farewell|cu)\b.{0,40}$")
_HOW = re.compile(r"(?i)\bhow (?:are you|is it going|do you do)\b")
_WHO = re.compile(
    r"(?i)\b(?:who|what) (?:are|r) (?:you|u)\b|\byour name\b|\bare you (?:an? )?(?:ai|bot|human|real|llm|model|gpt|"
    r"claude)"
    r"|\bintroduce yourself\b|\bwhich model\b|\bwhat model\b"
)
_CAN = re.compile(r"(?i)\bwhat (?:can|do) you (?:do|know)\b|^\W*help\b\W*$|\bhow can you help\b|\bwhat are you able\b")
_REAL = re.compile(
    r"(?i)\b(?:real|other|another|different|better|own|external|hosted|actual) (?:model|llm|provider)s?\b"
    r"|\b(?:connect|plug in|use|switch to|replace|configure|set up|change)\b.{0,40}\b(?:model|llm|provider|openai|gpt|"
    r"anthropic|claude|gemini|ollama|mistral)\b"
)

ABOUT = (
    "I am the offline model of `sentient`: a small program that answers without a key and without a network. "
    "The same conversation always gets the same answer. I know this project, some arithmetic, the date, and what "
    "you tell me; I know nothing else about the world, and I say so."
)
ABILITIES = """\
Here is what I can do, all of it offline:

- **Remember** what you say in this conversation: `My name is Ada`, later `What is my name?`
- **Calculate**: `What is 15% of 80?`, `(2 + 3) * 4`
- **Dates**: `What day is it?`, `How many days until 2030-01-01?`
- **Work on text**: `Summarise: …`, `Count the words: …`, `Reverse: …`, `Extract the emails: …`
- **Explain** this project: `What is a run?`, `What is the difference between a session and a run?`
- **Show** code and Markdown: `Show me an agent`, `Make a checklist: tea, milk`
- **Call tools** that your agent gives me, when you name one: `add a=2 b=3`"""
REAL_MODEL = """\
To put a real model in my place, give the agent server another provider:

1. Write a class with the methods of `LLMProvider`, or take one from a package.
2. Register it: `manager.register(MyProvider())`.
3. Name its model, as `provider:model`, under `[llm]` in `sentient.toml`:

```toml
[llm]
model = "my-provider:my-model"
```

The agent's code stays as it is: `llm.stream(query.prompt)` asks whatever model is configured."""


def introduce(talk: Talk) -> str | None:
    """Who the assistant is, what it can do, how to replace it."""
    prompt = talk.prompt
    if not talk.within(300):
        return None
    if _REAL.search(prompt):
        return REAL_MODEL
    if _CAN.search(prompt):
        return ABILITIES
    return ABOUT if _WHO.search(prompt) else None


def greet(talk: Talk) -> str | None:
    """An answer to a greeting, to thanks, and to a farewell."""
    prompt = talk.prompt
    name = known_name(talk)
    to = f", {name}" if name else ""
    if not prompt:
        return "You sent an empty message. Ask me something, or type `help`."
    if _HOW.search(prompt) and talk.within(80):
        return talk.pick(
            (f"All is well here{to}; I have no bad days, being deterministic. What shall we do?",
             f"As always{to}: the same answer to the same question. How can I help?")
        )  # fmt: skip
    if _HELLO.match(prompt) and talk.within(60):
        return talk.pick(
            (f"Hello{to}! I am the offline model. Ask me what I can do, or just try something.",
             f"Hi{to}! I work without a key and without a network. Type `help` to see what I can do.",
             f"Hello{to}! Shall we calculate, look at a text, or talk about how agents work here?")
        )  # fmt: skip
    if _THANKS.match(prompt):
        return talk.pick((f"You are welcome{to}.", f"Gladly{to}.", f"Any time{to}."))
    if _BYE.match(prompt):
        return talk.pick((f"Goodbye{to}!", f"See you{to}!"))
    return None
