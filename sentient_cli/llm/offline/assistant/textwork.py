"""Works on a text that the user gives, or on what was said last: counts, turns, sorts, summarises, extracts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from sentient_cli.llm.offline.assistant.reflection import keywords
from sentient_cli.llm.offline.assistant.talk import Talk

__all__ = ["summarise", "work"]

LONGEST_ORDER = 80
_LEAD = r"(?i)^\W*(?:please |can you |could you |would you |now )*"
_TASK = re.compile(
    _LEAD + r"(?P<verb>summari[sz]e|shorten|tl;?dr|count|how many|how long is|reverse|(?:make|turn|write|put|convert)\b"
    r"(?=.*\b(?:upper|lower|title|capital))|uppercase|lowercase|upper-case|lower-case|capitali[sz]e|shout|extract|find|list|"
    r"sort|alphabeti[sz]e|deduplicate|repeat|echo|say|spell|what are the keywords|keywords)\b(?P<rest>.*)$",
    re.DOTALL,
)
_QUOTED = re.compile(r"[\"“«]([^\"”»]+)[\"”»]|(?<!\w)'([^']+)'(?!\w)|`([^`]+)`", re.DOTALL)
_REFERS = re.compile(
    r"(?i)^\W*(?:that|it|this|the above|my last message|"
    r"your (?:last )?answer|the (?:previous|last) (?:text|message|answer))\W*$"
)
_WITHIN = re.compile(r"(?i)^.{1,40}\b(?:in|of) (?:the word )?([\w'-]+)\W*$")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_EXTRACTS: tuple[tuple[re.Pattern[str], re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)e-?mail"), re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), "email addresses"),
    (re.compile(r"(?i)\b(?:urls?|links?|addresses)\b"), re.compile(r"https?://[^\s<>\"')\]]+"), "links"),
    (re.compile(r"(?i)\bdates?\b"), re.compile(r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b"), "dates"),
    (re.compile(r"(?i)\b(?:numbers?|figures?|amounts?)\b"), re.compile(r"(?<![\w.])-?\d+(?:[.,]\d+)*"), "numbers"),
    (re.compile(r"(?i)\bhash ?tags?\b"), re.compile(r"#\w+"), "hashtags"),
    (re.compile(r"(?i)\bmentions?\b"), re.compile(r"@\w+"), "mentions"),
    (re.compile(r"(?i)\bquestions?\b"), re.compile(r"[^.!?\n]+\?"), "questions"),
    (
        re.compile(r"(?i)\b(?:names?|capitali[sz]ed)\b"),
        re.compile(r"\b[A-Z][a-z]+(?: [A-Z][a-z]+)*\b"),
        "capitalised names",
    ),
)


def work(talk: Talk) -> str | None:
    """The result of the task that the prompt sets, when it sets one on a text."""
    found = _TASK.match(talk.prompt)
    if not found:
        return None
    verb = found["verb"].casefold()
    order, text = _split(found["rest"], talk)
    if not text:
        return None
    if verb in {"extract", "find", "list"}:
        return _extract(order, text)
    if verb in {"count", "how many", "how long is"}:
        return _count(order, text)
    return _transform(verb, order, text)


def _split(rest: str, talk: Talk) -> tuple[str, str]:
    order, colon, text = rest.partition(":")
    if colon and len(order) <= LONGEST_ORDER and not text.startswith("//"):
        text = text.strip()
        quoted = _QUOTED.fullmatch(text)
        return order, next((group for group in quoted.groups() if group), text) if quoted else text
    head, newline, text = rest.partition("\n")
    if newline and text.strip() and len(head) <= LONGEST_ORDER:
        return head, text.strip()
    quoted = _QUOTED.search(rest)
    if quoted:
        return rest[: quoted.start()], next(group for group in quoted.groups() if group)
    if re.search(r"(?i)\b(?:that|it|this|above|last|previous)\b\W*$", rest) or _REFERS.match(rest):
        said = talk.last_answer if re.search(r"(?i)\byour\b", rest) or not talk.earlier else talk.earlier[-1]
        return rest, said
    within = _WITHIN.match(rest)
    if within:
        return rest[: within.start(1)], within[1]
    return "", rest.strip(" .?!") if " " not in rest.strip() else ""


def _extract(order: str, text: str) -> str | None:
    for wanted, pattern, name in _EXTRACTS:
        if wanted.search(order):
            found = list(dict.fromkeys(item.strip() for item in pattern.findall(text)))
            return "\n".join(f"- {item}" for item in found) if found else f"I see no {name} in that text."
    if re.search(r"(?i)\bkey ?words?|topics?\b", order):
        return ", ".join(keywords(text, 5)) or "I see no keywords in that text."
    return None


def _count(order: str, text: str) -> str | None:
    letter = re.search(r"(?i)\b(?:letter |character )?[\"'`]?\b([a-z])[\"'`\u2019]*s?[\"'`\u2019]* (?:in|are)\b", order)
    if letter:
        number = text.casefold().count(letter[1].casefold())
        return f"The letter {letter[1]!r} is in it {_times(number)}."
    counts: dict[str, int] = {
        "word": len(text.split()),
        "character": len(text),
        "sentence": len([part for part in _SENTENCE.findall(text) if part.strip(" .!?")]),
        "line": text.count("\n") + 1,
    }
    asked = [name for name in counts if name in order.casefold()]
    if re.search(r"(?i)\bletters\b", order):
        counts["letter"] = sum(char.isalpha() for char in text)
        asked = ["letter"]
    shown = [_plural(counts[name], name) for name in asked or counts]
    return f"{', '.join(shown)}."


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _plural(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _sorted(text: str) -> str:
    if "\n" in text:
        return "\n".join(sorted(text.split("\n"), key=str.casefold))
    separator = ", " if "," in text else " "
    return separator.join(sorted((item.strip() for item in text.split(separator.strip() or None)), key=str.casefold))


def _unique(text: str) -> str:
    separator = "\n" if "\n" in text else ", " if "," in text else " "
    return separator.join(dict.fromkeys(item.strip() for item in text.split(separator.strip(" ") or None)))


def _summary(text: str) -> str:
    return summarise(text)


_TRANSFORMS: tuple[tuple[str, Callable[[str], str]], ...] = (
    (r"summari|shorten|tl;?dr", _summary),
    (r"reverse.*\bwords?\b", lambda text: " ".join(reversed(text.split()))),
    (r"reverse.*\blines?\b", lambda text: "\n".join(reversed(text.split("\n")))),
    (r"reverse", lambda text: text[::-1]),
    (r"upper|shout", str.upper),
    (r"lower", str.lower),
    (r"title|capital", str.title),
    (r"sort|alphabeti", _sorted),
    (r"deduplicate", _unique),
    (r"spell", lambda text: "-".join(text.upper())),
    (r"keyword", lambda text: ", ".join(keywords(text, 5)) or "I see no keywords in that text."),
    (r"repeat|echo|say", str),
)


def _transform(verb: str, order: str, text: str) -> str | None:
    asked = f"{verb} {order}".casefold()
    return next(
        (transform(text) for pattern, transform in _TRANSFORMS if re.match(rf"(?s).*?(?:{pattern})", asked)), None
    )


def summarise(text: str, sentences: int = 2) -> str:
    """The sentences of a text that hold the most of its frequent words, in their order.

    Example:
        >>> summarise("Logs keep entries. It rained. Entries of logs are ordered. Logs are good.", 1)
        'Logs keep entries.'
    """
    parts = [part.strip() for part in _SENTENCE.findall(text) if part.strip(" .!?")]
    if len(parts) <= sentences:
        return text.strip()
    weights = Counter(word.casefold() for word in re.findall(r"[^\W\d_]{4,}", text))
    scores = [sum(weights[word.casefold()] for word in set(re.findall(r"[^\W\d_]{4,}", part))) for part in parts]
    best = sorted(sorted(range(len(parts)), key=lambda place: -scores[place])[:sentences])
    return " ".join(parts[place] for place in best)
