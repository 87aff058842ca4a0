"""How far an answer has come over several attempts: what its reader was given, and what each attempt took."""

from __future__ import annotations

from sentient_cli.llm.assembly import Assembly
from sentient_cli.llm.provider import Request
from sentient_cli.llm.resilience.replay import Replay
from sentient_cli.llm.resilience.splice import Splicer
from sentient_cli.llm.resilience.waste import wasted_usage
from sentient_cli.llm.tokens import size_of, written_in
from sentient_cli.llm.types import Chunk, ToolCall, Usage

__all__ = ["Progress"]


class Progress:
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

    __slots__ = (
        "_before",
        "_before_tools",
        "_said",
        "_said_before",
        "_size",
        "_tools",
        "has_arrived",
        "has_ended",
        "texts",
    )

    def __init__(self) -> None:
        self.texts: list[str] = []
        """The text that was given on."""
        self.has_arrived: bool = False
        """Whether the answer of this attempt has begun."""
        self.has_ended: bool = False
        """Whether the mark was there that nothing is missing."""
        self._tools: Assembly | None = None
        self._before_tools = 0
        self._before = 0
        """How many texts are of attempts before this one."""
        self._size = 0
        """The bytes of this attempt that are no text."""
        self._said: Usage | None = None
        """What the provider says that this attempt took."""
        self._said_before = False
        """Whether the reader was told what an attempt took before this one."""

    @property
    def written(self) -> int:
        """The characters of the text."""
        return sum(map(len, self.texts))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools that were asked for."""
        return self._tools.tool_calls if self._tools is not None else ()

    @property
    def is_at_tools(self) -> bool:
        """Whether no text came after the last tool that was asked for."""
        return self._tools is not None and len(self.texts) == self._before_tools

    @property
    def lacks_usage(self) -> bool:
        """Whether the tokens that the reader was told are those of an attempt before this one."""
        return self._said_before and self._said is None

    @property
    def is_counted(self) -> bool:
        """Whether the provider said all that there is to say."""
        return self.has_ended and self._said is not None

    def begin(self) -> None:
        """Another attempt begins."""
        self._said_before = self._said_before or self._said is not None
        self._said, self._size, self._before, self.has_arrived = None, 0, len(self.texts), False

    def void(self) -> None:
        """The answer begins anew: what was given on does not count."""
        self.texts, self._tools, self._before, self._said_before = [], None, 0, False

    def take(self, chunk: Chunk) -> None:
        """See what else than text there is in a piece."""
        self._size += written_in(chunk) - size_of(chunk.text)
        if chunk.finish_reason is not None:
            self.has_ended = True
        if chunk.tool_call is not None:
            self._tools = self._tools or Assembly()
            self._tools.add(chunk)
            self._before_tools = len(self.texts)
        if chunk.usage is not None:
            self._said = chunk.usage

    def taken(self, request: Request, splicer: Splicer | Replay | None) -> Usage:
        """What this attempt took so far.

        Args:
            request: What it was asked.
            splicer: What reads it, if it is the rest of an answer.
        """
        size = self._size + size_of("".join(self.texts[self._before :]))
        if splicer is not None:  # what it repeated is in no text
            size += splicer.read if splicer.cut is None else splicer.cut
        return wasted_usage(request, self._said, size)
