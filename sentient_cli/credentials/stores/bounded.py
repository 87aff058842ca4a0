"""Calls that may never return, such as those that wait for the answer to a prompt that nobody sees."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from sentient_cli.errors import CredentialStoreError

__all__ = ["Bounded", "Turn"]

_T = TypeVar("_T")
_MOST: Final = 4
_PROMPT: Final = "it may be locked, and wait for an answer to a prompt"


class Turn:
    """One call, as the work in it sees it."""

    def __init__(self) -> None:
        self.is_abandoned = False

    def go_on(self) -> None:
        """Go on when somebody still waits for the end; to be called before each change.

        Raises:
            CredentialStoreError: nobody does.
        """
        if self.is_abandoned:
            raise CredentialStoreError("Nobody waits for this any more", fix="Try again")


class Bounded:
    """Has work done by a thread of its own, and waits for it only so long.

    Args:
        seconds: How long.
        what: What does not answer, for the error.
        fix: What to do about it.
        because: Why it may not answer, for the error.

    Example:
        >>> Bounded(5, "The keyring", "Unlock it").run(lambda turn: 1 + 1)
        2
    """

    def __init__(self, seconds: float, what: str, fix: str, because: str = _PROMPT) -> None:
        self._seconds = seconds
        self._because = because
        self._what = what
        self._fix = fix
        self._room = threading.BoundedSemaphore(_MOST)

    def run(self, work: Callable[[Turn], _T], *, changes: bool = False) -> _T:
        """Have it done.

        Args:
            work: What is to be done. When nobody waits any more its thread goes on to the next `Turn.go_on`.
            changes: Whether it changes something, for the error.

        Raises:
            CredentialStoreError: it takes too long, or too many that did have not come to an end.
        """
        if not self._room.acquire(blocking=False):
            raise self._silent(f"{_MOST} calls wait for it already")
        turn, future = Turn(), Future[_T]()
        # A daemon: who waits for ever does not keep the interpreter.
        thread = threading.Thread(target=self._do, args=(work, turn, future), name="credentials", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads
            self._room.release()
            raise
        try:
            return future.result(self._seconds)
        except TimeoutError:
            if future.done():
                raise
            known = ". Whether the change was made is not known" if changes else ""
            why = f"It was waited for {self._seconds:g} s: {self._because}{known}"
            raise self._silent(why) from None
        finally:
            turn.is_abandoned = True

    def _do(self, work: Callable[[Turn], _T], turn: Turn, future: Future[_T]) -> None:
        try:
            result = work(turn)
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            future.set_exception(error)
        else:
            future.set_result(result)
        finally:
            self._room.release()

    def _silent(self, why: str) -> CredentialStoreError:
        return CredentialStoreError(f"{self._what} does not answer", why=why, fix=self._fix)
