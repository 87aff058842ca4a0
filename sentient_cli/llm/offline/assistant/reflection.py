"""The last resort: says what the prompt is about and what can be done with it, and claims nothing."""

from __future__ import annotations

import re
from collections import Counter

from sentient_cli.llm.offline.assistant.talk import Talk, excerpt

__all__ = ["keywords", "reflect"]

LONG_TEXT = 40
_WORD = re.compile(r"[^\W\d_][\w'\u2019-]{2,}")
_STOP = frozenset(
    """
    a about above after again all also and any are because been before being between both but can could did does
    doing down each few for from further had has have having her here hers him his how into its itself just let
    like more most many much must nor not now off once only other our out over own please same she should some
    such tell than that the their them then there these they this those through too under until very want was were
    what when where which while who whom why will with would you your yours give make write show explain describe
    """.split()  # noqa: SIM905 - words read better than a list of strings
)
_KINDS = (
    (re.compile(r"(?i)^\W*why\b"), "You ask for a reason"),
    (re.compile(r"(?i)^\W*how\b"), "You ask for a way"),
    (re.compile(r"(?i)^\W*(?:who|whom|whose)\b"), "You ask for a person"),
    (re.compile(r"(?i)^\W*(?:when)\b"), "You ask for a time"),
    (re.compile(r"(?i)^\W*(?:where)\b"), "You ask for a place"),
    (re.compile(r"(?i)^\W*(?:explain|describe|tell)\b"), "You want something explained"),
    (re.compile(r"(?i)\?\s*$|^\W*(?:what|which|is|are|do|does|did|can|could)\b"), "You ask a question"),
    (
        re.compile(r"(?i)^\W*(?:write|list|make|give|create|draw|translate|find|search|build|generate)\b"),
        "You want something made",
    ),
)


def keywords(text: str, limit: int = 3) -> list[str]:
    """The words that a text is about: often used, long, early."""
    words = [word for word in _WORD.findall(text) if word.casefold() not in _STOP]
    first = {word.casefold(): word for word in reversed(words)}
    counts = Counter(word.casefold() for word in words)
    order = {word: place for place, word in enumerate(dict.fromkeys(word.casefold() for word in words))}
    ranked = sorted(counts, key=lambda word: (-counts[word], -min(len(word), 8), order[word]))
    return [first[word] for word in sorted(ranked[:limit], key=order.__getitem__)]


def reflect(talk: Talk) -> str:
    """What the prompt seems to be about, and what the offline model can do with it."""
    topics = keywords(talk.prompt)
    about = _listed(topics) or f'"{excerpt(talk.prompt, 40)}"'
    kind = next((said for pattern, said in _KINDS if pattern.search(talk.prompt)), "You tell me something")
    parts = [f"{kind}, about {about}.", talk.pick(_LIMITS), _offer(talk)]
    linked = _link(talk, topics)
    if linked:
        parts.insert(1, linked)
    return " ".join(parts)


_LIMITS = (
    "I am the offline model and know nothing about the world beyond this conversation, so I will not guess.",
    "That takes knowledge that I do not have: I run offline, with nothing but this conversation.",
    "I could only make something up, and I do not: I am the small offline model.",
)


def _offer(talk: Talk) -> str:
    words = len(talk.prompt.split())
    if words > LONG_TEXT:
        return (
            f"Your text has {words} words; I can summarise it, count in it, or extract from it: say `Summarise that`."
        )
    return talk.pick(
        (
            "Type `help` to see what I can do, or ask how to use a real model.",
            "I can explain how agents, runs and sessions work here, calculate, or work on a text that you give me.",
            "A real model in my place would answer this; ask me how to use one.",
        )
    )


def _link(talk: Talk, topics: list[str]) -> str:
    for text in reversed(talk.earlier):
        for topic in topics:
            if re.search(rf"(?i)\b{re.escape(topic)}\b", text):
                return f'You mentioned {topic} before: "{excerpt(text, 80)}".'
    return ""


def _listed(items: list[str]) -> str:
    quoted = [f"*{item}*" for item in items]
    return quoted[0] if len(quoted) == 1 else " and ".join([", ".join(quoted[:-1]), quoted[-1]]) if quoted else ""
