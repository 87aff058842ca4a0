"""What ``dev`` does before its hub runs: the Python, the settings, the port, the screen."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import logging
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sentient_cli.cli.streams import is_terminal
from sentient_cli.config.environ import PYDANTIC_PLUGINS, variable
from sentient_cli.errors import AddressInUseError, ProjectError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator, Mapping, Sequence

    from sentient_cli.cli.dev_session import Session
    from sentient_cli.cli.dev_writer import Writer
    from sentient_cli.cli.invocation import Invocation
    from sentient_cli.config import FlagValue, Loaded
    from sentient_cli.config.discovery import RunningServer

__all__ = ["DevOptions", "run_dev"]

_FOR_SERVE: Final = (
    "server.workers",
    "server.drain_delay",
    "server.drain_timeout",
    "store.url",
    "store.keep_runs",
    "store.keep_seconds",
    "store.keep_bytes",
    "log.format",
)
"""Settings that mean nothing where each save gets a process of its own and runs are recorded."""


class DevOptions(msgspec.Struct, frozen=True):
    """What the command line says.

    Args:
        flags: Settings by dotted name; None: not given.
        profile: The profile.
        env_file: A file of variables in the place of the project's ``.env``.
        use_env_file: Whether one is read at all.
        strict_port: Whether no other port will do.
        open_page: Whether the page is opened.
        reload: Whether files are watched.
        debugger: Where a debugger can attach, as host and port; None: nowhere.
    """

    flags: Mapping[str, FlagValue]
    profile: str | None = None
    env_file: Path | None = None
    use_env_file: bool = True
    strict_port: bool = False
    open_page: bool = False
    reload: bool = True
    debugger: tuple[str, int] | None = None


def run_dev(here: Invocation, options: DevOptions) -> int:
    """Serve the agent that the settings name, anew with each save, until somebody ends it.

    Args:
        here: The invocation.
        options: What the command line says.

    Returns:
        The exit code.

    Raises:
        ConfigError: a setting is missing or wrong.
        NetworkError: the address cannot be listened on.
        ProjectError: the project's environment cannot be used, or a debugger is wanted and not installed.
    """
    began = time.monotonic()
    from sentient_cli.cli.dev_early import ends_quietly
    from sentient_cli.cli.dev_python import use_project_python

    code = 0
    with _not_collecting(), ends_quietly() as deaf:
        use_project_python(here.project or Path.cwd(), sys.argv[1:], here.environment)
        from sentient_cli.dev.launch import start_early, stop_early

        with variable(PYDANTIC_PLUGINS, "1"):  # no code of the user's runs in this process
            start_early(here.environment)
            try:
                code = _serve(here, _load(here, options), options, began, deaf)
            finally:
                stop_early()
    return code


@contextlib.contextmanager
def _not_collecting() -> Generator[None]:
    """Look for no garbage: what is imported stays, and to look through it again and again is a tenth of a start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _load(here: Invocation, options: DevOptions) -> Loaded:
    loaded = here.load(
        options.flags,
        profile=options.profile,
        env_file=options.env_file,
        no_env_file=not options.use_env_file,
        tell=False,
    )
    if options.debugger is not None and importlib.util.find_spec("debugpy") is None:
        raise ProjectError(
            "debugpy, which a debugger attaches to, is not installed",
            fix="Run `uv add --dev debugpy`, or `pip install debugpy`",
        )
    return loaded


def _serve(here: Invocation, loaded: Loaded, options: DevOptions, began: float, deaf: Callable[[], None]) -> int:
    from sentient_cli import __version__
    from sentient_cli.cli.dev_session import Session
    from sentient_cli.config.discovery import Announcement, find
    from sentient_cli.dev.request import HubRequest
    from sentient_cli.server.exposure import check_exposure
    from sentient_cli.server.tickets import Tickets

    doubt = check_exposure(loaded.settings.server)
    home = (loaded.project_dir or here.project or Path.cwd()).absolute()
    # All are looked at, not only this project's: what killed ones left is removed on the way.
    others = [each for each in find() if each.project == home.resolve()]
    server = loaded.settings.server
    listener, moved = listen(server.host, server.port, others, strict=options.strict_port)
    with ExitStack() as stack:
        stack.enter_context(listener)
        announcement = stack.enter_context(Announcement(home, __version__))
        gone: list[Callable[[], None]] = []
        writer = stack.enter_context(_writer(here, loaded, home, lambda: [act() for act in gone]))
        stack.enter_context(_logging_to(writer))
        _warn(writer, [moved, doubt, *loaded.warnings], _unused(loaded) if here.console.verbose else "")
        request = HubRequest(
            listener=listener,
            settings=loaded.settings,
            home=home,
            typed_in=Path.cwd() if loaded.sources["agent"].layer == "flag" else None,
            environment=here.environment,
            flags=options.flags,
            project=here.project,
            profile=options.profile,
            env_file=options.env_file,
            use_env_file=options.use_env_file,
            reload=options.reload,
            debugger=options.debugger,
            sockets=announcement.sockets,
            token_file=announcement.token_file,
            tickets=Tickets(),
            began=began,
        )
        session = Session(
            request,
            writer,
            announcement,
            environment=here.environment,
            opens=options.open_page,
            keyboard=_keyboard(here),
        )
        if here.console.json:
            gone.append(session.gone)
        stack.callback(deaf)
        return _run(session)


def _run(session: Session) -> int:
    gc.freeze()
    gc.enable()
    return asyncio.run(session.run())


def _warn(writer: Writer, warnings: Sequence[str], detail: str) -> None:
    from sentient_cli.dev.report import Notice

    for warning in warnings:
        if warning:
            writer.report(Notice(warning))
    if detail:
        writer.tell(detail)


def _unused(loaded: Loaded) -> str:
    """What is set and does nothing here; empty: nothing."""
    found = [key for key in _FOR_SERVE if loaded.sources[key].layer != "default"]
    return f"Only `sentient serve` uses what is set of {', '.join(found)}" if found else ""


# -- the port --------------------------------------------------------------------------------------------------------


def listen(host: str, port: int, others: Sequence[RunningServer], *, strict: bool) -> tuple[socket.socket, str]:
    """A socket that listens, on a port near the wanted one where that is taken.

    Args:
        host: The address.
        port: The wanted port; 0: any.
        others: The servers of the same project that run already.
        strict: Whether no other port will do.

    Returns:
        The socket, and what the user should know about it; empty when it is as they wanted.

    Raises:
        AddressInUseError: the port is taken, and no other will do.
        NetworkError: the address cannot be listened on.
    """
    from sentient_cli.server.sockets import bind

    already = f"`sentient dev` serves this project already, on {others[0].url}" if others else ""
    try:
        return bind(host, port), f"{already} (process {others[0].pid})" if already else ""
    except AddressInUseError as taken:
        if strict:
            raise
        listener = _listen_near(host, port)
        why = already if others and others[0].url.endswith(f":{port}") else taken.why
        used = listener.getsockname()[1]
        return listener, f"{taken.what}{f': {why}' if why else ''}. This one takes port {used}"


def _listen_near(host: str, port: int) -> socket.socket:
    from sentient_cli.server.sockets import bind, free_port

    while port:
        port = free_port(host, port)
        with contextlib.suppress(AddressInUseError):  # by somebody who was quicker
            return bind(host, port)
    return bind(host, 0)


# -- the screen ------------------------------------------------------------------------------------------------------


def _keyboard(here: Invocation) -> int | None:
    """The terminal to read keys from; None: nobody sits at one."""
    console = here.console
    if console.json or not is_terminal(console.stderr) or not is_terminal(sys.stdin):
        return None
    return sys.stdin.fileno()


def _writer(here: Invocation, loaded: Loaded, home: Path, on_gone: Callable[[], object]) -> Writer:
    from sentient_cli import __version__
    from sentient_cli.cli.dev_python import describe_python
    from sentient_cli.cli.dev_screen import Looks, Screen, Size
    from sentient_cli.cli.dev_text import Pen
    from sentient_cli.cli.dev_writer import Writer, json_painter

    console = here.console
    if console.json:
        return Writer(console.stdout, json_painter, on_gone=on_gone)
    stream = console.stderr
    moves = is_terminal(stream) and here.environment.get("TERM", _unnamed_terminal(here)) != "dumb"
    given = loaded.sources["log.level"].layer != "default"
    looks = Looks(
        styled=moves or console.color(stderr=True),
        color=console.color(stderr=True),
        live=moves,
        keys=_keyboard(here) is not None,
        quiet=console.quiet,
        verbose=console.verbose,
        level=loaded.settings.log.level if given else "warning",
        version=__version__,
        python=describe_python(home, here.environment),
        project=os.fspath(home),
    )

    def size() -> Size:
        try:
            rows = os.get_terminal_size(stream.fileno()).lines if stream is not None else 0
        except (OSError, ValueError):
            rows = 0
        return Size(console.width(stderr=True), rows or 24)

    return Writer(stream, Screen(Pen(stream.encoding if stream is not None else None), size, looks).paint)


def _unnamed_terminal(here: Invocation) -> str:
    """What a terminal without a name is: those of Windows have none, and only the newer understand sequences."""
    return "xterm" if os.name == "nt" and here.environment.get("WT_SESSION") else "dumb"


@contextlib.contextmanager
def _logging_to(writer: Writer) -> Generator[None]:
    """Show what this process logs among the rest."""
    from sentient_cli.dev.report import Output

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                text = self.format(record)
            except Exception:  # noqa: BLE001 - whoever logs must not fail for it
                text = str(record.msg)
            writer.report(Output(0, text, record.levelname.lower()))

    root, handler = logging.getLogger(), Handler()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
