"""The one redactor, used by every sink: secrets that are known, in each form they travel in, and what looks like one.

A match is at most `MAX_MATCH` characters long, so that what a stream of text has to hold back is bounded.
"""

from __future__ import annotations

import heapq
import re
import threading
from typing import TYPE_CHECKING, NamedTuple, overload

from sentient_cli.secret_forms import LONG, MAX_MATCH, LongForms, forms_of
from sentient_cli.secret_names import ASSIGNED, is_secret_name
from sentient_cli.secret_sources import waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sentient_cli.secret_sources import SecretSource

__all__ = ["MAX_MATCH", "REDACTED", "Hidden", "Redactor", "redactor"]

REDACTED = "[redacted]"
MIN_SECRET = 6
"""A shorter value is not registered: it would blacken harmless text."""
_PASSES = 4  # what stood directly behind a secret may only be told for one without it
_DEARER = 4  # to look for one beginning in the text costs as much as to look at so many places of it
_LEAST = 3  # so much of a known value at the end of a text may be its beginning

# Who is named in a web address is a token as often as a user; the name before a host of ssh is the same for everybody.
_WEB = "(?:" + "|".join(rf"(?<=(?i:{scheme}))" for scheme in ("http", "https", "ws", "wss")) + ")://"

# The group `keep` stays in the text, the rest of a match is replaced.
_PATTERNS = (
    (
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:(?!-----(?:END|BEGIN) )[A-Za-z0-9+/=\s\\:,-]){0,16000}"
        r"(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?"
    ),
    r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,5000}\.[A-Za-z0-9_-]{5,5000}\.[A-Za-z0-9_-]{0,5000}",
    (
        r"(?P<keep1>(?<![A-Za-z0-9])(?i:bearer|basic)[ \t]{1,8})"
        r"(?=[A-Za-z0-9._~+/=-]{0,64}[0-9._~+/=-])[A-Za-z0-9._~+/=-]{8,16000}"
    ),
    r"(?<![A-Za-z0-9])(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,1000}",
    r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])",
    r"(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|hf_|npm_|pypi-|AIza)[A-Za-z0-9_-]{16,1000}",
    rf"(?P<keep4>{_WEB})[^\s/@\"'?#]{{1,1100}}(?=@)",
    r"(?P<keep2>://[^\s/:@\"']{0,100}:)[^\s/@\"']{1,1000}(?=@)",
    (
        rf"(?P<keep3>{ASSIGNED}\\?[\"']?[ \t]{{0,4}}(?:=|:)[ \t]{{0,4}}"
        r"(?:(?i:bearer|basic|token|digest)[ \t]{1,4})?)"
        r"(?P<quote>\\?[\"'])?(?!(?i:none|null|true|false)\b|(?i:bearer|basic|token|digest)[ \t]|\$\{|\[redacted)"
        r"(?(quote)(?:(?!(?P=quote))(?:\\.|[^\r\n\\])){1,7000}|[^\s\"'&,;(){}\[\]<>]{6,8000})"
    ),
)

# Where one of the patterns could match if the text went on; what matches already and ends the text needs no mention.
_BEGUN = re.compile(
    "(?:"
    + "|".join(
        (
            r"-----(?:BEGIN|END) [A-Z -]{0,60}",
            r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{0,5000}(?:\.[A-Za-z0-9_-]{0,5000}){0,2}",
            r"(?<![A-Za-z0-9])(?i:bearer|basic)[ \t]{1,8}[A-Za-z0-9._~+/=-]{0,65}",
            r"(?<![A-Za-z0-9])(?:sk|pk|rk)[-_][A-Za-z0-9_-]{0,15}",
            r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{0,16}",
            r"(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|hf_|npm_|pypi-|AIza)[A-Za-z0-9_-]{0,15}",
            rf"{_WEB}[^\s/@\"'?#]{{0,1100}}",
            r"://[^\s/:@\"']{0,100}(?::[^\s/@\"']{0,1000})?",
            (
                rf"{ASSIGNED}\\?[\"']?[ \t]{{0,4}}(?:(?:=|:)[ \t]{{0,4}}"
                r"(?:(?i:bearer|basic|token|digest)[ \t]{1,4})?(?:\\?[\"'])?[^\s\"'&,;(){}\[\]<>]{0,10})?"
            ),
        )
    )
    + r")\Z"
)

# No pattern matches a text that has, in lower case, none of these: the search costs a fiftieth of the patterns.
_TRIGGERS = (
    *("key", "token", "secret", "passw", "passphrase", "authorization", "cookie", "bearer", "basic", "://"),
    *("eyj", "akia", "asia", "aiza"),
)
_TRIGGERS_BY_MARK = (
    ("_", ("k_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "_pat_", "hf_", "npm_")),
    ("-", ("k-", "-----", "glpat-", "xox", "pypi-")),
)
"""Those that need a character which most texts do not have: to look for it is much cheaper than for each of them."""


class Redactor:
    """Replaces secrets by ``[redacted]``.

    Args:
        sources: Where more secrets are, which are read before the next text is looked at; the list is emptied then.

    Example:
        >>> redactor: Redactor = Redactor()
        >>> redactor.register("correct horse battery")
        True
        >>> redactor.redact("pass=correct horse battery, max_tokens=5, Bearer abcdef123456")
        'pass=[redacted], max_tokens=5, Bearer [redacted]'
    """

    def __init__(self, sources: list[SecretSource] | None = None) -> None:
        self._sources: list[SecretSource] = [] if sources is None else sources
        self._reading = threading.RLock()
        self._reads = False
        self._lock = threading.Lock()
        self._forms: frozenset[str] = frozenset()
        self._short: frozenset[str] = frozenset()
        self._long = LongForms(())
        self._beginnings: dict[str, list[str]] = {}
        self._longest = 0
        self._pattern: re.Pattern[str] | None = None

    def register(self, secret: str | bytes) -> bool:
        """Redact ``secret`` from now on: raw, in base64 (alone or within other text), URL, JSON and hex form.

        A value of more than 2,730 characters is known by its pieces, each of which becomes a ``[redacted]``.

        Returns:
            Whether it was taken; what has fewer than 6 characters is not.
        """
        data = secret.encode(errors="surrogateescape") if isinstance(secret, str) else secret
        text = data.decode(errors="surrogateescape")
        if len(text.strip()) < MIN_SECRET:
            return False
        forms = frozenset(form for form in forms_of(text) if len(form) >= MIN_SECRET)
        with self._lock:
            if not forms <= self._forms:
                self._forms |= forms
                self._short = frozenset(form for form in self._forms if len(form) < LONG)
                self._long = LongForms(self._forms - self._short)
                self._beginnings = _by_beginning(self._forms)
                self._longest = max(map(len, self._forms))
                self._pattern = None
        return True

    def register_environment(self, environment: Mapping[str, str]) -> None:
        """Redact the values of all variables whose names say that they hold a secret."""
        for name, value in environment.items():
            if is_secret_name(name):
                self.register(value)

    @overload
    def redact(self, text: str) -> str: ...
    @overload
    def redact(self, text: bytes) -> bytes: ...
    def redact(self, text: str | bytes) -> str | bytes:
        """Return ``text`` without secrets. Redacting twice changes nothing more."""
        if isinstance(text, bytes):
            decoded = text.decode(errors="surrogateescape")
            return self.redact(decoded).encode(errors="surrogateescape") if self.suspects(decoded) else text
        if not self.suspects(text):
            return text
        for _ in range(_PASSES):
            before, text = text, self._replaced(text)
            if text == before:
                break
        return text

    def head(self, text: str, size: int) -> str:
        """The beginning of a text without secrets; none is cut, since its first part would not be known for one.

        Args:
            text: Of any length.
            size: Characters to have at most.

        Example:
            >>> Redactor().head("sk-abcdefghijklmnop1234 and so on", 12)
            '[redacted]'
        """
        end = size
        if len(text) > size:
            text = text[: size + MAX_MATCH]
            ends = (hidden.end for hidden in self.hidden(text) if hidden.start < size < hidden.end)
            end = max(ends, default=size)
        return self.redact(text[:end])[:size]

    def suspects(self, text: str) -> bool:
        """Whether ``text`` may hold a secret; False is certain, and cheap for many short texts joined to one.

        Example:
            >>> Redactor().suspects("Hello"), Redactor().suspects("the key to it")
            (False, True)
        """
        if self._sources:
            self._read_sources()
        if self._has_trigger(text.lower()):
            return True
        beginnings = self._beginnings
        if len(text) < len(self._short) and not any(text[at : at + _LEAST] in beginnings for at in range(len(text))):
            return False
        return any(form in text for form in self._short) or self._long.may_be_in(text)

    def redact_json(self, value: object) -> object:
        """Return a copy of nested lists and mappings without secrets; what stands under a secret's name is one."""
        return self._walk(value, hidden=False)

    def hidden(self, text: str, start: int = 0) -> Iterator[Hidden]:
        """The places of ``text`` that hold a secret, in order; those before ``start`` are not looked for."""
        if self._sources:
            self._read_sources()
        found = (_hidden(match) for match in self._compiled().finditer(text, start))
        long = [Hidden(at, at, end) for at, end in self._long.places(text, start)]
        return _joined(heapq.merge(found, long)) if long else found

    def _read_sources(self) -> None:
        with self._reading:
            if self._reads:
                return  # a source redacts something itself
            self._reads = True
            try:
                for source in self._sources:
                    self.register_environment(source())
            finally:
                self._sources.clear()
                self._reads = False

    def _replaced(self, text: str) -> str:
        if not self._long.may_be_in(text):
            return self._compiled().sub(_replace, text)
        parts: list[str] = []
        at = 0
        for hidden in self.hidden(text):
            parts += text[at : hidden.cover], REDACTED
            at = hidden.end
        return "".join([*parts, text[at:]])

    def begun(self, text: str, start: int = 0) -> int:
        """Where in ``text``, from ``start`` on, something begins that would be a secret if the text went on so.

        Of a known value at least three characters have to be there. Without such a place: the end of the text.

        Example:
            >>> Redactor().begun("The key is sk-abcd"), Redactor().begun("The key")
            (11, 7)
        """
        found = _BEGUN.search(text, start)
        first = self.cut_value(text, start)
        return min(first, found.start()) if found else first

    def cut_value(self, text: str, start: int = 0) -> int:
        """The same for known values alone: enough where `suspects` says no, and cheaper."""
        if self._sources:
            self._read_sources()
        beginnings = self._beginnings
        if not beginnings:
            return len(text)
        first = max(start, len(text) - self._longest + 1)
        if len(text) - first > len(beginnings) * _DEARER:
            places = (_first_begun(text, first, beginning, forms) for beginning, forms in beginnings.items())
            return min(places, default=len(text))
        for at in range(first, len(text) - _LEAST + 1):
            forms = beginnings.get(text[at : at + _LEAST])
            if forms and any(form.startswith(text[at:]) for form in forms):
                return at
        return len(text)

    @staticmethod
    def _has_trigger(lower: str) -> bool:
        for trigger in _TRIGGERS:
            if trigger in lower:
                return True
        for mark, triggers in _TRIGGERS_BY_MARK:
            if mark in lower:
                for trigger in triggers:
                    if trigger in lower:
                        return True
        return False

    def _walk(self, value: object, *, hidden: bool) -> object:
        if isinstance(value, str):
            return REDACTED if hidden and value else self.redact(value)
        if isinstance(value, dict):
            items: dict[object, object] = value  # pyright: ignore[reportUnknownVariableType]
            return {
                self._walk(key, hidden=False): self._walk(
                    item, hidden=hidden or (isinstance(key, str) and is_secret_name(key))
                )
                for key, item in items.items()
            }
        if isinstance(value, list | tuple):
            sequence: list[object] | tuple[object, ...] = value  # pyright: ignore[reportUnknownVariableType]
            return [self._walk(item, hidden=hidden) for item in sequence]
        return value

    def _compiled(self) -> re.Pattern[str]:
        pattern = self._pattern
        if pattern is None:
            with self._lock:
                known = sorted(map(re.escape, self._short), key=len, reverse=True)
                pattern = self._pattern = re.compile("|".join([*known, *_PATTERNS]))
        return pattern


class Hidden(NamedTuple):
    """A place in a text that holds a secret.

    Args:
        start: Where what tells it begins, such as a name and an equals sign.
        cover: Where the secret itself begins.
        end: Where it ends.
    """

    start: int
    cover: int
    end: int


def _by_beginning(forms: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for form in forms:
        found.setdefault(form[:_LEAST], []).append(form)
    return found


def _first_begun(text: str, start: int, beginning: str, forms: Iterable[str]) -> int:
    """Where, from ``start`` on, the text ends with the beginning of one of these forms; else its end."""
    at = text.find(beginning, start)
    while at >= 0:
        if any(form.startswith(text[at:]) for form in forms):
            return at
        at = text.find(beginning, at + 1)
    return len(text)


def _joined(places: Iterable[Hidden]) -> Iterator[Hidden]:
    """Places in order, those that overlap made one."""
    last: Hidden | None = None
    for place in places:
        if last is None or place.start >= last.end:
            if last is not None:
                yield last
            last = place
        else:
            last = Hidden(last.start, min(last.cover, place.cover), max(last.end, place.end))
    if last is not None:
        yield last


def _hidden(match: re.Match[str]) -> Hidden:
    return Hidden(match.start(), match.start() + len(_kept(match)), match.end())


def _kept(match: re.Match[str]) -> str:
    groups = match.groupdict()
    kept = groups["keep1"] or groups["keep2"] or groups["keep3"] or groups["keep4"] or ""
    return kept + (groups["quote"] or "")


def _replace(match: re.Match[str]) -> str:
    return _kept(match) + REDACTED


redactor: Redactor = Redactor(waiting)
"""The redactor of the process: what is registered here, every sink leaves out."""
