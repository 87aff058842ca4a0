"""What ``sentient dev`` writes: lines that scroll away, and below them, on a terminal, the few that still change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import msgspec

from sentient_cli.cli.dev_lines import Layout
from sentient_cli.cli.dev_text import Line, Pen, Span, paint, plain, width_of
from sentient_cli.dev.report import (
    Broken,
    DevEvent,
    Listening,
    Notice,
    Output,
    Ready,
    Reloaded,
    Reloading,
    Retired,
    RunEnded,
    RunStarted,
    Starting,
    Stopping,
    WorkerDied,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

__all__ = ["Action", "Item", "Looks", "Screen", "Size", "Told"]

_LIVE_RUNS: Final = 3
_RANKS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_BAD: Final = frozenset({"error", "lost"})


class Size(NamedTuple):
    """Of a terminal, in characters."""

    columns: int
    rows: int


class Told(msgspec.Struct, frozen=True):
    """Something that the keys have to say.

    Args:
        text: One sentence.
        fix: What to do about it.
        link: An address that stands below it, and is meant to be seen whatever it holds.
        good: Whether it is no complaint.
    """

    text: str
    fix: str = ""
    link: str = ""
    good: bool = True


Action: TypeAlias = Literal["clear", "help", "blank", "leave", "resume", "end"]
"""What can be done with the screen. After ``leave`` others may write to the terminal, until ``resume``."""
Item: TypeAlias = DevEvent | Told | Action


class Looks(msgspec.Struct, frozen=True):
    """What may be written, and what is wanted.

    Args:
        styled: Whether text may be bold or dim.
        color: Whether it may have colours.
        live: Whether the cursor can be moved.
        keys: Whether keys are read.
        quiet: Only what went wrong is shown.
        verbose: How much detail is wanted.
        level: The least important level of the log that is shown.
        version: Of this package.
        python: Which Python this is, for people.
        project: The directory of the project.
    """

    styled: bool = False
    color: bool = False
    live: bool = False
    keys: bool = False
    quiet: bool = False
    verbose: int = 0
    level: str = "warning"
    version: str = ""
    python: str = ""
    project: str = ""


class _Pending(NamedTuple):
    """What was written last, and may still be replaced by what is like it."""

    kind: type[Reloaded | Broken]
    changed: tuple[str, ...]
    times: int
    lines: list[Line]


class Screen:
    """Turns what happens into text for one stream. It has a state, so everything has to pass it in order.

    Args:
        pen: Makes text fit for the stream.
        size: Asked before each drawing, since a window may change.
        looks: What may be written, and what is wanted.
    """

    def __init__(self, pen: Pen, size: Callable[[], Size], looks: Looks) -> None:
        self._pen = pen
        self._size = size
        self._looks = looks
        self._drawn: list[int] = []
        self._ready: Ready | None = None
        self._generation = 0
        self._running: dict[str, tuple[RunStarted, str]] = {}
        self._loading: tuple[Starting | Reloading, str] | None = None
        self._pending: _Pending | None = None

    def paint(self, item: Item, at: datetime) -> str:
        """The text to write for an item, which may be none.

        Args:
            item: What happened.
            at: When, in local time.
        """
        size = self._size()
        layout = Layout(self._pen, size.columns, self._looks.project)
        if isinstance(item, str):
            return self._act(item, layout, size)
        time = at.strftime("%H:%M:%S")
        lines = self._lines(item, layout, time, size)
        if self._looks.quiet:
            return self._draw(lines if _is_bad(item) else [], [], size)
        return self._draw(lines, self._live(layout), size)

    # -- what is committed -------------------------------------------------------------------------------------------

    def _lines(self, item: DevEvent | Told, layout: Layout, time: str, size: Size) -> list[Line]:
        match item:
            case Starting() | Reloading():
                self._loading = (item, time)
                return []
            case RunStarted():
                self._running[item.run] = (item, time)
                return []
            case Reloaded():
                return self._reloaded(item, layout, time, size)
            case Broken():
                return self._broken(item, layout, time, size)
            case _:
                lines = self._scrolled(item, layout, time)
                return [*self._commit(), *lines] if lines else []

    def _scrolled(self, item: DevEvent | Told, layout: Layout, time: str) -> list[Line]:
        """The lines of what is never replaced."""
        match item:
            case Ready():
                self._loading, self._ready, self._generation = None, item, item.generation
                looks = self._looks
                return layout.start(item, looks.version, python=looks.python, keys=looks.keys)
            case RunEnded():
                self._running.pop(item.run, None)
                return layout.run(item, time, outdated=0 < item.generation < self._generation)
            case Output():
                return layout.output(item) if self._wants(item.level) else []
            case WorkerDied():
                return layout.died(item, time)
            case _:
                return self._notes(item, layout, time)

    def _notes(self, item: DevEvent | Told, layout: Layout, time: str) -> list[Line]:
        match item:
            case Notice():
                return layout.note(time, item.text, item.fix)
            case Listening(url=url, inspect_url=inspect_url):
                link = url if self._looks.keys else inspect_url
                return [*layout.note(time, "The page says so too:", mark="dot", color="dim"), *layout.link(link)]
            case Told(good=good):
                mark, color = ("dot", "dim") if good else ("notice", "yellow")
                return [*layout.note(time, item.text, item.fix, mark=mark, color=color), *layout.link(item.link)]
            case _:
                said = self._aside(item)
                return layout.note(time, said, mark="dot", color="dim") if said else []

    def _aside(self, item: DevEvent | Told) -> str:
        match item:
            case Retired(generation=generation, cancelled=0):
                return f"The code before is gone (generation {generation})" if self._looks.verbose else ""
            case Retired(cancelled=cancelled):
                return f"{_runs(cancelled)} on old code {_were(cancelled)} cancelled"
            case Stopping(runs=runs):
                self._loading = None
                return f"Stopping: {_runs(runs)} {_were(runs)} cancelled" if runs else ""
            case _:
                return ""

    def _reloaded(self, item: Reloaded, layout: Layout, time: str, size: Size) -> list[Line]:
        self._loading, self._generation = None, item.generation
        before = self._pending
        again = before is not None and (before.kind, before.changed) == (Reloaded, item.changed) and not item.mended
        times = before.times + 1 if before is not None and again else 1
        lines = [layout.reloaded(item, time, times)]
        return self._settled(_Pending(Reloaded, item.changed, times, lines), size, replaces=again)

    def _broken(self, item: Broken, layout: Layout, time: str, size: Size) -> list[Line]:
        self._loading = None
        again = self._pending is not None and self._pending.kind is Broken
        return self._settled(_Pending(Broken, item.changed, 1, layout.broken(item, time)), size, replaces=again)

    def _settled(self, pending: _Pending, size: Size, *, replaces: bool) -> list[Line]:
        """Keep lines where the next of their kind can replace them; else they are committed."""
        if not self._looks.live or self._looks.quiet:
            return pending.lines
        if replaces:
            self._pending = None
        committed = self._commit()
        if len(pending.lines) + _LIVE_RUNS + 2 >= size.rows:
            return [*committed, *pending.lines]
        self._pending = pending
        return committed

    def _commit(self) -> list[Line]:
        lines = self._pending.lines if self._pending is not None else []
        self._pending = None
        return lines

    def _wants(self, level: str) -> bool:
        return _RANKS.get(level, _RANKS["critical"]) >= _RANKS.get(self._looks.level, 0)

    # -- what may still change ---------------------------------------------------------------------------------------

    def _live(self, layout: Layout) -> list[Line]:
        if not self._looks.live:
            return []
        lines = list(self._pending.lines) if self._pending is not None else []
        if self._loading is not None:
            loading, time = self._loading
            if isinstance(loading, Starting):
                lines += [(), layout.loading(loading.agent, self._looks.version)]
            elif self._pending is not None and self._pending.kind is Reloaded:
                lines[-1:] = [layout.reloading(loading.changed, time)]
            else:
                lines.append(layout.reloading(loading.changed, time))
        running = list(self._running.values())
        lines += [layout.going(event, time) for event, time in running[:_LIVE_RUNS]]
        return [*lines, layout.more_going(len(running) - _LIVE_RUNS)] if len(running) > _LIVE_RUNS else lines

    def _draw(self, lines: Sequence[Line], live: Sequence[Line], size: Size) -> str:
        end = "\x1b[K\n" if self._looks.live else "\n"
        text = "".join(self._painted(line) + end for line in lines)
        if not self._looks.live:
            return text
        shown = live[-max(size.rows - 1, 1) :]
        if not lines and not shown and not self._drawn:
            return ""
        back = self._back(size.columns)
        self._drawn = [width_of(plain(line)) for line in shown]
        return back + text + "\x1b[K\n".join(map(self._painted, shown)) + "\x1b[J"

    def _back(self, columns: int) -> str:
        """Move to the start of the live lines. A window that became narrower has wrapped those that were too long."""
        rows = sum(max(-(-cells // columns), 1) for cells in self._drawn)
        return ("\r" + (f"\x1b[{rows - 1}A" if rows > 1 else "")) if self._drawn else ""

    def _painted(self, line: Line) -> str:
        return paint(line, styled=self._looks.styled, color=self._looks.color)

    # -- keys --------------------------------------------------------------------------------------------------------

    def _act(self, action: Action, layout: Layout, size: Size) -> str:
        match action:
            case "clear":
                self._drawn, self._pending = [], None
                clear = "\x1b[H\x1b[2J" if self._looks.live else ""
                title = layout.title(self._ready) if self._ready is not None else []
                return clear + self._draw(title, self._live(layout), size)
            case "help":
                ready = self._ready
                lines = layout.help(ready.url if ready else "", ready.inspect_url if ready else "")
                return self._draw([*self._commit(), *lines], self._live(layout), size)
            case "blank":
                return self._draw([*self._commit(), (Span(""),)], self._live(layout), size)
            case "resume":
                return "" if self._looks.quiet else self._draw([], self._live(layout), size)
            case "leave" | "end":
                text = self._draw(self._commit(), [], size)
                self._drawn = []
                return text


def _is_bad(item: DevEvent | Told) -> bool:
    match item:
        case Broken() | WorkerDied():
            return True
        case RunEnded(outcome=outcome):
            return outcome in _BAD
        case Output(level=level):
            return level in {"error", "critical"}
        case _:
            return False


def _runs(number: int) -> str:
    return "one run" if number == 1 else f"{number} runs"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
