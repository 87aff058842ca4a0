"""The credentials that settings describe: for commands, for models, and for programs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sentient_cli import paths
from sentient_cli.audit import AuditLog, AuditPlaces
from sentient_cli.clock import Clock, Ids
from sentient_cli.config.environ import process_environment
from sentient_cli.config.settings import Settings
from sentient_cli.credentials.bindings import Bindings, Chosen, Named
from sentient_cli.credentials.look_up import Variables
from sentient_cli.credentials.manager import CredentialManager
from sentient_cli.credentials.opening import open_stores, policy_of, variables_of
from sentient_cli.credentials.users_own import own_tables
from sentient_cli.llm.providers.destinations import hosts_to_bind
from sentient_cli.llm.providers.factory import kind_of
from sentient_cli.llm.providers.kinds import KINDS

if TYPE_CHECKING:
    from sentient_cli.config import Loaded
    from sentient_cli.credentials.stores.passphrases import PassphraseSource

__all__ = ["credentials_of", "credentials_of_settings", "open_credentials", "profile_of"]

_logger = logging.getLogger(__name__)


def open_credentials(project: Path | None = None, *, profile: str | None = None) -> CredentialManager:
    """The credentials of this user, as the settings of a project say.

    Args:
        project: Where to look for the project, upward from there; the current directory unless given.
        profile: The profile that is meant; the one that was chosen unless given.

    Raises:
        ConfigError: settings cannot be read, or a setting is wrong.
        UsageError: no profile can be called so.

    Example:
        >>> with open_credentials(profile="staging") as credentials:
        ...     credentials.profile, credentials.list()
        ('staging', ())
    """
    from sentient_cli.config import load  # noqa: PLC0415 - who has read the settings needs it not

    return credentials_of(load(project=project), profile=profile)


def credentials_of(
    loaded: Loaded,
    *,
    profile: str | None = None,
    ask: PassphraseSource | None = None,
    clock: Clock | None = None,
    ids: Ids | None = None,
    tell: Callable[[str], None] = _logger.warning,
) -> CredentialManager:
    """The same for settings that were read.

    Args:
        loaded: The settings, and where they come from.
        profile: The profile that is meant, as a flag gives it.
        ask: Asks for the passphrase of the encrypted file.
        clock: What the time is.
        ids: Where ids of versions come from.
        tell: Is told what people should know.

    Raises:
        UsageError: no profile can be called so.
        CredentialStoreError: the choice of profiles cannot be read.
    """
    settings = loaded.settings
    chosen = profile_of(loaded, profile)
    path = loaded.env_file
    return CredentialManager(
        open_stores(settings.credentials, loaded.environment, ask),
        profile=chosen.profile,
        refusal=chosen.refusal,
        policy=policy_of(settings.credentials),
        variables=_variables(settings, loaded.environment, path),
        hosts_of=_hosts_of(settings),
        audit=AuditLog(AuditPlaces.of_this_user(settings.audit.checkpoint)),
        clock=clock,
        ids=ids,
        tell=tell,
    )


def profile_of(loaded: Loaded, profile: str | None = None) -> Chosen:
    """The profile whose credentials are meant, and why.

    Args:
        loaded: The settings, and where they come from.
        profile: The profile that is meant, as a flag gives it.

    Raises:
        UsageError: no profile can be called so.
        CredentialStoreError: the choice of profiles cannot be read.
    """
    project = loaded.project_dir or Path.cwd()
    if profile:
        return Bindings().chosen(project, named=Named(profile, "--profile"))
    return _chosen(loaded.settings, str(loaded.sources["profile"]), project)


def credentials_of_settings(
    settings: Settings, environment: Mapping[str, str] | None, project: Path | None
) -> CredentialManager:
    """The same where only the settings themselves are known.

    Args:
        settings: All of them.
        environment: The variables; None: those of this process.
        project: The directory of the project; None: the current one.

    Raises:
        UsageError: no profile can be called so.
        CredentialStoreError: the choice of profiles cannot be read.
    """
    environment = process_environment() if environment is None else environment
    chosen = _chosen(settings, "its settings", project or Path.cwd())
    return CredentialManager(
        open_stores(settings.credentials, environment),
        profile=chosen.profile,
        refusal=chosen.refusal,
        policy=policy_of(settings.credentials),
        variables=_variables(settings, environment, None),
        hosts_of=_hosts_of(settings),
        audit=AuditLog(AuditPlaces.of_this_user(settings.audit.checkpoint)),
    )


def _chosen(settings: Settings, where: str, project: Path) -> Chosen:
    now, by = Named(settings.profile, where), settings.profile_by
    in_a_program = by == "nobody" and settings.profile != "default"
    return Bindings().chosen(
        project,
        named=now if by == "call" or in_a_program else None,
        own=_own_profile() if by in {"user", "project"} else None,
        proposed=now if by == "project" else None,
    )


def _own_profile() -> Named | None:
    """The profile that this user's own settings name, though a project may name another one over it."""
    named = next(own_tables()).get("profile")
    return Named(named, str(paths.user_config_file())) if isinstance(named, str) and named else None


def _variables(settings: Settings, environment: Mapping[str, str], env_file: Path | None) -> Callable[[str], Variables]:
    from sentient_cli.config.envfile import read_env_file  # noqa: PLC0415 - only where there is one

    return variables_of(
        lambda name: _known(settings, name),
        lambda name: _named(settings, name),
        environment,
        read_env_file(env_file) if env_file is not None else {},
        str(env_file or ".env"),
    )


def _hosts_of(settings: Settings) -> Callable[[str], tuple[str, ...]]:
    return lambda provider: hosts_to_bind(provider, settings.llm.providers.get(provider))


def _known(settings: Settings, name: str) -> tuple[str, ...]:
    table = settings.llm.providers.get(name)
    if table is not None and table.base_url is not None:
        return ()  # the key of a vendor is no business of another server
    kind = KINDS.get(kind_of(name, table))
    return kind.variables if kind is not None else ()


def _named(settings: Settings, name: str) -> tuple[str, ...]:
    table = settings.llm.providers.get(name)
    return table.api_key_env if table is not None else ()
