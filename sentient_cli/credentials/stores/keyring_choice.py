"""Which keyring is used: only one that keeps secrets from others, whatever the machine is set to.

``PYTHON_KEYRING_BACKEND`` and ``keyringrc.cfg`` choose among those that are allowed. One that they name and that is not
is refused, and nothing takes its place: its user would look for the keys in vain.
"""

from __future__ import annotations

import configparser
import importlib
from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol, cast

from sentient_cli.credentials.stores.web_agreed import refuse_exported
from sentient_cli.errors import CredentialStoreError
from sentient_cli.sanitize import sanitize_line

__all__ = ["ALLOWED", "INSTEAD", "Backend", "Chosen", "choose"]


class Backend(Protocol):
    """What is used of a keyring."""

    def get_password(self, service: str, username: str) -> str | None:
        """What is there."""
        ...

    def set_password(self, service: str, username: str, password: str) -> None:
        """Put something there."""
        ...

    def delete_password(self, service: str, username: str) -> None:
        """Remove what is there."""
        ...


class Chosen(NamedTuple):
    """A keyring.

    Args:
        backend: What is called.
        name: What it is, for people.
        limit: Bytes of UTF-16 that an entry holds; 0: as many as needed.
        replaces: Whether it puts a new text in the place of an old one at once, and does not remove that first.
    """

    backend: Backend
    name: str
    limit: int = 0
    replaces: bool = True


class _Kind(NamedTuple):
    name: str
    limit: int = 0
    replaces: bool = True


ALLOWED: Final[Mapping[str, _Kind]] = {
    "keyring.backends.SecretService.Keyring": _Kind("Secret Service"),
    "keyring.backends.libsecret.Keyring": _Kind("Secret Service by libsecret"),
    "keyring.backends.kwallet.DBusKeyring": _Kind("KWallet"),
    "keyring.backends.kwallet.DBusKeyringKWallet4": _Kind("KWallet 4"),
    "keyring.backends.macOS.Keyring": _Kind("macOS Keychain", replaces=False),
    "keyring.backends.Windows.WinVaultKeyring": _Kind("Windows Credential Manager", limit=2400),
}
"""By class. https://learn.microsoft.com/windows/win32/api/wincred/ns-wincred-credentialw: 2560 bytes are the most."""

_CHAINER: Final = "keyring.backends.chainer.ChainerBackend"
_VARIABLE: Final = "PYTHON_KEYRING_BACKEND"
_LONGEST: Final = 160
INSTEAD: Final = (
    "Start and unlock a keyring such as GNOME Keyring, KWallet or KeePassXC,"
    " or keep keys in the encrypted file: run `sentient config set --user credentials.stores encrypted`"
)
"""What to do without a keyring."""


def choose(environment: Mapping[str, str]) -> Chosen:
    """The keyring to use. May start a service, and wait for it.

    Args:
        environment: The environment of this process.

    Raises:
        CredentialStoreError: there is none that is allowed, or the machine is set to one that is not.
    """
    refuse_exported("a keyring", "DBUS_SESSION_BUS_ADDRESS")  # it may be on another machine
    named, where = _named(environment)
    if not named:
        return _best()
    if named == _CHAINER:
        named, where = _first_of_chain(), f"the first of the chain that {where} names"
    if named not in ALLOWED:
        raise CredentialStoreError(
            f"The keyring {sanitize_line(named)[:_LONGEST]!r} is not used",
            why=f"It does not keep secrets from others, or is not known here; it is {where}",
            fix=f"Name one of these, or none: {', '.join(ALLOWED)}. {INSTEAD}",
        )
    try:
        return _made(named)
    except Exception as error:  # noqa: BLE001 - whatever a foreign module raises
        raise _none(f"{named} is {where}, and cannot be used: {_said(error)}") from None


def _named(environment: Mapping[str, str]) -> tuple[str, str]:
    named = environment.get(_VARIABLE, "").strip()
    if named:
        return named, f"what the variable {_VARIABLE} names"
    from keyring.util.platform_ import config_root  # noqa: PLC0415 - keyring is loaded on first use

    file = config_root() / "keyringrc.cfg"
    settings = configparser.RawConfigParser()
    try:
        settings.read(file, encoding="utf-8")
    except (configparser.Error, UnicodeError, OSError):
        raise CredentialStoreError(
            f"{file} is not understood", why="It says which keyring is used", fix="Correct it, or remove it"
        ) from None
    return settings.get("backend", "default-keyring", fallback="").strip(), f"what {file} names"


def _best() -> Chosen:
    found: list[tuple[float, Chosen]] = []
    faults: dict[str, None] = {}
    for path in ALLOWED:
        try:
            chosen = _made(path)
            found.append((cast("float", getattr(chosen.backend, "priority", 0)), chosen))
        except Exception as error:  # noqa: BLE001 - whatever a foreign module raises
            faults[f"{ALLOWED[path].name} ({_said(error)})"] = None
    if not found:
        raise _none("; ".join(faults))
    return max(found, key=lambda each: each[0])[1]


def _made(path: str) -> Chosen:
    module, _, name = path.rpartition(".")
    kind: type[Backend] = getattr(importlib.import_module(module), name)
    _ = getattr(kind, "priority")  # noqa: B009 - raises where it cannot be used
    return Chosen(kind(), *ALLOWED[path])


def _first_of_chain() -> str:
    from keyring.backends.chainer import ChainerBackend  # noqa: PLC0415 - loads the plug-ins of others

    members = cast("list[object]", ChainerBackend.backends)
    kind = type(members[0]) if members else None
    return f"{kind.__module__}.{kind.__qualname__}" if kind is not None else "keyring.backends.fail.Keyring"


def _said(error: Exception) -> str:
    return sanitize_line(str(error) or type(error).__name__)[:_LONGEST].rstrip(".")


def _none(why: str) -> CredentialStoreError:
    return CredentialStoreError("There is no keyring that can be used", why=why, fix=INSTEAD)
