"""Questions on a terminal: one line each, a default for most, the same with or without colours."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from sentient_cli.cli.wrapped import wrapped
from sentient_cli.errors import SentientError, UsageError
from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize_line

if TYPE_CHECKING:
    from sentient_cli.cli.console import Console
    from sentient_cli.runtime.events import JsonValue
    from sentient_cli.scaffold.questions import Question

__all__ = ["Wizard"]

T = TypeVar("T")
_ROOM = 4
"""Columns for an answer on the line of its question, at the least."""
_YES = frozenset({"y", "yes"})


class Wizard:
    """Asks on a terminal.

    Args:
        console: Where it asks.
        asks: Whether it may.
    """

    def __init__(self, console: Console, *, asks: bool) -> None:
        self._console = console
        self.asks = asks

    def say(self, text: str) -> None:
        """Tell something."""
        self._console.say(wrapped(self._console, text))

    def show(self, head: str, lines: Sequence[str]) -> None:
        """Show a few lines below a head."""
        self._bold(head)
        for line in lines:
            self._console.say(f"  {line}")

    def text(self, label: str, *, default: str, flag: str, check: Callable[[str], object]) -> str:
        """Ask for a line of text until it is allowed."""
        self._bold(label)
        while True:
            answer = self._line(f"[{sanitize_line(default)}]", flag) or default
            if self._allowed(check, answer):
                return answer

    def choice(self, label: str, labels: Sequence[str], *, default: int, flag: str, values: Sequence[str]) -> int:
        """Ask for one of several, by its number or its name; return its place."""
        self._bold(label)
        self._list(labels)
        while True:
            answer = self._line(f"[{default + 1}]", flag)
            place = _place(answer, values) if answer else default
            if place is not None:
                return place
            self.say(f"Type a number from 1 to {len(labels)}.")

    def confirm(self, label: str, *, flag: str) -> bool:
        """Ask for a yes; anything else is a no."""
        self._bold(label)
        return self._line("[y/N]", flag).lower() in _YES

    def question(self, question: Question, check: Callable[[JsonValue], object]) -> JsonValue:
        """Ask what a template wants to know, until it allows the answer."""
        flag = f"--data {question.name}=..."
        label = sanitize_line(question.help or question.name)
        if question.choices and not question.multiple:
            values = [str(choice.value) for choice in question.choices]
            default = next((n for n, one in enumerate(question.choices) if one.value == question.default), 0)
            labels = [choice.label for choice in question.choices]
            return question.choices[self.choice(label, labels, default=default, flag=flag, values=values)].value
        self._bold(label)
        if question.multiple:
            return self._several(question, flag)
        while True:
            answer = self._typed(question, flag)
            if self._allowed(check, answer):
                return answer

    def _several(self, question: Question, flag: str) -> JsonValue:
        self._list([choice.label for choice in question.choices])
        values = [str(choice.value) for choice in question.choices]
        chosen = question.default if isinstance(question.default, list) else []
        shown = ",".join(str(n) for n, one in enumerate(question.choices, 1) if one.value in chosen) or "none"
        while True:
            answer = self._line(f"some, such as 1,2, or none [{shown}]", flag)
            if not answer:
                return chosen
            parts = [] if answer.lower() == "none" else [part.strip() for part in answer.split(",") if part.strip()]
            places = [_place(part, values) for part in parts]
            if None not in places:
                return [question.choices[place].value for place in places if place is not None]
            self.say(f"Type numbers from 1 to {len(values)} with commas between, or none.")

    def _typed(self, question: Question, flag: str) -> JsonValue:
        if question.secret:
            with_default = "" if question.required else " [a default]"
            answer = getpass.getpass(f"(not shown){with_default} > ", self._console.stderr)
        else:
            default = "" if question.required or question.default in (None, "") else f"[{_shown(question.default)}]"
            answer = self._line(default, flag)
        if answer or question.required:
            return answer
        return question.default

    def _line(self, hint: str, flag: str) -> str:
        return self._console.ask(wrapped(self._console, f"{hint} >".lstrip(), head="  ", room=_ROOM), flag=flag).strip()

    def _bold(self, text: str) -> None:
        if self._console.quiet:
            return
        from rich.text import Text

        self._console.rich(stderr=True).print(Text(sanitize_line(text), style="bold"))

    def _list(self, labels: Sequence[str]) -> None:
        for number, label in enumerate(labels, 1):
            self._console.say(wrapped(self._console, label, head=f"  {number}  "))

    def _allowed(self, check: Callable[[T], object], answer: T) -> bool:
        try:
            check(answer)
        except UsageError as error:
            self._console.say(wrapped(self._console, _said(error), head="  "))
            return False
        return True


def _said(error: SentientError) -> str:
    return redactor.redact(sanitize_line(str(error)))


def _shown(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return sanitize_line(str(value))


def _place(answer: str, values: Sequence[str]) -> int | None:
    if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(values):
        return int(answer) - 1
    return values.index(answer) if answer in values else None
