"""The root of the tree of errors, and what any part of the package may raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AddressInUseError",
    "AddressNotAllowedError",
    "AuditError",
    "ConfigError",
    "ConfigurationNotFoundError",
    "CredentialConflictError",
    "CredentialHostError",
    "CredentialNotFoundError",
    "CredentialStoreError",
    "DifferenceFoundError",
    "InternalError",
    "NetworkError",
    "ProjectNameError",
    "SentientError",
    "UpdateConflictError",
    "UsageError",
    "UserInterruptError",
]


_PUBLIC = "sentient_cli.errors"


class Told(TypedDict, total=False):
    """What every error can be given besides what happened; for those that take more."""

    why: str
    fix: str
    detail: str


class SentientError(Exception):
    """The root of every error of this package.

    Args:
        what: What happened, one sentence without a final full stop.
        why: The reason, when it is known.
        fix: What the reader can do, as an instruction; may hold a command.
        detail: Longer material, such as the frames of the user's own code; shown below the rest.

    Example:
        >>> error = SentientError("The file is gone", fix="Restore it")
        >>> error.code, error.exit_code, str(error)
        ('failed', 1, 'The file is gone. Restore it.')
    """

    code: ClassVar[str] = "failed"
    """A stable name in kebab case; each has a place in the documentation."""
    exit_code: ClassVar[int] = 1
    """What the process ends with when this error reaches ``main()``."""

    def __init_subclass__(cls, *, code: str | None = None, exit_code: int | None = None) -> None:
        super().__init_subclass__()
        _shown_as_public(cls)
        cls.code = code or cls.code
        cls.exit_code = cls.exit_code if exit_code is None else exit_code

    def __init__(self, what: str, *, why: str = "", fix: str = "", detail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix
        self.detail = detail

    def __str__(self) -> str:
        parts = (self.what, self.why, self.fix)
        return " ".join(part if part.endswith((".", "?", "!", "`")) else f"{part}." for part in parts if part)

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions rebuild themselves from `args` alone, which would lose the keyword fields and those of subclasses.
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _shown_as_public(cls: type[SentientError]) -> None:
    """Let a traceback and a pickle name the public place of a class, wherever in this package it is written."""
    if cls.__module__.startswith(f"{_PUBLIC}."):
        cls.__module__ = _PUBLIC


_shown_as_public(SentientError)


def _rebuild(cls: type[SentientError], args: tuple[object, ...], state: dict[str, object]) -> SentientError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


def faults_told(faults: Mapping[str, str]) -> str:
    """What is wrong, place by place, in one line."""
    return "; ".join(f"{path}: {fault}" if path else fault for path, fault in faults.items())


class UsageError(SentientError, code="usage", exit_code=2):
    """The command was called in a way that it does not understand."""


class ProjectNameError(UsageError, code="project-name"):
    """A project cannot have this name: no Python package could be called after it."""


class ConfigError(SentientError, code="config", exit_code=3):
    """A setting is missing, malformed or contradictory.

    Args:
        what: What happened.
        why: The reason.
        fix: What the reader can do.
        detail: Longer material.
        where: The place that is at fault, such as a file with its line; for programs, as ``why`` tells people.

    Example:
        >>> ConfigError("The port is wrong", where="sentient.toml:3").where
        'sentient.toml:3'
    """

    def __init__(self, what: str, *, why: str = "", fix: str = "", detail: str = "", where: str = "") -> None:
        super().__init__(what, why=why, fix=fix, detail=detail)
        self.where = where


class ConfigurationNotFoundError(ConfigError, code="config-not-found"):
    """A named configuration (profile, preset, file) does not exist."""


class CredentialNotFoundError(ConfigError, code="credential-not-found"):
    """No credential was found for a provider that needs one."""


class CredentialHostError(ConfigError, code="credential-host"):
    """A credential may not be sent to the host that settings name; its user has to allow it first."""


class CredentialStoreError(ConfigError, code="credential-store"):
    """A credential store cannot be used: it is not there, is locked, refuses, is sealed, or does not answer."""


class CredentialConflictError(CredentialStoreError, code="credential-conflict"):
    """A credential was changed by somebody else meanwhile; nothing was changed."""


class AuditError(SentientError, code="audit", exit_code=3):
    """The audit log could not be kept, or is not as it was signed: whoever has to be told to it hands out nothing."""


class NetworkError(SentientError, code="network", exit_code=4):
    """A connection could not be made, or broke and could not be resumed."""


class AddressInUseError(NetworkError, code="address-in-use"):
    """The port to listen on is taken."""


class AddressNotAllowedError(NetworkError, code="address-not-allowed"):
    """The address or port may not be listened on: privileged, not of this machine, or public without protection."""


class DifferenceFoundError(SentientError, code="difference", exit_code=6):
    """A comparison was asked for and its sides differ."""


class UpdateConflictError(DifferenceFoundError, code="update-conflict"):
    """A template and its project changed the same lines: they are marked, and wait for a decision."""


class InternalError(SentientError, code="internal"):
    """A bug of this package: an exception that nobody expected."""


class UserInterruptError(SentientError, code="interrupted", exit_code=130):
    """The user interrupted the command."""
