"""A new key that the provider itself makes, through its interface for administrators, and the old one removed there."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from sentient_cli.errors import AuthenticationError, ProviderError, SentientError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sentient_cli.cli.keys_door import Door
    from sentient_cli.config.secret import Secret
    from sentient_cli.llm.admin import KeyAdmin, Made

__all__ = ["Maker"]

_WAITS: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds between two tries: a key that was made a moment ago is not known everywhere at once."""


class Maker:
    """Makes and removes keys at the provider of a credential.

    Args:
        door: The settings and credentials.
        name: Of which credential.
        provider: Its provider.
        admin: What the key of the administrator is called.
    """

    def __init__(self, door: Door, name: str, provider: str, admin: str | None) -> None:
        from sentient_cli.llm.providers.factory import kind_of

        self._door = door
        self._name = name
        self._provider = provider
        self._admin = admin or f"{name}-admin"
        self._settings = door.loaded.settings.llm.providers.get(provider)
        self._kind = kind_of(provider, self._settings)
        self._made: set[str] = set()

    @contextlib.contextmanager
    def tidying(self, store: str | None) -> Generator[None]:
        """Have the provider remove the keys that it made and that are no longer kept when the block ends.

        Args:
            store: In which store the credential is; the first that holds it unless given.
        """
        self._made |= set(self._door.manager.rotation(self._name, store=store).sources)
        try:
            yield
        finally:
            if self._made:
                self._tidy(store)

    def begin(self, store: str | None, *, every: int | None) -> None:
        """Have a key made, and a rotation to it begun.

        Args:
            store: In which store the credential is.
            every: Seconds after which it is due to be rotated from now on; as before unless given.

        Raises:
            UsageError: this provider makes no keys, or a rotation goes on already.
            CredentialNotFoundError: there is no key of an administrator.
            ProviderError: a key is not made.
        """
        import asyncio

        from sentient_cli.llm.admin import can_make, why_not

        if not can_make(self._kind):
            raise UsageError(
                f"{self._provider} makes no keys for programs",
                why=why_not(self._kind),
                fix=f"Make one by hand, and give it to `sentient keys rotate {self._name}`",
            )
        self._require_steady(store)
        made = asyncio.run(self._make())
        self._made.add(made.source)
        self._door.here.console.say(f"{self._provider} made a key: {made.source}")
        self._door.manager.begin_rotation(self._name, made.secret, store=store, source=made.source, every=every)

    @staticmethod
    def patient(check: Callable[[Secret], None]) -> Callable[[Secret], None]:
        """The same check, tried again for some seconds while the new key is not known everywhere."""

        def patiently(key: Secret) -> None:
            for wait in _WAITS:
                try:
                    check(key)
                except AuthenticationError:
                    time.sleep(wait)
                else:
                    return
            check(key)

        return patiently

    def _tidy(self, store: str | None) -> None:
        try:
            kept = set(self._door.manager.rotation(self._name, store=store).sources)
        except SentientError as error:
            names = ", ".join(sorted(self._made))
            self._door.here.console.warn(f"It is not known which of these keys are still needed: {names}. {error.what}")
            return
        for source in sorted(self._made - kept):
            self._remove_one(source)

    def _remove_one(self, source: str) -> None:
        import asyncio

        try:
            there = asyncio.run(self._remove(source))
        except SentientError as error:
            self._door.here.console.warn(f"{source} is still at {self._provider}: {error.what}. Remove it there")
            return
        self._door.here.console.say(f"{source} is {'removed' if there else 'gone'} at {self._provider}.")

    def _require_steady(self, store: str | None) -> None:
        before = self._door.manager.rotation(self._name, store=store)
        if before.phase != "steady":
            raise UsageError(
                f"A rotation of {before.address} is not over yet",
                why=f"It is in the phase `{before.phase}`",
                fix="Pass --resume to go on with it, --resume --grace 0 to end a grace, or --abort to leave it",
            )

    async def _make(self) -> Made:
        import datetime as dt

        label = f"sentient {self._door.profile}/{self._name} {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M}"
        async with self._opened() as admin:
            try:
                return await admin.make(label)
            except AuthenticationError as error:
                error.fix = f"Store a key of an administrator with `sentient keys set {self._admin}`"
                raise
            except ProviderError as error:
                error.why = f"{error.why.rstrip('.')}{'. ' if error.why else ''}No key was made that is known here"
                raise

    async def _remove(self, source: str) -> bool:
        async with self._opened() as admin:
            return await admin.remove(source)

    def _opened(self) -> KeyAdmin:
        from sentient_cli.llm.admin import KeyAdmin
        from sentient_cli.llm.wire.settings import RemoteConfig

        lease = self._door.manager.get(self._admin, purpose="keys rotate --create")
        self._door.check_destination(lease, self._provider, purpose="keys rotate --create")
        table = self._settings
        config = RemoteConfig(
            default_model="",
            base_url=(table.base_url if table is not None else None) or "",
            proxy=table.proxy if table is not None else None,
            ca_file=table.ca_file if table is not None else None,
        )
        project = (table.project if table is not None else None) or ""
        return KeyAdmin(self._provider, self._kind, lease.secret, project=project, config=config)
