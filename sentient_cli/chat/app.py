"""The chat as a program: what it reads, which view it shows, and how it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sentient_cli.chat.commands import COMMANDS, help_lines, parse, suggestion
from sentient_cli.chat.conversation import Conversation, Outcome
from sentient_cli.chat.flow import broken
from sentient_cli.chat.glyphs import glyphs_for
from sentient_cli.chat.keyboard import keys_unseen
from sentient_cli.chat.lines import JsonLinesView
from sentient_cli.chat.live import LiveView
from sentient_cli.chat.plain import PlainView
from sentient_cli.chat.prompt import Prompt
from sentient_cli.chat.screen import Screen, Size
from sentient_cli.chat.timed import Timed
from sentient_cli.config.names import readable
from sentient_cli.errors import SentientError, UsageError, UserInterruptError
from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TextIO

    from sentient_cli.chat.view import View

__all__ = ["ChatOptions", "Terminal", "run_chat"]

MAX_INPUT = 1024 * 1024
NARROWEST_LIVE = 40
_INTERRUPTS_TO_LEAVE = 2


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where the chat reads and writes, and what may be written there.

    Args:
        stdin: Questions, when it is a terminal; else one question.
        stdout: Answers.
        stderr: Everything else.
        size: The size of the terminal, in characters.
        reads: Whether stdin is a terminal.
        draws: Whether stdout is a terminal that can move its cursor.
        color: Whether colours may be used.
    """

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    size: Callable[[], Size]
    reads: bool
    draws: bool
    color: bool


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """What the command line asked for.

    Args:
        url: Where the agent is.
        message: The one question to ask; ``"-"`` is the whole of stdin; None asks for many at a prompt.
        token: The agent's bearer token.
        json: Show events as JSON lines.
        quiet: Leave out what is not the agent's.
        history: The file of earlier questions.
        detail: Is told what each question took; None: nobody wants to know.
    """

    url: str
    message: str | None = None
    token: str | None = None
    json: bool = False
    quiet: bool = False
    history: Path | None = None
    detail: Callable[[str], None] | None = None


def run_chat(options: ChatOptions, terminal: Terminal) -> int:
    """Talk to an agent until the user leaves, or ask one question.

    Returns:
        The exit code: 1 when the one question was answered by an error, else 0.

    Raises:
        UsageError: the URL or the question is not usable.
        NetworkError: the one question could not be asked, or its answer was cut off.
        UserInterruptError: the one question was interrupted.
    """
    # Asked before anything is read, so that a wrong address does not cost a typed question.
    chat = _Chat(options, terminal)
    with asyncio.Runner() as runner:
        try:
            if options.message is None and terminal.reads:
                chat.talk(runner)
                return 0
            return chat.ask_once(runner, _question(options, terminal))
        finally:
            runner.run(chat.aclose())


def _question(options: ChatOptions, terminal: Terminal) -> str:
    text = options.message
    if text is None or text == "-":
        try:
            text = terminal.stdin.read(MAX_INPUT + 1)
        except UnicodeDecodeError as error:
            raise UsageError("The input is no text", fix=f"Give text in {terminal.stdin.encoding}") from error
    if len(text) > MAX_INPUT:
        raise UsageError("The question is too long", why=f"It has more than {MAX_INPUT} characters")
    if not text.strip():
        raise UsageError("There is no question", fix='Give one: `sentient chat -m "Hello"`')
    return readable(text.strip())


def _without_secrets(error: SentientError) -> SentientError:
    what, why, fix = map(redactor.redact, (error.what, error.why, error.fix))
    return SentientError(what, why=why, fix=fix)


class _Chat:
    def __init__(self, options: ChatOptions, terminal: Terminal) -> None:
        self._options = options
        self._terminal = terminal
        self._json = options.json
        self._glyphs = glyphs_for(terminal.stdout.encoding)
        self._conversation = Conversation(options.url, token=options.token)

    async def aclose(self) -> None:
        await self._conversation.aclose()

    def ask_once(self, runner: asyncio.Runner, question: str) -> int:
        outcome = runner.run(self._answer(question))
        if outcome is Outcome.STOPPED:
            raise UserInterruptError("The run was stopped")
        return 1 if outcome is Outcome.FAILED else 0

    def talk(self, runner: asyncio.Runner) -> None:
        self._say(f"sentient chat {self._glyphs.dot} {sanitize_line(self._conversation.url)}")
        self._say("/help shows the commands, Ctrl-D leaves.\n")
        prompt = self._prompt()
        interrupts = 0
        while interrupts < _INTERRUPTS_TO_LEAVE:
            try:
                line = prompt.read()
            except EOFError:
                self._say("")
                return
            except KeyboardInterrupt:
                interrupts += 1
                self._say("" if interrupts == _INTERRUPTS_TO_LEAVE else "\nCtrl-C again, or Ctrl-D, leaves.")
                continue
            except UnicodeDecodeError:
                self._say("This terminal's encoding cannot carry what was typed.")
                continue
            interrupts = 0
            if not self._obey(runner, line):
                return

    def _obey(self, runner: asyncio.Runner, line: str) -> bool:
        """Do what a line asks; False ends the chat."""
        command, question = parse(line)
        if question:
            self._ask(runner, question)
        elif command == "/exit":
            return False
        elif command == "/help":
            self._tell(*help_lines())
        elif command == "/new":
            self._conversation.renew()
            self._tell("A new session.")
        elif command == "/session":
            session = self._conversation.session
            self._tell(f"Session {session.activity_id}, {session.turns} turns remembered.")
        elif command == "/json":
            self._json = not self._json
            self._tell("Events are shown as JSON." if self._json else "Events are shown as text.")
        elif command:
            self._tell(*map(sanitize_line, suggestion(command)))
        return True

    def _ask(self, runner: asyncio.Runner, question: str) -> None:
        self._gap()
        try:
            with keys_unseen(self._terminal.stdin.fileno()):
                runner.run(self._answer(question, shown=True))
        except SentientError:
            pass  # it was shown
        self._gap()

    async def _answer(self, question: str, *, shown: bool = False) -> Outcome:
        view = Timed(self._view())
        try:
            outcome = await self._conversation.turn(question, view)
        except SentientError as error:
            if shown:
                view.fail(_without_secrets(error))
            raise
        else:
            if shown and outcome is Outcome.STOPPED:
                view.notice("Stopped")
            return outcome
        finally:
            view.end()
            if self._options.detail is not None:
                self._options.detail(view.told(self._conversation.url, self._conversation.run_id))

    def _view(self) -> View:
        terminal = self._terminal
        if self._json:
            return JsonLinesView(terminal.stdout, terminal.stderr, quiet=self._options.quiet)
        if terminal.draws and terminal.size().columns >= NARROWEST_LIVE:
            return LiveView(Screen(terminal.stdout, terminal.size, color=terminal.color), self._glyphs)
        width = terminal.size().columns - 1 if terminal.stdout.isatty() else None
        return PlainView(terminal.stdout, terminal.stderr, width=width, quiet=self._options.quiet)

    def _prompt(self) -> Prompt:
        terminal = self._terminal
        return Prompt(
            self._glyphs.prompt,
            stdin=terminal.stdin,
            talk=terminal.stderr,
            edit=terminal.stdout.isatty(),
            history=self._options.history,
            words=tuple(COMMANDS),
            styled=terminal.draws,
        )

    def _gap(self) -> None:
        if self._terminal.stdout.isatty() and not self._json:
            self._terminal.stdout.write("\n")
            self._terminal.stdout.flush()

    def _tell(self, *lines: str) -> None:
        """Answer a command of the user's, set as the agent's answers are."""
        indent = "" if self._terminal.size().columns < NARROWEST_LIVE else "  "
        width = self._terminal.size().columns - 1 - len(indent)
        text = "\n".join(broken(line, width) for line in lines)
        self._terminal.stderr.write(f"\n{indent}{text.replace(chr(10), chr(10) + indent)}\n\n")
        self._terminal.stderr.flush()

    def _say(self, text: str) -> None:
        if not self._options.quiet:
            self._terminal.stderr.write(f"{broken(text, self._terminal.size().columns - 1)}\n")
            self._terminal.stderr.flush()
