"""Remembers what the user said in this conversation: a name, likes, favourites, notes, topics."""

from __future__ import annotations

import re

from sentient_cli.llm.offline.assistant.talk import Talk, excerpt

__all__ = ["known_name", "note", "recall"]

_NAME = re.compile(
    r"(?i:\bmy name is|\bmy name's|\bcall me|\bi am called)\s+([^\W\d_][\w'-]{0,30}(?: [A-Z][\w'-]{1,30})?)"
)
_I_AM = re.compile(r"\b(?:I am|I'm|I\u2019m) ([A-Z][a-z'-]{1,30})\b")
_FACT = re.compile(
    r"(?i)\b(?P<what>i (?:really )?(?:like|love|hate|prefer|need|want|live in|work (?:at|as|on|in|for)|come from|have|"
    r"speak|use)|my (?:favou?rite )?(?!name\b)[\w-]{1,30}(?: [\w-]{1,30})? (?:is|are))\s+(?P<rest>[^.!?\n]{1,120})"
)
_REMEMBER = re.compile(r"(?i)\b(?:please )?(?:remember|note|keep in mind)(?: that)?[:\s]+(?P<rest>[^\n]{1,300})")
_ASKS_NAME = re.compile(
    r"(?i)\b(?:what(?:'s| is)|do you (?:know|remember)|tell me|say)\b.{0,20}\bmy name\b|\bwho am i\b"
)
_ASKS_MINE = re.compile(
    r"(?i)\b(?:what|which|where|who)(?:'s| is| are| was)? my "
    r"((?:favou?rite )?[\w-]{1,30}(?: [\w-]{1,30})?)\W*$"
)
_ASKS_ALL = re.compile(
    r"(?i)\bwhat (?:do|did) (?:you|i|we) (?:know about me|remember|tell you|say|said|ask|talk about|discuss)\b"
    r"|\bwhat (?:did|have) (?:i|we)\b.{0,30}\b(?:say|said|ask|asked|talk|talked|tell|told|discuss)"
    r"|\bwhat have (?:i|we)\b"
)
_ASKS_LAST = re.compile(r"(?i)\b(?:my|the) (?:last|previous|first) (?:message|question|prompt)\b|\bwhat did i just\b")
_ASKS_REPEAT = re.compile(
    r"(?i)^\W*(?:repeat|say) (?:that|it)(?: again)?\W*$|^\W*(?:again|what did you (?:just )?say)\W*$"
)
_QUESTION = re.compile(r"(?i)^\W*(?:what|who|where|which|when|why|how|do|does|did|can|could|is|are|tell)\b")
_SWAP = {"i": "you", "my": "your", "am": "are", "me": "you", "i'm": "you are", "mine": "yours", "myself": "yourself"}


def known_name(talk: Talk) -> str:
    """The name that the user gave, or nothing."""
    for text in (talk.prompt, *reversed(talk.earlier)):
        name = _name_in(text)
        if name:
            return name
    return ""


def _name_in(text: str) -> str:
    found = None if _QUESTION.match(text) else _NAME.search(text) or _I_AM.search(text)
    return found[1][0].upper() + found[1][1:] if found else ""


def recall(talk: Talk) -> str | None:
    """An answer to a question about what the user said."""
    prompt = talk.prompt
    if not talk.within(300):
        return None
    if _ASKS_REPEAT.match(prompt):
        return talk.last_answer or "I have not said anything yet."
    if _ASKS_LAST.search(prompt):
        return _one_message(talk)
    mine = _ASKS_MINE.search(prompt)
    if mine and mine[1].casefold() != "name":
        return _mine(talk, mine[1])
    if _ASKS_NAME.search(prompt):
        name = known_name(talk)
        return f"Your name is {name}." if name else "You have not told me your name in this conversation."
    return _everything(talk) if _ASKS_ALL.search(prompt) else None


def _one_message(talk: Talk) -> str:
    if not talk.earlier:
        return "This is your first message in this conversation."
    first = "first" in talk.prompt.casefold()
    text = talk.earlier[0] if first else talk.earlier[-1]
    return f'Your {"first" if first else "last"} message was: "{excerpt(text, 300)}"'


def _mine(talk: Talk, what: str) -> str:
    wanted = f"my {what}".casefold()
    for text in reversed(talk.earlier):
        for found in _FACT.finditer(text):
            if found["what"].casefold().startswith(wanted):
                return f"{_turned(found['what'] + ' ' + found['rest'])}."
    return f"You have not told me about your {what} in this conversation."


def _everything(talk: Talk) -> str:
    if not talk.earlier:
        return "Nothing yet: this is your first message in this conversation."
    name = known_name(talk)
    facts = [f"Your name is {name}."] if name else []
    facts += [f"{fact}." for text in talk.earlier for fact in _facts(text)]
    said = [f'- "{excerpt(text, 100)}"' for text in talk.earlier[-8:]]
    parts = [f"So far you sent {len(talk.earlier)} message{'s' if len(talk.earlier) > 1 else ''}:", "\n".join(said)]
    if facts:
        parts.append("From them I know:\n\n" + "\n".join(f"- {fact}" for fact in dict.fromkeys(facts)))
    return "\n\n".join(parts)


def _facts(text: str) -> list[str]:
    if _QUESTION.match(text):
        return []
    noted = _REMEMBER.search(text)
    if noted:
        return [_turned(noted["rest"].rstrip(".! "))]
    return [_turned(f"{found['what']} {found['rest'].strip()}") for found in _FACT.finditer(text)]


def _turned(text: str) -> str:
    words = [_SWAP.get(word.casefold(), word) for word in text.split()]
    said = " ".join(words)
    return said[:1].upper() + said[1:]


def note(talk: Talk) -> str | None:
    """An answer to something that the user tells about themselves."""
    name = _name_in(talk.prompt)
    facts = _facts(talk.prompt) if talk.within(300) else []
    if name:
        more = f" {facts[0]}; noted." if facts else " I will remember it while this conversation lasts."
        return talk.pick((f"Nice to meet you, {name}.", f"Hello, {name}.", f"Pleased to meet you, {name}.")) + more
    if not facts:
        return None
    start = talk.pick(("Noted", "I will remember that", "Good to know"))
    return f"{start}: {facts[0][:1].lower()}{facts[0][1:]}. Ask me later what I know about you."
