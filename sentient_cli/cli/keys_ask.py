"""Questions that need a yes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sentient_cli.errors import UsageError, UserInterruptError

if TYPE_CHECKING:
    from sentient_cli.cli.invocation import Invocation

__all__ = ["require_yes"]

_YES: Final = frozenset({"y", "yes"})


def require_yes(here: Invocation, question: str, *, missing: str, why: str = "") -> None:
    """Ask, and go on with a yes only.

    Args:
        here: The call.
        question: What is asked.
        missing: What is said where nobody can be asked.
        why: More about it.

    Raises:
        UsageError: nobody can be asked.
        UserInterruptError: the answer is no yes.
    """
    if not here.console.interactive:
        raise UsageError(missing, why=why, fix="Pass --yes: there is no terminal to ask at")
    from sentient_cli.sanitize import sanitize_line

    if here.console.ask(f"{sanitize_line(question)} [y/N]", flag="--yes").strip().lower() not in _YES:
        raise UserInterruptError("Nothing was changed")
