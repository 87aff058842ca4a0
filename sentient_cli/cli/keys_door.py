"""What every command of ``sentient keys`` that needs stores begins with: settings, the profile, the manager."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from sentient_cli.errors import ConfigurationNotFoundError, CredentialNotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from sentient_cli.cli.invocation import Invocation
    from sentient_cli.config import Loaded
    from sentient_cli.config.secret import Secret
    from sentient_cli.credentials.destinations import Destination
    from sentient_cli.credentials.leases import Lease
    from sentient_cli.credentials.manager import CredentialManager

__all__ = ["Door", "ask_passphrase", "names_of", "no_such_profile", "open_door"]


class Door(NamedTuple):
    """The settings of a call, and the credentials that they describe.

    Args:
        here: The call.
        loaded: The settings.
        manager: The credentials.
        profile: The profile of credentials that is meant.
        why: Why it is the one.
    """

    here: Invocation
    loaded: Loaded
    manager: CredentialManager
    profile: str
    why: str

    def provider_of(self, name: str, named: str | None) -> str:
        """Whose key one of a name is; empty: nobody's in particular.

        Args:
            name: What the key is called.
            named: The value of --provider.

        Raises:
            UsageError: there is no such provider.
        """
        wanted = named or name
        if _is_provider(self.loaded, wanted):
            return wanted
        near = _near_provider(self.loaded, wanted)
        if named is not None:
            raise UsageError(
                f"There is no provider {named[:80]!r}",
                why=f"Did you mean `{near}`?" if near else "",
                fix=f"Describe it in [llm.providers.{named[:60]}], or take one of those in `sentient models --all`",
            )
        if near:
            self.here.console.warn(
                f"There is no provider {name!r}, so that none will use this key. Did you mean {near}?"
            )
        return ""

    def require_provider(self, name: str, known: str) -> str:
        """Whose key one of a name is.

        Raises:
            UsageError: nobody's.
        """
        provider = known or (name if _is_provider(self.loaded, name) else "")
        if provider:
            return provider
        near = _near_provider(self.loaded, name)
        raise UsageError(
            f"The key {name!r:.80} is nobody's in particular, so that it cannot be tried",
            why=f"Did you mean `{near}`?" if near else "",
            fix=f"Store it with `sentient keys set {name[:60]} --provider ID`",
        )

    def destination_of(self, provider: str) -> Destination:
        """Where the key of a provider would be sent."""
        from sentient_cli.llm.providers.destinations import destination_of

        return destination_of(provider, self.loaded.settings.llm.providers.get(provider))

    def check_destination(self, lease: Lease, provider: str, *, purpose: str) -> None:
        """See that what was handed out may be sent to a provider.

        Raises:
            CredentialHostError: it may not, or not where settings say that the provider is.
        """
        from sentient_cli.llm.providers.variables import require_variables

        destination = self.destination_of(provider)
        self.manager.check_destination(lease, destination, purpose=purpose)
        require_variables(
            filter(None, [lease.variable]),
            destination,
            lambda variable, there, owner: self.manager.note_refused(
                f"variable/{variable}", there, owner.hosts, purpose=purpose
            ),
        )

    def variables_of(self, provider: str) -> Sequence[str]:
        """The variables that a provider gets its key from."""
        from sentient_cli.llm.providers.factory import kind_of
        from sentient_cli.llm.providers.kinds import KINDS

        settings = self.loaded.settings.llm.providers.get(provider)
        kind = KINDS.get(kind_of(provider, settings))
        known = kind.variables if kind is not None else ()
        return (settings.api_key_env if settings is not None else ()) or known

    def require_profile(self, profile: str) -> None:
        """See that something is stored in a profile.

        Raises:
            CredentialNotFoundError: nothing is; it names near ones.
        """
        known = self.manager.catalogue.profiles()
        if profile not in known:
            raise no_such_profile(profile, known)


@contextmanager
def open_door(
    here: Invocation,
    profile: str | None,
    *,
    env_file: Path | None = None,
    no_env_file: bool = False,
    only_stores: bool = False,
) -> Generator[Door]:
    """Open the credentials of a call.

    Args:
        here: The call.
        profile: The value of --profile.
        env_file: The value of --env-file.
        no_env_file: Whether --no-env-file was given.
        only_stores: Whether variables do not count.

    Raises:
        ConfigError: the settings are wrong.
    """
    from dataclasses import replace

    import msgspec

    from sentient_cli.host.credentials import credentials_of, profile_of

    loaded = _loaded(here, profile, env_file=env_file, no_env_file=no_env_file)
    loaded = replace(loaded, project_dir=loaded.project_dir or here.project)
    chosen = profile_of(loaded, profile)
    with credentials_of(
        loaded,
        profile=profile,
        ask=lambda new: ask_passphrase(here, new=new),
        tell=lambda text: here.console.warn(text.rstrip(".")),
    ) as manager:
        if only_stores:
            manager.policy = msgspec.structs.replace(manager.policy, order=("stores",), default_profile=False)
        yield Door(here, loaded, manager, chosen.profile, chosen.why)


def names_of(only: Sequence[str] | None) -> list[str] | None:
    """The names that --only gives, with commas or repeated; None: it was not given.

    Raises:
        UsageError: a name cannot be.
    """
    if only is None:
        return None
    from sentient_cli.credentials.names import check_name

    return [check_name(name.strip()) for part in only for name in part.split(",") if name.strip()]


def no_such_profile(profile: str, known: Sequence[str]) -> CredentialNotFoundError:
    """The error of a profile in which nothing is stored, with near ones.

    Args:
        profile: Which.
        known: Those in which something is.
    """
    from difflib import get_close_matches

    near = get_close_matches(profile, known, 1)
    there = f"There are keys in: {', '.join(known[:10])}" if known else "No keys are stored yet"
    return CredentialNotFoundError(
        f"Nothing is stored in the profile {profile[:80]!r}",
        why=f"Did you mean `{near[0]}`?" if near else there,
        fix=f"Store a key in it with `sentient keys set NAME --profile {profile[:80]}`",
    )


def ask_passphrase(here: Invocation, *, new: bool, what: str = "the encrypted file") -> Secret:
    """Ask for a passphrase, twice for a new one.

    Raises:
        UsageError: nobody can be asked, or the two differ.
    """
    from sentient_cli.cli.keys_value import read_hidden
    from sentient_cli.config.secret import Secret
    from sentient_cli.credentials.stores.passphrases import SHORTEST
    from sentient_cli.redact import redactor

    if not here.console.interactive:
        at_one = "Run this at one" if new else "Run `sentient keys unlock` at one"
        raise UsageError(
            f"The passphrase of {what} is missing",
            why="There is no terminal to ask at",
            fix=f"{at_one}, or put it into a file that only you can read and run"
            " `sentient config set --user credentials.passphrase_file FILE`",
        )
    typed = read_hidden(here, f"{'New passphrase' if new else 'Passphrase'} of {what}")
    redactor.register(typed)
    if new and len(typed) < SHORTEST:
        raise UsageError(
            "This passphrase is too short",
            why=f"A new one has at least {SHORTEST} characters",
            fix="Take several words that nobody would guess",
        )
    if new and read_hidden(here, "The same again") != typed:
        raise UsageError("The two passphrases differ", fix="Run it again")
    return Secret(typed)


def _loaded(here: Invocation, profile: str | None, *, env_file: Path | None, no_env_file: bool) -> Loaded:
    """The settings; a profile of credentials need not be one of settings."""
    if profile is not None:
        try:
            return here.load(profile=profile, env_file=env_file, no_env_file=no_env_file, tell=False)
        except ConfigurationNotFoundError:
            pass
    return here.load(env_file=env_file, no_env_file=no_env_file, tell=False)


def _is_provider(loaded: Loaded, name: str) -> bool:
    from sentient_cli.llm.providers.factory import is_known

    return name in loaded.settings.llm.providers or is_known(name)


def _near_provider(loaded: Loaded, name: str) -> str:
    from difflib import get_close_matches

    from sentient_cli.llm.providers.kinds import KINDS

    return next(iter(get_close_matches(name, [*KINDS, *loaded.settings.llm.providers], 1)), "")
