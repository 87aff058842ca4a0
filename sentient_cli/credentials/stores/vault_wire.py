"""The part of the KV secrets engine, version 2, that is used: what is sent, and what the answers mean."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.stores.web import Answer, Session
from sentient_cli.errors import CredentialStoreError
from sentient_cli.sanitize import sanitize_line

__all__ = ["KeyValue", "State"]

_LONGEST: Final = 200
_OK: Final = frozenset({200, 204})
_REFUSED: Final = 400
_DENIED: Final = 403
_MISSING: Final = 404
_LIMITED: Final = 429
_UNAVAILABLE: Final = 503


class _Errors(msgspec.Struct, frozen=True):
    errors: list[str] = []


class _Data(msgspec.Struct, frozen=True):
    text: str | None = None
    change: str = ""


class _About(msgspec.Struct, frozen=True):
    version: int
    created_time: str
    destroyed: bool = False
    deletion_time: str = ""


class _Read(msgspec.Struct, frozen=True):
    metadata: _About
    data: _Data | None = None


class _ReadAnswer(msgspec.Struct, frozen=True):
    data: _Read


class _WrittenAnswer(msgspec.Struct, frozen=True):
    data: _About


class _Keys(msgspec.Struct, frozen=True):
    keys: list[str]


class _KeysAnswer(msgspec.Struct, frozen=True):
    data: _Keys


class _Version(msgspec.Struct, frozen=True):
    destroyed: bool = False
    deletion_time: str = ""


class _Versions(msgspec.Struct, frozen=True):
    current_version: int
    versions: dict[str, _Version] = {}


class _VersionsAnswer(msgspec.Struct, frozen=True):
    data: _Versions


class _Mount(msgspec.Struct, frozen=True):
    type: str = ""
    options: dict[str, str] | None = None


class _MountAnswer(msgspec.Struct, frozen=True):
    data: _Mount


class _Health(msgspec.Struct, frozen=True):
    sealed: bool = False
    initialized: bool = True


class State(NamedTuple):
    """What there is at a path.

    Args:
        text: The text; None: nothing, or something that was deleted.
        version: Its number, which a change names; 0: there never was one.
        created: When that version was made, as the service writes it.
        change: What the version calls the change that made it.
    """

    text: Secret | None = None
    version: int = 0
    created: str = ""
    change: str = ""

    @property
    def revision(self) -> str:
        """What a change has to name: a number alone begins anew where everything of a path is removed."""
        return "" if self.text is None else f"{self.version}@{self.created}"


class KeyValue:
    """Asks one mount.

    Args:
        session: Where requests go.
        token: Whose they are.
        mount: Where the engine is mounted.
        namespace: The namespace; empty: none.
    """

    def __init__(self, session: Session, token: Secret, mount: str, namespace: str) -> None:
        self._session = session
        self._mount = mount
        self._headers = {"X-Vault-Token": token.reveal(), "X-Vault-Request": "true"}
        if namespace:
            self._headers["X-Vault-Namespace"] = quote(namespace)

    def read(self, path: str, version: int = 0) -> State:
        """What there is at a path.

        Args:
            path: Below the mount.
            version: Which version; 0: the current one.

        Raises:
            CredentialStoreError: it cannot be read.
        """
        answer = self._send("GET", "data", path, f"?version={version}" if version else "")
        found = answer.read(_ReadAnswer)
        if answer.status == _MISSING and found is None:
            self._require_mount(answer)
            return State()
        if answer.status not in {*_OK, _MISSING}:
            raise self._failed(answer, "read")
        if found is None:
            raise self._not_ours(path)
        about, data = found.data.metadata, found.data.data
        dead = about.destroyed or data is None
        if data is not None and data.text is None and not data.change:
            raise self._not_ours(path)
        text = None if dead or data is None or data.text is None else Secret(data.text)
        return State(text, about.version, about.created_time, data.change if data is not None else "")

    def write(self, path: str, text: str | None, change: str, version: int) -> int | None:
        """Make a version, if the one that is expected is the current one.

        Args:
            path: Below the mount.
            text: What it holds; None: it says that nothing is there any more.
            change: What to call the change.
            version: The one that is expected; 0: none.

        Returns:
            Its number; None: it was refused, most often because another version is the current one.

        Raises:
            CredentialStoreError: it cannot be made, or this is not known.
        """
        data = {"change": change} if text is None else {"text": text, "change": change}
        answer = self._send("POST", "data", path, body={"options": {"cas": version}, "data": data})
        if answer.status == _REFUSED:
            return None
        written = answer.read(_WrittenAnswer)
        if answer.status not in _OK or written is None:
            raise self._failed(answer, "written")
        return written.data.version

    def destroy(self, path: str, last: int) -> None:
        """Have nothing left of all versions up to one.

        Raises:
            CredentialStoreError: something may be left of them.
        """
        found = self._about(path)
        known = found.versions if found is not None else {}
        left = [int(number) for number, each in known.items() if not each.destroyed and int(number) <= last]
        if left:
            answer = self._send("PUT", "destroy", path, body={"versions": sorted(left)})
            if answer.status not in _OK:
                raise self._failed(answer, "destroyed")

    def holds(self, path: str) -> bool:
        """Whether there is something at a path, without reading it."""
        found = self._about(path)
        version = found.versions.get(str(found.current_version)) if found is not None else None
        return version is not None and not version.destroyed and not version.deletion_time

    def names(self, folder: str) -> list[str]:
        """What is in a folder; folders end with a slash."""
        answer = self._send("GET", "metadata", folder, "?list=true")
        if answer.status == _MISSING:
            self._require_mount(answer)
            return []
        found = answer.read(_KeysAnswer)
        if answer.status not in _OK or found is None:
            raise self._failed(answer, "listed")
        return found.data.keys

    def require_versions(self) -> None:
        """See that the engine keeps versions, where this token may know it.

        Raises:
            CredentialStoreError: it is another engine, or its first version, which knows no conditions.
        """
        path = f"/v1/sys/internal/ui/mounts/{quote(self._mount)}"
        found = self._session.send("GET", path, headers=self._headers).read(_MountAnswer)
        if found is None:
            return
        version = (found.data.options or {}).get("version", "1")
        if found.data.type != "kv" or version != "2":
            raise CredentialStoreError(
                f"The mount {self._mount!r} is no KV engine of version 2",
                why="Without versions two writers would overwrite each other",
                fix="Name another one with `mount`, or run `bao secrets enable -path=NAME kv-v2`",
            )

    def _about(self, path: str) -> _Versions | None:
        answer = self._send("GET", "metadata", path)
        if answer.status == _MISSING:
            self._require_mount(answer)
            return None
        found = answer.read(_VersionsAnswer)
        if answer.status not in _OK or found is None:
            raise self._failed(answer, "listed")
        return found.data

    def _send(self, method: str, kind: str, path: str, query: str = "", body: object = None) -> Answer:
        target = f"/v1/{quote(self._mount)}/{kind}/{quote(path)}{query}"
        return self._session.send(method, target, headers=self._headers, body=body)

    def _require_mount(self, answer: Answer) -> None:
        if _told(answer):  # what is only not there is said without a word
            raise CredentialStoreError(
                f"There is no mount {self._mount!r}, or this token may not know of it",
                why=_told(answer),
                fix="Name the KV engine with `mount` in [credentials.vault], and its namespace with `namespace`",
            )

    def _not_ours(self, path: str) -> CredentialStoreError:
        return CredentialStoreError(
            f"What is at {self._mount}/{path} was not put there by this program",
            why="It has no `text`, or the mount is no KV engine of version 2",
            fix="Choose another `prefix` in [credentials.vault], or remove what is there",
        )

    def _failed(self, answer: Answer, what: str) -> CredentialStoreError:
        if answer.status == _DENIED:
            return self._denied(what)
        if answer.status == _UNAVAILABLE:
            return self._unavailable()
        if answer.status == _LIMITED:
            return CredentialStoreError(
                "Too many requests for this service", why=_told(answer), fix="Wait a moment, then try again"
            )
        return CredentialStoreError(
            f"The secret could not be {what}",
            why=_told(answer) or f"The service answered {answer.status}",
            fix="Look into the log of the service",
        )

    def _denied(self, what: str) -> CredentialStoreError:
        token = self._session.send("GET", "/v1/auth/token/lookup-self", headers=self._headers)
        if token.status == _DENIED:
            return CredentialStoreError(
                "The token is not valid, or not any more",
                why="The service does not know it: it may have expired, or been revoked",
                fix="Sign in anew, such as with `bao login` or `vault login`, or set BAO_TOKEN",
            )
        return CredentialStoreError(
            f"The secret may not be {what} with this token",
            why="Its policies do not allow it",
            fix=f"Allow it in a policy for {self._mount}/data, {self._mount}/metadata and {self._mount}/destroy",
        )

    def _unavailable(self) -> CredentialStoreError:
        health = self._session.send("GET", "/v1/sys/health", headers={}, attempts=1).read(_Health) or _Health()
        if not health.initialized:
            return CredentialStoreError("The service is not set up yet", fix="Run `bao operator init` once")
        if health.sealed:
            return CredentialStoreError(
                "The service is sealed",
                why="It was started or sealed, and nobody has unsealed it since",
                fix="Have it unsealed with `bao operator unseal`",
            )
        return CredentialStoreError("The service cannot answer now", fix="Try again, and look into its log")


def _told(answer: Answer) -> str:
    errors = answer.read(_Errors)
    return sanitize_line("; ".join(errors.errors))[:_LONGEST] if errors is not None else ""
