"""Azure Key Vault as far as its documentation says what the REST interface of secrets does.

https://learn.microsoft.com/rest/api/keyvault/secrets/operation-groups
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, urlsplit

from tests.support.llm_server import Answer, LLMServer, Received, as_json
from tests.support.wire import PATIENCE, as_object, dig

__all__ = ["TOKEN", "KeyVaultFake"]

TOKEN = "token-of-the-tests-0123456789"
_CLOCK = "/tests/clock/"
_SECONDS = 1_900_000_000
_PAGE = 25
_LARGEST = 25_600
_NAME: Final = re.compile(r"[0-9a-zA-Z-]{1,127}")


@dataclass
class _Version:
    id: str
    value: str
    created: int
    tags: dict[str, str]
    enabled: bool = True


@dataclass
class _Stored:
    versions: list[_Version] = field(default_factory=list[_Version])
    deleted: bool = False


class KeyVaultFake:
    """A vault. Use `server` as its service.

    Args:
        live: Whether its clock goes; else it stands still, and is set forward with `pause`.
    """

    def __init__(self, *, live: bool = False) -> None:
        self.server = LLMServer(self._answer)
        self._live_clock = live
        self._now = _SECONDS
        self.secrets: dict[str, _Stored] = {}
        self.before: Callable[[str, str], Answer | None] = lambda _method, _path: None
        """Called before each request; what it answers stands."""
        self.forbidden: set[str] = set()
        """Methods that whoever signs in may not use."""
        self.lost: list[str] = []
        """Methods of which the next answer gets lost, once each."""
        self.next_ids: list[str] = []
        """The ids of the next versions, where a test depends on them."""
        self._lock = threading.RLock()

    @property
    def now(self) -> int:
        """What the time is, in whole seconds."""
        return int(time.time()) if self._live_clock else self._now

    def pause(self, seconds: float) -> None:
        """Have time go by."""
        with self._lock:
            self._now += max(1, round(seconds))

    def pause_from_afar(self, seconds: float) -> None:
        """The same from another process."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("PUT", f"{_CLOCK}{seconds}")
            connection.getresponse().read()

    def _answer(self, received: Received) -> Answer:
        parts = urlsplit(received.path)
        if parts.path.startswith(_CLOCK):  # for those that are in another process
            self.pause(float(parts.path.removeprefix(_CLOCK)))
            return as_json({})
        query = parse_qs(parts.query)
        refused = self.before(received.method, parts.path) or self._refused(received, query)
        if refused is not None:
            return self._dated(refused)
        with self._lock:
            answer = self._dated(self._routed(received, parts.path.strip("/").split("/"), query))
        if received.method in self.lost:
            self.lost.remove(received.method)
            return Answer(b"", cut=0, how="reset")
        return answer

    def _refused(self, received: Received, query: dict[str, list[str]]) -> Answer | None:
        if query.get("api-version") != ["7.4"]:
            return _error(400, "BadParameter", "api-version")
        if received.headers.get("authorization") != f"Bearer {TOKEN}":
            challenge = 'Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"'
            refused = _error(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
            return Answer(refused.body, 401, {"WWW-Authenticate": challenge}, "application/json")
        if received.method in self.forbidden:
            return _error(403, "Forbidden", "Caller is not authorized", "ForbiddenByRbac")
        return None

    def add(self, name: str, id_: str, value: str, created: int, **tags: str) -> None:
        """Have somebody else make a version."""
        with self._lock:
            self.secrets.setdefault(name, _Stored()).versions.append(_Version(id_, value, created, tags))

    def _dated(self, answer: Answer) -> Answer:
        headers = {"Date": email.utils.formatdate(self.now, usegmt=True), **answer.headers}
        return Answer(answer.body, answer.status, headers, answer.content_type, how=answer.how, cut=answer.cut)

    def _routed(self, received: Received, path: list[str], query: dict[str, list[str]]) -> Answer:
        match received.method, path:
            case "GET", ["secrets"]:
                shown = [(name, each.versions[-1]) for name, each in self.secrets.items() if not each.deleted]
                return self._page([self._about(name, each, "") for name, each in shown], "secrets", query)
            case "GET", ["secrets", name, "versions"]:
                stored = self._live(name)
                entries = [self._about(name, each, each.id) for each in stored.versions] if stored else []
                return self._page(entries, f"secrets/{name}/versions", query) if stored else _missing(name)
            case "GET", ["secrets", name, version]:
                return self._read(name, version)
            case "PUT", ["secrets", name]:
                return self._written(name, received.json())
            case "PATCH", ["secrets", name, version]:
                return self._changed(name, version, received.json())
            case _:
                return _error(405, "MethodNotAllowed", "not in this fake")

    def _live(self, name: str) -> _Stored | None:
        stored = self.secrets.get(name)
        return None if stored is None or stored.deleted else stored

    def _link(self, path: str) -> str:
        return f"{self.server.url}/{path}"

    def _about(self, name: str, version: _Version, id_: str) -> dict[str, object]:
        place = f"secrets/{name}/{id_}" if id_ else f"secrets/{name}"
        attributes = {"enabled": version.enabled, "created": version.created, "updated": version.created}
        return {"id": self._link(place), "attributes": attributes, "tags": version.tags}

    def _page(self, entries: list[dict[str, object]], path: str, query: dict[str, list[str]]) -> Answer:
        begin = int(query.get("$skiptoken", ["0"])[0])
        rest = len(entries) > begin + _PAGE
        link = self._link(f"{path}?api-version=7.4&$skiptoken={begin + _PAGE}&maxresults={_PAGE}") if rest else None
        return as_json({"value": entries[begin : begin + _PAGE], "nextLink": link})

    def _read(self, name: str, id_: str) -> Answer:
        stored = self._live(name)
        version = next((each for each in stored.versions if each.id == id_), None) if stored else None
        if version is None:
            return _missing(name)
        if not version.enabled:
            return _error(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled")
        return as_json({**self._about(name, version, version.id), "value": version.value})

    def _written(self, name: str, told: dict[str, object]) -> Answer:
        stored = self.secrets.setdefault(name, _Stored())
        value, tags = str(told["value"]), as_object(told["tags"])
        if _NAME.fullmatch(name) is None or len(value.encode()) > _LARGEST:
            return _error(400, "BadParameter", "The value or the name is too long")
        if stored.deleted:
            said = f"Secret {name} is currently in a deleted but recoverable state"
            return _error(409, "Conflict", said, "ObjectIsDeletedButRecoverable")
        id_ = self.next_ids.pop(0) if self.next_ids else secrets.token_hex(16)
        version = _Version(id_, value, self.now, {key: str(text) for key, text in tags.items()})
        stored.versions.append(version)
        return as_json({**self._about(name, version, version.id), "value": value})

    def _changed(self, name: str, id_: str, told: dict[str, object]) -> Answer:
        stored = self._live(name)
        version = next((each for each in stored.versions if each.id == id_), None) if stored else None
        if version is None:
            return _missing(name)
        version.enabled = bool(dig(told, "attributes", "enabled"))
        return as_json(self._about(name, version, version.id))


def _error(status: int, code: str, message: str, inner: str = "") -> Answer:
    told: dict[str, object] = {"code": code, "message": message}
    return as_json({"error": {**told, "innererror": {"code": inner}} if inner else told}, status)


def _missing(name: str) -> Answer:
    return _error(404, "SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")
