"""Texts that can be sent: without half a character, which no encoding has."""

from __future__ import annotations

from sentient_cli.errors import BadRequestError, SentientError

__all__ = ["check_whole"]


def check_whole(text: str, what: str, error: type[SentientError] = BadRequestError) -> None:
    r"""See whether a text can be sent.

    Args:
        text: What is to be sent.
        what: What it is, such as ``A message``, for a reader.
        error: The error of one that cannot.

    Raises:
        SentientError: it has half a character in it; of the class that was given.

    Example:
        >>> check_whole("Grüße", "A message")
        >>> check_whole("\ud83d", "A message")
        Traceback (most recent call last):
        ...
        sentient_cli.errors.BadRequestError: A message has half a character in it, which cannot be sent. At 0...
    """
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as failure:
        raise error(
            f"{what} has half a character in it, which cannot be sent",
            why=f"At {failure.start} there is a surrogate without its other half",
            fix="Decode its text with `errors='replace'`, or leave it out",
        ) from None
