"""How far an answer has come over several attempts: what its reader was given, and what each attempt took."""

from __future__ import annotations

import msgspec

from sentient_cli.llm.assembly import Assembly
from sentient_cli.llm.provider import Request
from sentient_cli.llm.resilience.replay import Replay
from sentient_cli.llm.resilience.splice import Splicer
from sentient_cli.llm.resilience.waste import wasted_usage
from sentient_cli.llm.tokens import size_of, written_in
from sentient_cli.llm.types import Chunk, ToolCall, Usage

__all__ = ["Progress"]


class Progress(msgspec.Struct, eq=False):
    """What was given on of an answer, and what the attempt took that goes on.

    Example:
        >>> from sentient_cli.llm import Message
        >>> request, progress = Request(model="m", messages=(Message.user("Hi"),)), Progress()
        >>> progress.texts.append("Hello, you")
        >>> progress.taken(request, None).output
        3
        >>> progress.begin()
        >>> progress.taken(request, None).output, progress.written
        (0, 10)
    """

    texts: list[str] = []
    """The text that was given on."""
    has_arrived: bool = False
    """Whether the answer of this attempt has begun."""
    has_ended: bool = False
    """Whether the mark was there that nothing is missing."""
    tools: Assembly | None = None
    before_tools: int = 0
    before: int = 0
    """How many texts are of attempts before this one."""
    size: int = 0
    """The bytes of this attempt that are no text."""
    said: Usage | None = None
    """What the provider says that this attempt took."""
    said_before: bool = False
    """Whether the reader was told what an attempt took before this one."""

    @property
    def written(self) -> int:
        """The characters of the text."""
        return sum(map(len, self.texts))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools that were asked for."""
        return self.tools.tool_calls if self.tools is not None else ()

    @property
    def is_at_tools(self) -> bool:
        """Whether no text came after the last tool that was asked for."""
        return self.tools is not None and len(self.texts) == self.before_tools

    @property
    def lacks_usage(self) -> bool:
        """Whether the tokens that the reader was told are those of an attempt before this one."""
        return self.said_before and self.said is None

    @property
    def is_counted(self) -> bool:
        """Whether the provider said all that there is to say."""
        return self.has_ended and self.said is not None

    def begin(self) -> None:
        """Another attempt begins."""
        self.said_before = self.said_before or self.said is not None
        self.said, self.size, self.before, self.has_arrived = None, 0, len(self.texts), False

    def void(self) -> None:
        """The answer begins anew: what was given on does not count."""
        self.texts, self.tools, self.before, self.said_before = [], None, 0, False

    def take(self, chunk: Chunk) -> None:
        """Take a piece that is given on; one that is nothing but text may just be put with the other texts."""
        if chunk.text:
            self.texts.append(chunk.text)
        if chunk.finish_reason is not None:
            self.has_ended = True
        if chunk.thinking is not None or chunk.tool_call is not None or chunk.refusal:
            self.size += written_in(chunk) - size_of(chunk.text)
            if chunk.tool_call is not None:
                self.tools = self.tools or Assembly()
                self.tools.add(chunk)
                self.before_tools = len(self.texts)
        if chunk.usage is not None:
            self.said = chunk.usage

    def taken(self, request: Request, splicer: Splicer | Replay | None) -> Usage:
        """What this attempt took so far.

        Args:
            request: What it was asked.
            splicer: What reads it, if it is the rest of an answer.
        """
        size = self.size + size_of("".join(self.texts[self.before :]))
        if splicer is not None:  # what it repeated is in no text
            size += splicer.read if splicer.cut is None else splicer.cut
        return wasted_usage(request, self.said, size)
