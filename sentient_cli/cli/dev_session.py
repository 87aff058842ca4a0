"""One ``sentient dev`` from its first line to its last: the hub, and the keys and signals that steer it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Final

from sentient_cli.cli.dev_early import ending
from sentient_cli.dev import serving
from sentient_cli.dev.report import Listening, Notice, Ready
from sentient_cli.server.hangup import obeying_hangups
from sentient_cli.signals import on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from sentient_cli.cli.dev_writer import Writer
    from sentient_cli.config.discovery import Announcement
    from sentient_cli.dev.report import DevEvent
    from sentient_cli.dev.request import Command, HubRequest

__all__ = ["Session"]

_PATIENCE: Final = 5.0
"""Seconds after which a hub that was told to quit is cancelled."""
_COMMANDS: Final = 16


class Session:
    """Runs a hub; its reporter.

    Args:
        request: What the hub is to do.
        writer: Shows what happens.
        announcement: Tells other programs once it answers.
        environment: The variables, for the browser.
        opens: Whether the page is opened once it answers.
        keyboard: The descriptor of a terminal that keys are read from; None: none are.
    """

    def __init__(
        self,
        request: HubRequest,
        writer: Writer,
        announcement: Announcement,
        *,
        environment: Mapping[str, str],
        opens: bool = False,
        keyboard: int | None = None,
    ) -> None:
        self._request = request
        self._writer = writer
        self._announcement = announcement
        self._environment = environment
        self._opens = opens
        self._keyboard = keyboard
        self._page = ""
        self._url = ""
        self._leaving = False
        self._hub: asyncio.Future[int] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._commands: asyncio.Queue[Command] = asyncio.Queue(_COMMANDS)

    async def run(self) -> int:
        """Run until the hub ends.

        Returns:
            The exit code.
        """
        self._loop = asyncio.get_running_loop()
        hub = self._hub = asyncio.ensure_future(serving.run_hub(self._request, self, self._commands))
        keys = self._keys()
        ending_it = [number for number in ending() if number in {signal.SIGINT, signal.SIGTERM}]
        with on_signals(ending_it, self.leave_all), obeying_hangups(self._renew, self.leave_all), keys:
            try:
                return await hub
            except asyncio.CancelledError:
                if not self._leaving:
                    raise
                return 0
            finally:
                hub.cancel()

    def _keys(self) -> AbstractContextManager[None]:
        if self._keyboard is None:
            return contextlib.nullcontext()
        from sentient_cli.cli.dev_keys import reading_keys

        return reading_keys(self._keyboard, self.press, self)

    def gone(self) -> None:
        """Nobody reads what is written; called from any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.leave_all)

    def report(self, event: DevEvent) -> None:
        """Take an event of the hub."""
        if not isinstance(event, Ready | Listening):
            self._writer.report(event)
            return
        first, self._page, self._url = not self._page, event.inspect_url, event.url
        # Whoever reads that it answers can find it.
        published = self._announcement.publish(event.url, event.agent if isinstance(event, Ready) else "")
        self._writer.report(event)
        if not published:
            self._writer.report(Notice("Other programs cannot find this server", "Name its address to them"))
        if first and self._opens:
            self._open()

    # -- keys and signals --------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """The shell stops this process."""
        self._writer.do("leave")
        self._writer.drain()

    def resume(self) -> None:
        """The shell goes on with it."""
        self._writer.do("resume")

    def leave_all(self) -> None:
        """End; asked a second time, at once."""
        if self._hub is None or self._loop is None:
            return
        if self._leaving:
            self._hub.cancel()
            return
        self._leaving = True
        self._loop.call_later(_PATIENCE, self._hub.cancel)
        self._order("quit")

    def press(self, key: str) -> None:
        """A key was pressed; one that means nothing does nothing."""
        actions: dict[str, Callable[[], None]] = {
            "r": lambda: self._order("reload"),
            "o": self._open,
            "d": self._debug,
            "c": lambda: self._writer.do("clear"),
            "?": lambda: self._writer.do("help"),
            "h": lambda: self._writer.do("help"),
            "\n": lambda: self._writer.do("blank"),
            "q": self.leave_all,
        }
        act = actions.get(key)
        if act is not None:
            act()

    def _renew(self) -> None:
        self._order("reload")

    def _order(self, command: Command) -> None:
        try:
            self._commands.put_nowait(command)
        except asyncio.QueueFull:
            if command == "quit" and self._hub is not None:
                self._hub.cancel()

    def _open(self) -> None:
        from sentient_cli.cli.dev_open import can_open, tunnel

        if not self._page:
            self._writer.tell("There is no page yet: the agent is being loaded", good=False)
        elif not can_open(self._environment):
            if command := tunnel(self._environment, self._url):
                self._writer.tell("There is no browser here. Run this where you sit, and leave it open:", link=command)
            told = "Then open this there:" if command else "There is no browser here. Open this where there is one:"
            self._writer.tell(told, link=self._page)
        else:
            self._writer.tell("Opening the page in your browser")
            # A thread that nobody waits for: a browser takes its time.
            link = self._request.tickets.link(self._url)
            threading.Thread(target=self._opened, args=(link,), daemon=True, name="sentient-open").start()

    def _opened(self, link: str) -> None:
        from sentient_cli.cli.dev_open import open_page

        if not open_page(link):
            self._writer.tell("No browser took the page. Open this yourself:", link=self._page)

    def _debug(self) -> None:
        from sentient_cli.cli.commands import find_command

        debugger = self._request.debugger
        if debugger is not None:
            host, port = debugger
            self._writer.tell(f"A debugger can attach to {host}:{port}", "Attach your editor to it (debugpy)")
        elif find_command("debug") is not None:
            self._writer.tell("`sentient debug` in a second terminal shows the runs of this server")
        else:
            self._writer.tell(
                "The page (o) shows what happens in a run",
                "To stop at a line, start with --debugpy and attach your editor",
            )
