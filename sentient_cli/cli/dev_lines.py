"""How what happens under ``sentient dev`` looks: columns that stay in line from 20 columns to 200."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from sentient_cli.cli.dev_text import Line, Pen, Span, fold, plain, shorten, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentient_cli.dev.messages import Problem
    from sentient_cli.dev.report import Broken, Output, Ready, Reloaded, RunEnded, RunStarted, WorkerDied

__all__ = ["KEYS", "Layout"]

KEYS: Final = (
    ("r", "reload", "load the code again"),
    ("o", "open page", "chat with the agent and watch its events in a browser"),
    ("d", "debug", "how to look into a run"),
    ("c", "clear", "clear the screen"),
    ("?", "help", "show this"),
    ("q", "quit", "end, as Ctrl-C does"),
)
_KEYS_IN_BRIEF: Final = ("rodc?q", "ro?q", "r?q", "?q")
_WIDEST: Final = 120
_WIDE: Final = 100
_WITH_TIME: Final = 56
_WITH_FIRST: Final = 76
_WITH_EVENTS: Final = 44
_NARROW: Final = 44
_GAP: Final = "  "
_TIME: Final = 8
_FOLDED: Final = 3
_LEAST: Final = 8
_MOST_FRAMES: Final = 12
_MOST_OUTPUT: Final = 100
_EXCERPT: Final = re.compile(r"(?P<mark>[> ]) (?P<number> *\d+) \|(?P<code>.*)")
_OUTCOMES: Final = {
    "error": ("failed", "red"),
    "cancelled": ("stopped", "yellow"),
    "deadline": ("stopped", "yellow"),
    "lost": ("failed", "red"),
}
_SAID: Final = {"cancelled": "cancelled", "deadline": "out of time", "lost": "lost"}
_LEVELS: Final = {"warning": "yellow", "error": "red", "critical": "red"}

# Of times, in their units; what would be rounded to one digit more is written in the next unit.
_TENTHS_BELOW: Final = 10
_ROUNDS_TO_A_SECOND: Final = 999.5
_ROUNDS_TO_TEN: Final = 9.995
_MINUTE: Final = 60
_HOUR: Final = 60
_MANY_HOURS: Final = 100
# Of counts.
_IN_FULL: Final = 10_000
_ROUNDS_TO_100K: Final = 99_950
_ROUNDS_TO_A_MILLION: Final = 999_500


class Layout:
    """Makes lines of events.

    Args:
        pen: Makes text fit for the stream.
        width: Columns of the terminal; the last one stays free.
        project: Paths below it are shown from there.
    """

    def __init__(self, pen: Pen, width: int, project: str = "") -> None:
        self._pen = pen
        self._glyphs = pen.glyphs
        self._width = min(width, _WIDEST + 1) - 1
        self._folding = max(width - 1, 10)
        self._project = project.rstrip("/\\") + os.sep if project else ""

    # -- the start ---------------------------------------------------------------------------------------------------

    def loading(self, agent: str | None, version: str) -> Line:
        """While the first generation is loaded."""
        text = self._pen.text
        what = f"loading {agent or 'the agent'} {self._glyphs.more}"
        return self._cut((text(" "), text(f" sentient dev {version}", "bold"), text(f"   {what}", "dim")))

    def start(self, ready: Ready, version: str, *, python: str, keys: bool) -> list[Line]:
        """The block that says where the agent answers."""
        text = self._pen.text
        took = duration(ready.seconds * 1000)
        head: Line = (
            text(" "),
            text(" sentient dev", "bold"),
            text(f" {version}", "dim"),
            text("   ready in ", "dim"),
            text(took),
        )
        narrow = self._width < _NARROW
        if narrow:
            head = (text(" "), text(" sentient dev", "bold"))
        where = [f"profile {ready.environment}", self.path(ready.env_file) if ready.env_file else "no .env"]
        rows = [("Agent", ready.agent, ""), ("URL", ready.url, "cyan")]
        rows += [] if keys else [("Page", ready.inspect_url, "cyan")]
        rows += [("Debugger", f"listens on {ready.debugger}", "")] if ready.debugger else []
        rows += [("Settings", f" {self._glyphs.dot} ".join(where), "")]
        rows += [] if narrow else [("Python", python, "")]
        lines: list[Line] = [(), self._cut(head), ()]
        for label, value, style in rows:
            lead = Span("  " if narrow else f"  {label:10}", "dim")
            row: Line = (lead, text(value, style, secret=label == "Page"))
            lines.append(row if style else self._cut(row))  # an address stays in one piece
        return [*lines, (), *(self.keys() if keys else ())]

    def keys(self) -> list[Line]:
        """The keys in brief, and an empty line."""
        for chosen in _KEYS_IN_BRIEF:
            pieces = [
                span
                for key, name, _ in KEYS
                if key in chosen
                for span in (self._pen.text(f"  {key}", "bold"), self._pen.text(f" {name} ", "dim"))
            ]
            if width_of(plain(pieces).rstrip()) <= self._width:
                return [tuple(pieces), ()]
        return []

    def help(self, url: str, link: str) -> list[Line]:
        """The keys in full, and the link of the page."""
        rows = [(key, meaning) for key, _, meaning in KEYS]
        lines: list[Line] = [()]
        for key, meaning in rows:
            lines += self._hanging(f"  {key}  ", self._pen.text(meaning), lead_style="bold")
        if link:
            lines += [(), *self._hanging("  ", self._pen.text("The page, with its events:", "dim")), *self.link(link)]
        elif url:
            lines += [(), *self.link(url)]
        return [*lines, ()]

    def title(self, ready: Ready) -> list[Line]:
        """What stands on a screen that was cleared."""
        text = self._pen.text
        return [self._cut((text("  "), text(ready.url, "cyan"), text(f"  {ready.agent}", "dim"))), ()]

    # -- one line each -----------------------------------------------------------------------------------------------

    def run(self, event: RunEnded, time: str, *, outdated: bool) -> list[Line]:
        """A run that has ended, and what went wrong in it."""
        kind, color = _OUTCOMES.get(event.outcome, ("done", "green"))
        mark = self._pen.text(getattr(self._glyphs, kind), color)
        notes = [_SAID[event.outcome]] if event.outcome in _SAID else []
        notes += ["old code"] if outdated else []
        aside = self._pen.text(f" {self._glyphs.dot} ".join(["", *notes]) if notes else "", "dim")
        row = self._row(time, mark, self._prompt(event.prompt), aside, self._figures(event))
        if not event.error or event.outcome in _SAID:
            return [row]
        room = self._folding - self._indent()
        said = fold(self._pen.text(event.error).text, room)
        if len(said) > _FOLDED:
            said = [*said[: _FOLDED - 1], shorten(f"{said[_FOLDED - 1]} {said[_FOLDED]}", room, self._glyphs.more)]
        return [row, *((Span(" " * self._indent()), Span(line, "red")) for line in said)]

    def going(self, event: RunStarted, time: str) -> Line:
        """A run that goes on."""
        mark = self._pen.text(self._glyphs.going, "cyan")
        return self._row(time, mark, self._prompt(event.prompt, "dim"), Span(""), [])

    def more_going(self, count: int) -> Line:
        """So many runs more go on."""
        return self._cut((Span(" " * self._indent()), self._pen.text(f"and {count} more", "dim")))

    def reloading(self, changed: Sequence[str], time: str) -> Line:
        """A generation that is being loaded."""
        mark = self._pen.text(self._glyphs.reload, "dim")
        return self._row(time, mark, self._files(changed, f"loading {self._glyphs.more}", "dim"), Span(""), [])

    def reloaded(self, event: Reloaded, time: str, times: int = 1) -> Line:
        """A generation that answers now."""
        mark = self._pen.text(self._glyphs.reload, "green" if event.mended else "cyan")
        done = "mended and reloaded" if event.mended else "reloaded"
        aside = self._pen.text(f" {self._glyphs.times}{times}" if times > 1 else "", "dim")
        figures = [Span(f"{duration(event.seconds * 1000):>7}")]
        return self._row(time, mark, self._files(event.changed, done), aside, figures)

    def note(self, time: str, text: str, fix: str = "", *, mark: str = "notice", color: str = "yellow") -> list[Line]:
        """A sentence, and what to do about it below."""
        sign = self._pen.text(getattr(self._glyphs, mark), color)
        lines = self._hanging(plain([*self._lead(time), sign, Span(" ")]), self._pen.text(text))
        first = (*self._lead(time), sign, Span(" "), *lines[0][1:])
        return [first, *lines[1:], *(self._labelled("fix", fix, self._indent()) if fix else ())]

    def link(self, address: str) -> list[Line]:
        """An address in one piece, so that it can be copied; a terminal that is too narrow breaks it by itself."""
        return [(Span("  "), self._pen.text(address, "cyan", secret=True))] if address else []

    def died(self, event: WorkerDied, time: str) -> list[Line]:
        """A process that ended by itself."""
        lost = {0: "", 1: "; one run was lost"}.get(event.runs, f"; {event.runs} runs were lost")
        lines = self.note(time, f"The agent's process ended: {event.how}{lost}", mark="failed", color="red")
        if (problem := event.problem) is None:
            return lines
        _, _, meaning = problem.why.partition(": ")  # what comes before stands in the first line
        lines += self._labelled("why", meaning[:1].upper() + meaning[1:], self._indent()) if meaning else []
        lines += self._labelled("at", self._place(problem), self._indent()) if problem.file else []
        lines += self._labelled("fix", self.near(problem.fix), self._indent()) if problem.fix else []
        return [*lines, *self._code(problem), ()] if problem.excerpt else lines

    def output(self, event: Output) -> list[Line]:
        """What the agent's code printed, behind a bar."""
        room = self._indent() - 2 if self._width >= _WIDE else min(self._block() - 2, 2)
        bar = Span(" " * room + self._glyphs.bar + " ", _LEVELS.get(event.level, "dim"))
        shown, left = _folded(self._pen.lines(event.text.rstrip("\r\n")), self._folding - room - 2)
        lines: list[Line] = [(bar, Span(part)) for part in shown]
        return [*lines, (bar, Span(f"{left} more lines", "dim"))] if left else lines

    # -- what is broken ----------------------------------------------------------------------------------------------

    def broken(self, event: Broken, time: str) -> list[Line]:
        """A generation that could not be loaded: what, where, why, and how to mend it."""
        problem = event.problem
        if event.serving is not None:
            then = "not reloaded, the code before answers"
        else:
            then = "not loaded, waiting for the next save"
        mark = self._pen.text(self._glyphs.failed, "red")
        lead = plain([*self._lead(time), mark, Span(" ")])
        files = self._pen.text(self._named(event.changed))
        said = Span(f"{files.text}: {then}" if files.text else then[:1].upper() + then[1:])
        head = self._hanging(lead, said)
        lines: list[Line] = [(*self._lead(time), mark, Span(" "), *head[0][1:]), *head[1:], ()]
        lines += self._hanging(" " * self._block(), self._pen.text(problem.what, "bold red"))
        lines += self._labelled("why", self.near(problem.why), self._block()) if problem.why else []
        lines += self._labelled("at", self._place(problem), self._block()) if problem.file else []
        lines += self._labelled("fix", self.near(problem.fix), self._block()) if problem.fix else []
        lines += self._code(problem)
        return [*lines, ()]

    def _place(self, problem: Problem) -> str:
        where = self.path(problem.file or "")
        return f"{where}:{problem.line}" if problem.line else where

    def _code(self, problem: Problem) -> list[Line]:
        if problem.excerpt:
            return [(), *(self._code_line(line) for line in self._pen.lines(problem.excerpt.rstrip("\n")))]
        detail = self._pen.lines(self.near(problem.detail.strip("\n"))) if problem.detail.strip() else []
        shown = [(Span(" " * self._block()), Span(line, "dim")) for line in detail[:_MOST_FRAMES]]
        return [(), *map(self._cut, shown)] if shown else []

    def _code_line(self, line: str) -> Line:
        found = _EXCERPT.fullmatch(line)
        if found is None:
            return self._cut((Span(" " * self._block()), Span(line, "dim")))
        marked = found["mark"] == ">"
        point = Span((self._glyphs.point if marked else " ") + " ", "red")
        number = Span(f"{found['number']} {self._glyphs.bar}", "red" if marked else "dim")
        return self._cut((Span(" " * self._block()), point, number, Span(found["code"], "bold" if marked else "dim")))

    # -- pieces ------------------------------------------------------------------------------------------------------

    def path(self, path: str) -> str:
        """A path, from the project where it is below that."""
        return path.removeprefix(self._project) if self._project else path

    def near(self, text: str) -> str:
        """A text that names files, with those of the project as paths from there."""
        return text.replace(self._project, "") if self._project else text

    def _named(self, changed: Sequence[str]) -> str:
        names = [self.path(name) for name in changed]
        return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "") if names else ""

    def _files(self, changed: Sequence[str], done: str, style: str = "") -> Span:
        named = self._named(changed)
        return self._pen.text(f"{named} {done}" if named else done[:1].upper() + done[1:], style)

    def _prompt(self, prompt: str, style: str = "") -> Span:
        asked = " ".join(self._pen.text(prompt).text.split())
        return Span(asked, style) if asked else Span("(no text)", "dim")

    def _figures(self, event: RunEnded) -> list[Span]:
        figures: list[Span] = []
        if self._width >= _WITH_EVENTS:
            sent = event.events
            counted = "" if sent is None else f"{count(sent):>5} event{'s' if sent != 1 else ''}"
            figures.append(Span(f"{counted:12}", "dim"))
        if self._width >= _WITH_FIRST:
            first = "" if event.first_ms is None else f"first {duration(event.first_ms):>7}"
            figures.append(Span(f"{first:13}", "dim"))
        return [*figures, Span(f"{duration(event.total_ms):>7}")]

    def _lead(self, time: str) -> Line:
        return (Span(f"{time:{_TIME}}", "dim"), Span(_GAP)) if self._width >= _WITH_TIME else ()

    def _indent(self) -> int:
        """Where the text of a line begins, behind time and mark."""
        return width_of(plain(self._lead(""))) + 2

    def _block(self) -> int:
        """Where the text of what is broken begins: code needs the room."""
        return 4 if self._width >= _WITH_TIME else 2

    def _row(self, time: str, mark: Span, said: Span, aside: Span, figures: Sequence[Span]) -> Line:
        """One line: time and mark, a text that takes the room that is left, and figures at its right."""
        lead = (*self._lead(time), mark, Span(" "))
        tail = [part for figure in figures for part in (Span(_GAP), figure)]
        room = self._width - width_of(plain(lead)) - width_of(plain(tail))
        beside = aside.text if width_of(aside.text) + _LEAST <= room else ""
        text = shorten(said.text, room - width_of(beside), self._glyphs.more)
        pad = room - width_of(text, beside) if tail else 0
        return (*lead, said._replace(text=text), aside._replace(text=beside), Span(" " * pad), *tail)

    def _labelled(self, label: str, text: str, indent: int) -> list[Line]:
        return self._hanging(f"{' ' * indent}{label:4}", self._pen.text(text), lead_style="cyan")

    def _hanging(self, lead: str, said: Span, *, lead_style: str = "") -> list[Line]:
        """A text behind a lead; further lines stand below its beginning."""
        parts = fold(said.text, max(self._folding - width_of(lead), 8))
        leads = [lead, *[" " * width_of(lead)] * (len(parts) - 1)]
        return [(Span(head, lead_style), Span(part, said.style)) for head, part in zip(leads, parts, strict=True)]

    def _cut(self, line: Line) -> Line:
        room, kept = self._folding, list[Span]()
        for span in line:
            text = shorten(span.text, room, self._glyphs.more)
            kept.append(span._replace(text=text))
            room -= width_of(text)
            if text != span.text:
                break
        return tuple(kept)


def _folded(texts: Sequence[str], width: int) -> tuple[list[str], int]:
    """The first of some lines, folded, and how many more there are; what is not shown costs no folding."""
    shown, left = list[str](), 0
    for text in texts:
        if len(shown) >= _MOST_OUTPUT:
            left += 1
            continue
        size = _MOST_OUTPUT * width
        rest = width_of(text[size:])
        shown += fold(text[:size], width)
        left += -(-rest // width)
    return shown[:_MOST_OUTPUT], left + max(len(shown) - _MOST_OUTPUT, 0)


def duration(milliseconds: float) -> str:
    """A time in at most seven columns.

    Args:
        milliseconds: How long.

    Example:
        >>> [duration(ms) for ms in (0.42, 38, 1240, 59_990, 125_000, 4_000_000)]
        ['0.4 ms', '38 ms', '1.24 s', '60.0 s', '2m 05s', '1h 06m']
    """
    if milliseconds < _TENTHS_BELOW:
        return f"{milliseconds:.1f} ms"
    if milliseconds < _ROUNDS_TO_A_SECOND:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < _MINUTE:
        return f"{seconds:.2f} s" if seconds < _ROUNDS_TO_TEN else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    if minutes < _HOUR:
        return f"{minutes}m {rest:02}s"
    hours, minutes = divmod(minutes, _HOUR)
    return f"{hours}h {minutes:02}m" if hours < _MANY_HOURS else f"{hours}h"


def count(number: int) -> str:
    """A number in at most five columns.

    Example:
        >>> count(42), count(1234), count(12_345), count(123_456), count(1_234_567)
        ('42', '1,234', '12.3k', '123k', '1.2M')
    """
    if number < _IN_FULL:
        return f"{number:,}"
    if number < _ROUNDS_TO_A_MILLION:
        return f"{number / 1000:.1f}k" if number < _ROUNDS_TO_100K else f"{number / 1000:.0f}k"
    return f"{number / 1_000_000:.1f}M"
