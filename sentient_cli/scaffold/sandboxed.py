"""The process in which a template that is not ours is computed and rendered, within limits that it sets itself.

It is started by `sentient_cli.scaffold.sandbox` with next to no environment. Nothing that it says is trusted.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, cast

import msgspec

from sentient_cli.errors import SentientError
from sentient_cli.scaffold.config import read_config
from sentient_cli.scaffold.jinja import make_environment
from sentient_cli.scaffold.messages import Ask, Asked, Failure, Opening, Reply
from sentient_cli.scaffold.questions import Answers, Questionnaire

__all__ = ["main"]


def main() -> None:
    """Answer requests until stdin ends."""
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a task prints is no reply
    warnings.simplefilter("ignore")
    with replies:
        opening = msgspec.json.decode(sys.stdin.buffer.readline(), type=Opening)
        limit(opening)
        sessions: list[_Session] = []
        root = Path(opening.root)
        _attempt(replies, root, lambda: _open(opening, sessions))
        for line in sys.stdin.buffer if sessions else ():
            request = msgspec.json.decode(line, type=Ask)
            _attempt(replies, root, partial(sessions[0].answer, request))


def limit(opening: Opening) -> None:
    """Take from this process, for good, what goes beyond the limits; where the system has none, the deadline holds."""
    if sys.platform == "win32":
        return
    import resource

    wanted = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, opening.total)]
    if not opening.trust:
        # What a trusted template starts may be a compiler or a runtime that reserves any amount.
        wanted += [(resource.RLIMIT_AS, opening.memory), (resource.RLIMIT_CPU, opening.seconds)]
    for kind, most in wanted:
        hard = resource.getrlimit(kind)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, allowed))


def _open(opening: Opening, sessions: list[_Session]) -> Reply:
    session = _Session(opening)
    sessions.append(session)
    config = session.config
    return Reply(
        names=session.questions.names,
        secrets=tuple(session.questions.secrets),
        programs=config.programs,
        extensions=config.texts("jinja_extensions"),
    )


class _Session:
    def __init__(self, opening: Opening) -> None:
        self._root = Path(opening.root)
        self._trust = opening.trust
        self.config = read_config(self._root)
        self.questions = Questionnaire(
            self.config,
            make_environment(self._root, self.config, ours=False, trust=opening.trust),
            context=cast("Answers", opening.context),
            defaults=cast("Answers", opening.defaults),
        )

    def answer(self, request: Ask) -> Reply:
        given = cast("Answers", request.given)
        match request.what:
            case "next":
                question = self.questions.next(given)
                return Reply(question=None if question is None else Asked.of(question))
            case "complete":
                return Reply(answers=dict(self.questions.complete(given)))
            case "settle":
                return Reply(answers=dict(self.questions.settle(given)))
            case "render":
                self._render(given, request.into)
                return Reply()

    def _render(self, given: Answers, into: str) -> None:
        from copier import Settings, run_copy

        run_copy(
            str(self._root),
            into,
            data=dict(given),
            settings=Settings(),
            defaults=True,
            overwrite=True,
            quiet=True,
            unsafe=self._trust,
        )


def _attempt(replies: IO[bytes], root: Path, work: Callable[[], Reply]) -> None:
    try:
        reply = work()
    except SentientError as error:
        reply = Reply(Failure(type(error).__name__, error.what, error.why, error.fix))
    except MemoryError:
        reply = Reply(Failure("TemplateRenderError", "The template needs more memory than it may have"))
    except Exception as error:  # noqa: BLE001 - Copier and Jinja raise what a template makes them raise
        place = _place(error, root)
        why = f"{place}: {type(error).__name__}: {error}" if place else f"{type(error).__name__}: {error}"
        fix = f"Correct {place}" if place else "Correct the template"
        reply = Reply(Failure("TemplateRenderError", "The template could not be rendered", why[:2000], fix[:2000]))
    replies.write(msgspec.json.encode(reply) + b"\n")


def _place(error: Exception, root: Path) -> str:
    """The file of a template, and its line, that an error is about; empty where neither Jinja nor Copier knows one."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        rendered = frame.f_locals.get("src_relpath")  # of Copier, which reads files and makes their names
        if isinstance(rendered, Path):
            place = rendered.as_posix()
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(root):  # Jinja puts frames of its own into a traceback
            place = f"{file.relative_to(root).as_posix()}:{line}"
    return place


if __name__ == "__main__":
    main()
