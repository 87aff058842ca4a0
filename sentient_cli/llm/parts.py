"""What the content of a message is made of."""

from __future__ import annotations

import base64
import mimetypes
from pathlib import Path
from typing import Literal, TypeAlias, cast
from urllib.parse import unquote_to_bytes

import msgspec

from sentient_cli.errors import BadRequestError

__all__ = ["AudioPart", "DocumentPart", "ImagePart", "Part", "TextPart", "ThinkingPart"]

_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_AUDIO = ((b"ID3", "mp3"), (b"fLaC", "flac"), (b"OggS", "ogg"))
_TEXTS = ("text/", "application/json", "application/xml", "application/yaml", "application/toml")
_DETAILS = (None, "auto", "low", "high")
_SCHEMES = frozenset({"http", "https", "data", "gs", "s3"})


class TextPart(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="text", omit_defaults=True):
    """A piece of text in a message.

    Args:
        text: The text.
        cache: Whether the provider shall keep all up to here in its cache, where it has to be asked for that.

    Example:
        >>> from sentient_cli.llm import Message
        >>> Message.user((TextPart("What is "), TextPart("6 * 7?"))).text
        'What is 6 * 7?'
    """

    text: str
    cache: bool = False


class ImagePart(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="image", omit_defaults=True, kw_only=True):
    r"""A picture in a message: its bytes, or where it is.

    Args:
        data: The bytes; empty when there is a ``url``.
        media_type: Such as ``image/png``; found out from the bytes unless given.
        url: Where the provider finds it; the data of a ``data:`` URL is taken out of it.
        detail: How closely it shall be looked at, where the provider lets one choose.
        cache: As for `TextPart`.

    Raises:
        BadRequestError: there is neither data nor URL, or both, or the data is no picture that providers read.

    Example:
        >>> ImagePart(url="https://example.com/cat.png").url
        'https://example.com/cat.png'
        >>> ImagePart(data=b"GIF89a\x01").media_type
        'image/gif'
    """

    data: bytes = b""
    media_type: str = ""
    url: str = ""
    detail: Literal["auto", "low", "high"] | None = None
    cache: bool = False

    def __post_init__(self) -> None:
        _take_in(self, "an image")
        _check_source("An image", self.data, self.url)
        _check_texts("an image", media_type=self.media_type)
        if self.detail not in _DETAILS:
            raise BadRequestError(
                f"The `detail` of an image cannot be {self.detail!r:.60}",
                fix="Use `auto`, `low` or `high`, or leave it out",
            )
        if self.data:
            found = _image_type(self.data)
            if found is None or (self.media_type and self.media_type != found):
                raise BadRequestError(
                    f"This is no {self.media_type or 'image'}",
                    why=f"Its first bytes are those of {found or 'something else'}",
                    fix="Give the bytes of a PNG, JPEG, GIF or WebP file, and its own media type",
                )
            msgspec.structs.force_setattr(self, "media_type", found)

    @classmethod
    def read(cls, path: str | Path) -> ImagePart:
        """The picture in a file.

        Raises:
            BadRequestError: there is no such file, or it is no picture.
        """
        return cls(data=_read(path))

    @property
    def base64(self) -> str:
        """The data as providers take it."""
        return base64.b64encode(self.data).decode("ascii")


class AudioPart(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="audio", omit_defaults=True, kw_only=True):
    """Sound in a message.

    Args:
        data: The bytes of a file.
        format: Such as ``wav`` and ``mp3``; found out from the bytes unless given.

    Raises:
        BadRequestError: there is no data, or its format cannot be found out.

    Example:
        >>> AudioPart(data=b"RIFF....WAVE").format
        'wav'
    """

    data: bytes
    format: str = ""

    def __post_init__(self) -> None:
        _check_bytes("A sound", self.data)
        _check_texts("a sound", format=self.format)
        found = self.format or _audio_format(self.data)
        if not self.data or not found:
            raise BadRequestError("This is no sound", fix="Give the bytes of a WAV or MP3 file, or name its `format`")
        msgspec.structs.force_setattr(self, "format", found)

    @classmethod
    def read(cls, path: str | Path) -> AudioPart:
        """The sound in a file.

        Raises:
            BadRequestError: there is no such file, or it is no sound.
        """
        return cls(data=_read(path))

    @property
    def base64(self) -> str:
        """The data as providers take it."""
        return base64.b64encode(self.data).decode("ascii")


class DocumentPart(
    msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="document", omit_defaults=True, kw_only=True
):
    """A document in a message, such as a PDF: its bytes, or where it is.

    Args:
        data: The bytes; empty when there is a ``url``.
        media_type: Such as ``application/pdf``.
        url: As for `ImagePart`.
        name: What it is called.
        cache: As for `TextPart`.

    Raises:
        BadRequestError: there is neither data nor URL, or both.

    Example:
        >>> DocumentPart(data=b"%PDF-1.7", name="report.pdf").media_type
        'application/pdf'
    """

    data: bytes = b""
    media_type: str = ""
    url: str = ""
    name: str = ""
    cache: bool = False

    def __post_init__(self) -> None:
        _take_in(self, "a document")
        _check_source("A document", self.data, self.url)
        _check_texts("a document", name=self.name, media_type=self.media_type)
        if not self.media_type:
            is_pdf = self.data.startswith(b"%PDF-")
            guessed = "application/pdf" if is_pdf else mimetypes.guess_type(self.name or self.url)[0]
            unknown = "text/plain" if _is_text(self.data) else "application/octet-stream"
            msgspec.structs.force_setattr(self, "media_type", guessed or unknown)

    @classmethod
    def read(cls, path: str | Path) -> DocumentPart:
        """The document in a file, with the name of the file.

        Raises:
            BadRequestError: there is no such file.
        """
        return cls(data=_read(path), name=Path(path).name)

    @property
    def as_text(self) -> str | None:
        """What it says, below its name, where it is text; None: it is something else, or elsewhere."""
        if not self.data or not self.media_type.startswith(_TEXTS):
            return None
        try:
            text = self.data.decode()
        except UnicodeDecodeError:
            return None
        return f"{self.name}:\n{text}" if self.name else text

    @property
    def base64(self) -> str:
        """The data as providers take it."""
        return base64.b64encode(self.data).decode("ascii")


class ThinkingPart(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="thinking", omit_defaults=True):
    """What a model thought before it answered, to be given back to it unchanged when the conversation goes on.

    Args:
        text: The thoughts, or what the provider shows of them.
        signature: The provider's mark, by which it knows its own.
        redacted: Thoughts that only the provider can read.

    Example:
        >>> ThinkingPart("Six times seven…", signature="EqQB").signature
        'EqQB'
    """

    text: str = ""
    signature: str = ""
    redacted: str = ""


Part: TypeAlias = TextPart | ImagePart | AudioPart | DocumentPart | ThinkingPart
"""What the content of a message is made of, told apart by ``type``. More kinds will join; pass over others."""


def _check_source(what: str, data: bytes, url: object) -> None:
    _check_bytes(what, data)
    if bool(data) == bool(url):
        raise BadRequestError(
            f"{what} has {'both data and a URL' if data else 'neither data nor a URL'}",
            fix="Give its bytes as `data`, or its address as `url`",
        )
    scheme = url.partition(":")[0].lower() if isinstance(url, str) else ""  # a `Path` is a likely slip
    if url and scheme not in _SCHEMES:
        raise BadRequestError(
            f"{what} cannot be at {str(url)!r:.80}",
            why="A provider finds only what has an address in a network",
            fix="Give an address that begins with `https:`; a file of this machine is read by `.read(path)`",
        )


def _check_texts(what: str, **texts: object) -> None:
    for name, text in texts.items():
        if not isinstance(text, str):  # a `Path` is a likely slip
            raise BadRequestError(f"The `{name}` of {what} is a text, not {type(text).__name__}", fix="Give a text")


def _check_bytes(what: str, data: object) -> None:
    if not isinstance(data, bytes):
        raise BadRequestError(
            f"The `data` of {what.lower()} is bytes, not {type(data).__name__}",
            fix="Give the bytes of the file, or use `.read(path)`; base64 is decoded by `base64.b64decode`",
        )


def _image_type(data: bytes) -> str | None:
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return next((name for start, name in _IMAGES if data.startswith(start)), None)


def _audio_format(data: bytes) -> str:
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return "wav"
    # The head of a frame of MPEG audio, layer III, of whatever version; of AAC the layer is 0.
    if data[:1] == b"\xff" and len(data) > 1 and data[1] & 0xE6 == 0xE2:  # noqa: PLR2004
        return "mp3"
    return next((name for start, name in _AUDIO if data.startswith(start)), "")


def _take_in(part: ImagePart | DocumentPart, what: str) -> None:
    """Put the bytes that a ``data:`` URL holds in the place of it: not every provider takes such an address.

    Raises:
        BadRequestError: there are none in it.
    """
    url = cast("object", part.url)  # a `Path` is a likely slip
    if part.data or not isinstance(url, str) or url[:5].lower() != "data:":
        return
    head, comma, body = url[5:].partition(",")
    media_type, *options = head.split(";")
    try:
        plain = unquote_to_bytes(body)
        data = base64.b64decode(b"".join(plain.split()), validate=True) if "base64" in options else plain
    except ValueError:
        data = b""
    if not comma or not data:
        raise BadRequestError(
            f"The `url` of {what} holds no data that can be read",
            why="It begins with `data:`, and what follows is not as in `data:image/png;base64,…`",
            fix="Give the bytes themselves as `data`",
        )
    msgspec.structs.force_setattr(part, "data", data)
    msgspec.structs.force_setattr(part, "url", "")
    if isinstance(part, DocumentPart) and media_type and not part.media_type:
        msgspec.structs.force_setattr(part, "media_type", media_type.strip().lower())


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError, TypeError) as error:  # the last two: what no file can be called
        why = error.strerror if isinstance(error, OSError) else None
        raise BadRequestError(
            f"The file {str(path)!r:.200} cannot be read", why=why or str(error), fix="Check the path"
        ) from error
