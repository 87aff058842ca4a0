"""The framework's classes that a run needs: its own where it is installed, ours otherwise."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from types import ModuleType, new_class
from typing import TYPE_CHECKING, Protocol, cast

from sentient_cli.compat.finder import ROOT, is_real
from sentient_cli.errors import InvalidEventError, ResponseClosedError, RunError

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["Vocabulary", "vocabulary"]

_MODULES = ("request", "session", "exceptions")


class _MakesQuery(Protocol):
    def __call__(self, *, id: str, prompt: str) -> _Query: ...  # noqa: A002 - the field's name


class _Query(Protocol):
    @property
    def id(self) -> object: ...


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Classes that belong together.

    Args:
        query: Makes a query.
        interaction: The model of an earlier turn.
        response_closed: Raised after the end of a response; both the framework's error and ours.
        stream_closed: Raised after the end of a text stream; both too.
        invalid: Raised for what is no JSON; both too.
    """

    query: _MakesQuery
    interaction: type[BaseModel]
    response_closed: type[RunError]
    stream_closed: type[RunError]
    invalid: type[RunError]

    def translate(self, error: RunError, closed: type[RunError]) -> RunError:
        """The error of the framework that says what one of ours says.

        Args:
            error: Ours.
            closed: What stands for `ResponseClosedError`.
        """
        kind = closed if isinstance(error, ResponseClosedError) else self.invalid
        return kind(error.what, why=error.why, fix=error.fix)


def vocabulary() -> Vocabulary:
    """The classes of the framework as agents of this process import it."""
    return _vocabulary(is_real())


@cache
def _vocabulary(real: bool) -> Vocabulary:
    home = f"{ROOT}.interface" if real else __package__
    queries, sessions, errors = (importlib.import_module(f"{home}.{name}") for name in _MODULES)
    interaction = getattr(sessions, "Interaction")[getattr(sessions, "RequestMessage")]  # noqa: B009 - foreign module
    return Vocabulary(
        query=cast("_MakesQuery", queries.Query),
        interaction=cast("type[BaseModel]", interaction),
        response_closed=_both(errors, "ResponseStreamClosedError", ResponseClosedError),
        stream_closed=_both(errors, "TextStreamClosedError", ResponseClosedError),
        invalid=_both(errors, "AgentError", InvalidEventError),
    )


def _both(errors: ModuleType, name: str, ours: type[RunError]) -> type[RunError]:
    """A class that ``except`` finds under either name."""
    theirs = cast("type[Exception]", getattr(errors, name))
    return cast("type[RunError]", new_class(name, (theirs, ours), exec_body=_say_where))


def _say_where(body: dict[str, object]) -> None:
    body["__module__"] = __name__
