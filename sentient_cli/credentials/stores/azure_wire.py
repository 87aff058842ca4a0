"""The part of the REST interface of Azure Key Vault that is used: what is sent, and what the answers mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.stores.web import Answer, Session
from sentient_cli.errors import CredentialStoreError
from sentient_cli.sanitize import sanitize_line

__all__ = ["KeyVault", "Versions", "Written"]

_API: Final = "api-version=7.4"
_PAGES: Final = 1000
_LONGEST: Final = 300
_OK: Final = 200
_FORBIDDEN: Final = 403
_MISSING: Final = 404
_SIGN_IN: Final = "Sign in with `az login`, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET"


class _Attributes(msgspec.Struct, frozen=True):
    enabled: bool = True
    created: int = 0


class _Entry(msgspec.Struct, frozen=True):
    id: str
    attributes: _Attributes = _Attributes()
    tags: dict[str, str] = {}


class _Page(msgspec.Struct, frozen=True, rename="camel"):
    value: list[_Entry] = []
    next_link: str | None = None


class _Bundle(msgspec.Struct, frozen=True):
    id: str
    value: str


class _Inner(msgspec.Struct, frozen=True):
    code: str = ""


class _Error(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""
    innererror: _Inner | None = None


class _Failure(msgspec.Struct, frozen=True):
    error: _Error = _Error()


_Shape = TypeVar("_Shape", _Page, _Bundle, _Entry)


class Written(NamedTuple):
    """A version of a secret, without its value.

    Args:
        version: Its id, which the service has made.
        created: When it was made, in whole seconds of the service's clock.
        enabled: Whether its value can be read.
        tags: What we have told about it.
    """

    version: str
    created: int
    enabled: bool
    tags: Mapping[str, str]


class Versions(NamedTuple):
    """All versions of a secret.

    Args:
        now: What the time is there, in whole seconds.
        versions: In no order.
    """

    now: int
    versions: tuple[Written, ...]


class KeyVault:
    """Asks one vault.

    Args:
        session: Where requests go.
        token: Whose they are.
        address: Where it is.
    """

    def __init__(self, session: Session, token: Secret, address: str) -> None:
        self._session = session
        self._headers = {"Authorization": f"Bearer {token.reveal()}"}
        self._place = urlsplit(address)

    def versions(self, name: str) -> Versions:
        """All versions of a secret; none when there is no such secret.

        Raises:
            CredentialStoreError: they cannot be listed.
        """
        found: list[Written] = []
        now = 0
        for answer, page in self._pages(f"/secrets/{name}/versions?{_API}"):
            now = now or _time_of(answer)
            found += [
                Written(entry.id.rpartition("/")[2], entry.attributes.created, entry.attributes.enabled, entry.tags)
                for entry in page.value
            ]
        return Versions(now, tuple(found))

    def read(self, name: str, version: str) -> Secret | None:
        """The value of a version; None: it is not there, or not enabled any more.

        Raises:
            CredentialStoreError: it cannot be read.
        """
        answer = self._send("GET", f"/secrets/{name}/{version}?{_API}")
        if answer.status == _MISSING or _inner(answer) == "SecretDisabled":
            return None
        return Secret(self._required(answer, _Bundle).value)

    def write(self, name: str, text: str, tags: Mapping[str, str]) -> Written:
        """Make a version.

        Raises:
            CredentialStoreError: it cannot be made, or this is not known.
        """
        entry = self._required(self._send("PUT", f"/secrets/{name}?{_API}", {"value": text, "tags": tags}), _Entry)
        return Written(entry.id.rpartition("/")[2], entry.attributes.created, enabled=True, tags=entry.tags)

    def disable(self, name: str, version: str) -> None:
        """Have the value of a version be read no more.

        Raises:
            CredentialStoreError: this may not be done.
        """
        body = {"attributes": {"enabled": False}}
        answer = self._send("PATCH", f"/secrets/{name}/{version}?{_API}", body)
        if answer.status not in {_OK, _MISSING}:
            raise self._failed(answer)

    def names(self) -> Iterator[str]:
        """The names of all secrets.

        Raises:
            CredentialStoreError: they cannot be listed.
        """
        for _, page in self._pages(f"/secrets?{_API}"):
            yield from (entry.id.rstrip("/").rpartition("/")[2] for entry in page.value)

    def _pages(self, path: str) -> Iterator[tuple[Answer, _Page]]:
        for _ in range(_PAGES):
            answer = self._send("GET", path)
            page = _Page() if answer.status == _MISSING else self._required(answer, _Page)
            yield answer, page
            if page.next_link is None:
                return
            path = self._here(page.next_link)

    def _here(self, link: str) -> str:
        """The path of a link, which must lead nowhere else."""
        parts = urlsplit(link)
        if (parts.scheme, parts.netloc) != (self._place.scheme, self._place.netloc):
            raise CredentialStoreError(
                "Key Vault wants the next page to be asked for elsewhere",
                why="A credential is sent to nobody but whom the settings name",
                fix="Check the address in [credentials.azure]",
            )
        return f"{parts.path.removeprefix(self._place.path.rstrip('/'))}?{parts.query}"

    def _send(self, method: str, path: str, body: object = None) -> Answer:
        return self._session.send(method, path, headers=self._headers, body=body)

    def _required(self, answer: Answer, shape: type[_Shape]) -> _Shape:
        if answer.status != _OK:
            raise self._failed(answer)
        found = answer.read(shape)
        if found is None:
            raise CredentialStoreError(
                "Key Vault answers something else",
                why="It is not what was asked for",
                fix="Check the address in [credentials.azure]: something else may be there",
            )
        return found

    def _failed(self, answer: Answer) -> CredentialStoreError:
        error = (answer.read(_Failure) or _Failure()).error
        inner = error.innererror.code if error.innererror is not None else ""
        message = sanitize_line(error.message)[:_LONGEST].rstrip(". ")
        why = ": ".join(each for each in (sanitize_line(inner or error.code)[:_LONGEST], message) if each)
        why = why or f"It answered {answer.status}"
        match answer.status:
            case 401:
                return CredentialStoreError("Key Vault does not take this sign-in, or not any more", fix=_SIGN_IN)
            case 403:
                fix = (
                    "Give whoever signs in the role `Key Vault Secrets Officer`, and let the firewall pass this machine"
                )
                return CredentialStoreError("Key Vault does not allow this", why=why, fix=fix)
            case 409:
                fix = "Have it recovered or purged: `az keyvault secret recover` or `purge`, then try again"
                return CredentialStoreError("The secret was deleted, and is kept to be recovered", why=why, fix=fix)
            case 429:
                return CredentialStoreError(
                    "Key Vault gets too many requests", why=why, fix="Wait a moment, then try again"
                )
            case _:
                return CredentialStoreError("Key Vault refuses this", why=why, fix="Do what it says, then try again")


def _inner(answer: Answer) -> str:
    if answer.status != _FORBIDDEN:
        return ""
    failure = answer.read(_Failure)
    return failure.error.innererror.code if failure is not None and failure.error.innererror is not None else ""


def _time_of(answer: Answer) -> int:
    try:
        return int(parsedate_to_datetime(answer.headers.get("date", "")).timestamp())
    except (ValueError, TypeError, OverflowError):
        raise CredentialStoreError(
            "Key Vault does not say what the time is",
            why="Its answer has no `Date`, by which later changes are told from earlier ones",
            fix="Check the address in [credentials.azure]: something else may be there",
        ) from None
