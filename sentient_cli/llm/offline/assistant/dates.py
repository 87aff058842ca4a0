"""Dates and times, from the injected clock, in UTC."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from sentient_cli.llm.offline.assistant.talk import Talk

__all__ = ["tell"]

_ISO = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b")
_NOW = re.compile(r"(?i)\b(?:what|which|tell me)\b.{0,20}\btime\b|\btime is it\b|\bcurrent time\b")
_DAY = re.compile(
    r"(?i)\b(?:what|which)(?:'s| is)?\b.{0,20}\b(?:date|day|weekday)\b|\b(?:today|tomorrow|yesterday)'s date\b"
    r"|\bday (?:is|was) (?:it|today|tomorrow|yesterday)\b|\b(?:what|which) (?:year|month) is it\b"
)
_SHIFT = re.compile(r"(?i)\b(in )?(\d{1,5}) (day|week)s?(?: (ago|from (?:now|today)))?\b")
_ASKS = re.compile(r"(?i)\b(?:what|which|when|how many|date|day|weekday)\b")
_BETWEEN = re.compile(
    r"(?i)\b(?:how (?:many|long)|days?)\b.{0,30}\b(?:until|till|to|since|between|from|before|after)\b"
)


def tell(talk: Talk) -> str | None:
    """The time, a date, or the days between two, when the prompt asks for it."""
    prompt = talk.prompt
    if not talk.within(200):
        return None
    try:
        named = [date(int(year), int(month), int(day)) for year, month, day in _ISO.findall(prompt)]
    except ValueError:
        return "There is no such date in the calendar."
    if named:
        return _about(prompt, named, talk.now.date())
    if _NOW.search(prompt):
        return f"It is {talk.now:%H:%M} UTC on {_long(talk.now)}."
    shift = _SHIFT.search(prompt)
    if shift and _ASKS.search(prompt) and (shift[1] or shift[4]):
        return _shifted(talk.now, shift)
    return _relative(talk.now, prompt.casefold()) if _DAY.search(prompt) else None


def _long(moment: date) -> str:
    return f"{moment:%A}, {moment.day} {moment:%B} {moment.year:04d}"


def _about(prompt: str, named: list[date], today: date) -> str | None:
    if len(named) > 1 or _BETWEEN.search(prompt):
        first, last = (named[0], named[1]) if len(named) > 1 else (today, named[0])
        days = abs((last - first).days)
        return f"From {_long(first)} to {_long(last)}: {days} day{'' if days == 1 else 's'}."
    if not _ASKS.search(prompt):
        return None
    return f"{named[0].isoformat()} is a {named[0]:%A}, day {named[0].timetuple().tm_yday} of its year."


def _shifted(now: datetime, shift: re.Match[str]) -> str:
    days = int(shift[2]) * (7 if shift[3].casefold() == "week" else 1)
    back = (shift[4] or "").casefold() == "ago"
    # Five digits of weeks stay within the calendar.
    moment = now - timedelta(days=days) if back else now + timedelta(days=days)
    return f"That {'was' if back else 'will be'} {_long(moment)}."


def _relative(now: datetime, prompt: str) -> str:
    if "tomorrow" in prompt:
        return f"Tomorrow is {_long(now + timedelta(days=1))}."
    if "yesterday" in prompt:
        return f"Yesterday was {_long(now - timedelta(days=1))}."
    return f"Today is {_long(now)} (UTC)."
