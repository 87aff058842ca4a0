"""How the making of a project looks: a live line on a terminal, lines elsewhere, JSON for programs."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from sentient_cli.cli.wrapped import wrapped
from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize_line

if TYPE_CHECKING:
    import rich.console
    import rich.status

    from sentient_cli.cli.console import Console
    from sentient_cli.scaffold.create import Created
    from sentient_cli.scaffold.rendering import Rendering
    from sentient_cli.scaffold.source import TemplateSource
    from sentient_cli.scaffold.work import Reporter

__all__ = ["make_reporter", "show_created", "show_preview"]

_SECOND = "in a second terminal"
_SLOW = frozenset({"install", "verify"})


class _Lines:
    """One line for each step that is done, and before those that take long."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = ""
        self._began = time.monotonic()

    def step(self, name: str, title: str) -> None:
        self._began = time.monotonic()
        if name in _SLOW:
            self._console.say(f"{title} ...")

    def progress(self, text: str) -> None:
        if text and text != self._last:
            self._last = text
            self._console.detail(f"  {text}")

    def done(self, title: str) -> None:
        took = f" ({time.monotonic() - self._began:.2f} s)" if self._console.verbose else ""
        self._console.say(title + took)

    def note(self, text: str) -> None:
        self._console.say(text)


class _Json:
    """One line of JSON for each thing that happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._step = ""

    def step(self, name: str, title: str) -> None:
        self._step = name
        self._event(title, status="started")

    def progress(self, text: str) -> None:
        """A program waits for what is done."""

    def done(self, title: str) -> None:
        self._event(title, status="done")

    def note(self, text: str) -> None:
        self._console.json_line({"note": redactor.redact(text)})

    def _event(self, title: str, *, status: str) -> None:
        self._console.json_line({"step": self._step, "status": status, "title": redactor.redact(title)})
        self._console.flush()


class _Live:
    """A line that moves while a step runs."""

    def __init__(self, console: Console, rich: rich.console.Console, status: rich.status.Status) -> None:
        self._console = console
        self._rich = rich
        self._status = status
        self._title = ""
        self._mark = "✓" if rich.encoding.lower().startswith("utf") else "*"

    def step(self, name: str, title: str) -> None:
        del name
        self._title = title
        self._show("")
        self._status.start()

    def progress(self, text: str) -> None:
        self._show(text)

    def done(self, title: str) -> None:
        from rich.text import Text

        self._status.stop()
        self._rich.print(Text.assemble((self._mark, "green"), f" {redactor.redact(title)}", overflow="fold"))

    def note(self, text: str) -> None:
        self._status.stop()
        from rich.padding import Padding
        from rich.text import Text

        self._rich.print(Padding(Text(redactor.redact(sanitize_line(text))), (0, 2)))

    def _show(self, text: str) -> None:
        from rich.text import Text

        line = Text(self._title, overflow="ellipsis", no_wrap=True)
        if text:
            line.append(f"  {text}", style="dim")
        line.truncate(max(self._rich.width - 4, 10), overflow="ellipsis")
        self._status.update(line)


@contextmanager
def make_reporter(console: Console) -> Generator[Reporter]:
    """The reporter that fits where the output goes."""
    if console.json:
        yield _Json(console)
        return
    rich = console.rich(stderr=True)
    if console.quiet or console.verbose or not rich.is_terminal:
        yield _Lines(console)
        return
    utf = rich.encoding.lower().startswith("utf")
    status = rich.status("", spinner="dots" if utf else "line", spinner_style="cyan")
    try:
        yield _Live(console, rich, status)
    finally:
        status.stop()


def show_preview(console: Console, target: Path, rendering: Rendering) -> None:
    """Show the files of a project that is not made."""
    if console.json:
        files = [
            {"path": name.as_posix(), "size": len(file.content), "executable": file.executable}
            for name, file in rendering.files.items()
        ]
        console.json_line({"dry_run": {"directory": os.fspath(target), "files": files}})
        return
    stream = console.stdout
    utf = stream is not None and (stream.encoding or "").lower().startswith("utf")
    console.data(f"{target.name}/")
    for line in _tree(_nested(rendering), "", ("├── ", "└── ", "│   ") if utf else ("|-- ", "`-- ", "|   ")):
        console.data(line)


_Tree = dict[str, "_Tree"]


def _nested(rendering: Rendering) -> _Tree:
    top: _Tree = {}
    for name in rendering.files:
        folder = top
        for part in PurePosixPath(name).parts:
            folder = folder.setdefault(part, {})
    return top


def _tree(folder: _Tree, indent: str, marks: tuple[str, str, str]) -> Generator[str]:
    branch, last, bar = marks
    entries = sorted(folder.items(), key=lambda entry: (not entry[1], entry[0]))
    for number, (name, below) in enumerate(entries, 1):
        ends = number == len(entries)
        yield f"{indent}{last if ends else branch}{name}{'/' if below else ''}"
        yield from _tree(below, indent + ("    " if ends else bar), marks)


def show_created(console: Console, created: Created, source: TemplateSource) -> None:
    """Say what was made and what is next, in at most eight lines."""
    if console.json:
        console.json_line({"created": _facts(created, source)})
        return
    proof = {"tests": ", its tests pass", "agent": ", its agent answers", None: ""}[created.verified]
    shown = _short(created.target)
    prefix = created.environment.prefix if created.environment is not None else ""
    steps = [] if shown == "." else [f"cd {shown}"]
    if (created.target / "sentient.toml").is_file():
        steps += [f"{prefix}sentient dev", f"{prefix}sentient chat"]
    files = "1 file" if created.files == 1 else f"{created.files} files"
    ready = f"{created.target.name} is ready: {files}{proof} ({created.seconds:.1f} s)."
    console.say(f"\n{wrapped(console, ready)}\n")
    _say_steps(console, steps)
    if (created.target / ".env.example").is_file():
        console.say("\n" + wrapped(console, _where_a_key_goes(created.target / "sentient.toml")))
    if _lacks_its_lock(created.target):
        console.say(
            wrapped(console, "Its image and its CI install from uv.lock: make it with `uv lock`, then commit it.")
        )


def _lacks_its_lock(project: Path) -> bool:
    """Whether a project's image is built from a lock that is not there: pip makes none, nor does a checkout of ours."""
    try:
        image = (project / "Dockerfile").read_bytes()
    except OSError:
        return False
    return b"uv.lock" in image and not (project / "uv.lock").exists()


def _where_a_key_goes(settings: Path) -> str:
    """What is to be done about a key, going by the model in the settings of a project that was just made."""
    import tomllib

    try:
        told: Mapping[str, object] = tomllib.loads(settings.read_text("utf-8"))
    except (OSError, ValueError):
        told = {}
    llm = told.get("llm")
    model = cast("Mapping[str, object]", llm).get("model") if isinstance(llm, dict) else None
    if str(model or "offline").partition(":")[0] == "offline":
        return "No key is needed offline; a provider's goes into .env (see .env.example)."
    return "The key of its model goes into .env (see .env.example)."


def _say_steps(console: Console, steps: list[str]) -> None:
    """Commands, to be copied as they are: what is said of one stands behind it where there is room."""
    longest = max(map(len, steps), default=0) + 3
    fits = longest + len(_SECOND) + 2 <= console.width(stderr=True)
    for step in steps:
        second = step.endswith("sentient chat")
        console.say(f"  {step:{longest}}{_SECOND}" if second and fits else f"  {step}")
        if second and not fits:
            console.say(wrapped(console, _SECOND, head="  "))


def _facts(created: Created, source: TemplateSource) -> Mapping[str, object]:
    environment = created.environment
    return {
        "directory": os.fspath(created.target),
        "template": source.id,
        "version": source.version,
        "files": created.files,
        "python": None if environment is None else os.fspath(environment.python),
        "linked": environment is not None and environment.linked,
        "verified": created.verified,
        "committed": created.committed,
        "seconds": round(created.seconds, 3),
    }


def _short(target: Path) -> str:
    try:
        relative = os.path.relpath(target)
    except ValueError:  # another drive of Windows
        return os.fspath(target)
    return relative if len(relative) <= len(os.fspath(target)) else os.fspath(target)
