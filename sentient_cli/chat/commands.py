"""What a line that begins with a slash means."""

from __future__ import annotations

import difflib

__all__ = ["COMMANDS", "help_lines", "parse"]

COMMANDS = {
    "/help": "show these commands",
    "/new": "begin a new session: the agent is sent nothing of this one",
    "/session": "show the ids of this session",
    "/json": "show events as JSON, or as text again",
    "/exit": "leave; so does Ctrl-D",
}
_ALIASES = {"/quit": "/exit", "/?": "/help", "/h": "/help", "/q": "/exit", "/reset": "/new"}


def parse(line: str) -> tuple[str, str]:
    """Tell a command from a question.

    Returns:
        The command, empty for a question, and the question; an unknown command is returned as it was typed.

    Example:
        >>> parse("/quit"), parse("hello"), parse("//usr is a path")
        (('/exit', ''), ('', 'hello'), ('', '/usr is a path'))
    """
    text = line.strip()
    if text.startswith("//"):
        return "", text[1:]
    if not text.startswith("/"):
        return "", text
    name = text.split()[0].lower()
    return _ALIASES.get(name, name), ""


def suggestion(name: str) -> tuple[str, str]:
    """What to say about an unknown command."""
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    meant = f"Did you mean {close[0]}?" if close else "/help shows the commands."
    return f"There is no command {name}. {meant}", "A question that begins with a slash is typed with two."


def help_lines() -> list[str]:
    """The commands and the keys."""
    rows = [*COMMANDS.items(), ("Ctrl-C", "while an answer comes: stop the run")]
    return [f"{name:<10}{text}" for name, text in rows]
