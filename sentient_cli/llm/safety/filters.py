"""What a filter of requests and answers has to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from sentient_cli.llm.parts import DocumentPart
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Message

__all__ = ["Finding", "SafetyFilter", "Verdict", "asked", "questions"]


class Finding(msgspec.Struct, frozen=True, gc=False):
    """What a filter has found, without the words themselves.

    Args:
        filter: Who found it.
        category: What kind of thing it is, such as ``secret``.
        why: For a reader, one sentence without a full stop.

    Example:
        >>> Finding("local", "secret", "It holds a secret").category
        'secret'
    """

    filter: str
    category: str
    why: str


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What a filter says about a text.

    Args:
        safe: So many of its first characters can be shown, whatever comes after the text.
        finding: What was found, if anything; ``safe`` is then where it begins, or before that.
        notice: What the author should know, such as that nothing could be checked.

    Example:
        >>> Verdict(5).finding is None
        True
    """

    safe: int
    finding: Finding | None = None
    notice: str = ""


class SafetyFilter(Protocol):
    """Looks at what is asked and at what is answered. A filter keeps nothing between two texts.

    Example:
        >>> from sentient_cli.llm.safety import LocalFilter
        >>> filter: SafetyFilter = LocalFilter(words=("abracadabra",))
        >>> filter.name, filter.window
        ('local', 32)
    """

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def window(self) -> int:
        """So many characters, already shown, it wants to see again before those that are new."""
        ...

    @property
    def step(self) -> int:
        """So many new characters have to come before it is asked again; all of them are held back until then."""
        ...

    async def check_request(self, request: Request) -> Finding | Verdict | None:
        """Look at what is asked, before it is sent: a finding, or a verdict where there is a notice beside it.

        Raises:
            ProviderError: the filter itself failed, and nothing may pass without it.
        """
        ...

    async def check_text(self, text: str, *, is_end: bool) -> Verdict:
        """Look at an answer, or at the end of what came of it so far.

        Args:
            text: Begins between two words.
            is_end: Whether nothing comes after it.

        Raises:
            ProviderError: as for `check_request`.
        """
        ...


def questions(request: Request) -> list[str]:
    """The texts of a request that nobody has checked yet: of users and tools, since the last answer.

    Documents that are text are among them.

    Example:
        >>> from sentient_cli.llm import Message
        >>> questions(Request(model="m", messages=(Message.system("Be brief"), Message.user("Hello"))))
        ['Hello']
    """
    texts = (text for message in asked(request) for text in (message.text, *_documents(message)))
    return [text for text in texts if text]


def _documents(message: Message) -> Iterator[str]:
    """What stands in the documents of a message, where that is text."""
    for part in message.parts:
        if isinstance(part, DocumentPart) and part.data:
            try:
                yield f"{part.name}\n{part.data.decode()}"
            except UnicodeDecodeError:
                continue


def asked(request: Request) -> list[Message]:
    """The messages of a request that nobody has checked yet: of users and tools, since the last answer.

    Example:
        >>> from sentient_cli.llm import Message
        >>> len(asked(Request(model="m", messages=(Message.user("Hi"), Message.assistant("Hello"), Message.user("?")))))
        1
    """
    found: list[Message] = []
    for message in reversed(request.messages):
        if message.role == "assistant":
            break
        if message.role != "system":
            found.append(message)
    return found[::-1]
