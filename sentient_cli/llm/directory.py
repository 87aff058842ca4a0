"""The providers that a manager knows, and what model ids mean among them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from sentient_cli.errors import ConfigError
from sentient_cli.llm.call import Call
from sentient_cli.llm.provider import LLMProvider
from sentient_cli.llm.resilience.targets import Target
from sentient_cli.llm.streaming import KEYLESS_HINT

__all__ = ["Directory"]

_PROVIDER_ID = re.compile(r"[A-Za-z0-9_-]+")
_KIND = "compatible"
"""A kind of provider that is mistaken for one."""


class Directory:
    """Finds the models that are meant, and those that stand in for them.

    Args:
        groups: Models that stand in for each other, by a name of the group.
        fallback: Model ids that are asked when all else failed.

    Raises:
        ConfigError: one text stands where several model ids belong.

    Example:
        >>> from sentient_cli.llm import OfflineProvider
        >>> directory = Directory({"small": ["local:tiny", "offline:echo"]})
        >>> directory.register(OfflineProvider())
        >>> directory.target("offline").id, directory.target("small").id
        ('offline:assistant', 'offline:echo')
    """

    def __init__(self, groups: Mapping[str, Sequence[str]] | None = None, fallback: Sequence[str] = ()) -> None:
        for name, members in (
            ("fallback", fallback),
            *((f"the group {name!r:.60}", each) for name, each in (groups or {}).items()),
        ):
            if isinstance(members, str):
                raise ConfigError(
                    f"The models of {name} are one text, {members!r:.80}", fix=f'Write `["{members:.80}"]`'
                )
        self.providers: dict[str, LLMProvider] = {}
        self.groups: Mapping[str, Sequence[str]] = groups or {}
        self.fallback: Sequence[str] = tuple(fallback)

    def register(self, provider: LLMProvider) -> None:
        """Add a provider.

        Raises:
            ConfigError: its id is taken or malformed, or it is no provider.
        """
        name: object = getattr(provider, "provider_id", None)
        if isinstance(provider, type) or not isinstance(name, str):
            of = provider.__name__ if isinstance(provider, type) else type(provider).__name__
            what = f"the class {of}" if isinstance(provider, type) else of
            raise ConfigError(
                f"A provider is an object with the methods of `LLMProvider`, and not {what}",
                fix=f"Make one: `{of}(…)`" if isinstance(provider, type) else "Give a provider",
            )
        if not _PROVIDER_ID.fullmatch(name):
            raise ConfigError(
                f"A provider cannot be called {name!r:.60}", fix="Use letters, digits, `-` and `_` for its id"
            )
        if name in self.providers:
            raise ConfigError(f"There is a provider {name!r} already", fix="Use `replace`, or another id")
        self.providers[name] = provider

    def register_all(self, providers: Iterable[LLMProvider]) -> None:
        """Add several.

        Raises:
            ConfigError: as `register`, or it is one and no list of them.
        """
        if not isinstance(cast("object", providers), Iterable):
            name = type(providers).__name__
            raise ConfigError(f"Providers are a list, not {name}", fix="Write `LLMManager([…])`")
        for provider in providers:
            self.register(provider)

    def find(self, provider_id: str) -> LLMProvider:
        """A provider.

        Raises:
            ConfigError: there is none with this id.
        """
        provider = self.providers.get(provider_id)
        if provider is None:
            known = ", ".join(sorted(self.providers)) or "none"
            raise ConfigError(
                f"There is no provider {provider_id!r:.60}",
                why=f"Registered: {known}",
                fix=f"{self._meant(provider_id)}Write model ids as `provider:model`, or register the provider."
                f" {KEYLESS_HINT}",
            )
        return provider

    def _meant(self, model: str) -> str:
        """Whose model it is, where somebody forgot the provider, or the provider whose name is nearly that."""
        from difflib import get_close_matches  # noqa: PLC0415 - only for those who err

        from sentient_cli.llm.models.facts import facts_of  # noqa: PLC0415 - the same

        before, slash, after = model.partition("/")
        if slash and after and before in self.providers:
            return f"Did you mean `{before}:{after:.60}`? "
        owner = next((name for name in self.providers if model and facts_of(name, model) is not None), None)
        if owner:
            return f"Did you mean `{owner}:{model:.60}`? "
        near = next(iter(get_close_matches(model, [*self.providers, _KIND], 1)), "")
        if near == _KIND:
            return (
                f"`{_KIND}` is a kind: describe the server in [llm.providers.mine] with `kind` and `base_url`, and "
                "write `mine:model`. "
            )
        return f"Did you mean the provider `{near}`? " if near else ""

    def astray(self, extra: Iterable[str]) -> Iterator[str]:
        """What is to be said of parameters that are for providers which are not there."""
        for name in extra:
            if name not in self.providers:
                from difflib import get_close_matches  # noqa: PLC0415 - only for those who err

                near = next(iter(get_close_matches(name, self.providers, 1)), None)
                hint = f"; did you mean {near!r}?" if near else ""
                yield f"The parameters in `extra` for {name!r:.60} were left out: there is no such provider{hint}"

    def target(self, wanted: str) -> Target:
        """The model that is meant by ``provider:model``, by a provider alone, or by a group.

        Raises:
            ConfigError: there is no such provider.
        """
        if not isinstance(wanted, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError(
                f"A model id is a text, not {type(wanted).__name__}",
                fix=f"Write it as `provider:model`. {KEYLESS_HINT}",
            )
        provider_id, _, name = wanted.partition(":")
        if self.groups and wanted in self.groups and wanted not in self.providers:
            return self._members(wanted)[0]
        provider = self.providers.get(provider_id)
        if provider is None:
            provider = self.find(provider_id)
        return Target(provider, name or provider.config.default_model)

    def check_members(self) -> None:
        """Find out whether groups and fallback name known providers: one that is not would be passed by in silence.

        Raises:
            ConfigError: one is not.
        """
        named = [("`llm.fallback`", member) for member in self.fallback]
        named += [(f"the group `{group}`", member) for group, members in self.groups.items() for member in members]
        for place, member in named:
            provider = member.partition(":")[0]
            if provider in self.providers:
                continue
            from difflib import get_close_matches  # noqa: PLC0415 - only for those who err

            near = get_close_matches(provider, self.providers, 1)
            rest = member[len(provider) :]
            hint = f"Did you mean `{near[0]}{rest:.60}`? " if near else self._meant(provider)
            raise ConfigError(
                f"The model {member!r:.80} in {place} leads nowhere",
                why=f"There is no provider {provider!r:.60}, so that it could never stand in for another",
                fix=f"{hint}Write model ids as `provider:model`, or describe it in [llm.providers.{provider[:60]}]",
            )

    def targets(self, wanted: str) -> tuple[Target, ...]:
        """The model that is meant, those that stand in for it, and those to fall back on.

        Raises:
            ConfigError: there is no such provider.
        """
        first = self.target(wanted)
        if not self.groups and not self.fallback:
            return (first,)
        found = {first.id: first}
        for name, members in self.groups.items():
            if name == wanted or wanted in members or first.id in members:
                for target in self._members(name):
                    found.setdefault(target.id, target)
        for member in self.fallback:
            if member.partition(":")[0] in self.providers:
                target = self.target(member)
                lesser = Target(target.provider, target.model, f"{first.id} could not answer")
                found.setdefault(target.id, lesser)
        return tuple(found.values())

    def targets_of(self, call: Call) -> tuple[Target, ...]:
        """The same for a call, whose model is known already.

        Args:
            call: The call.

        Raises:
            ConfigError: there is no such provider any more.
        """
        provider = self.providers.get(call.provider)
        if provider is None or self.groups or self.fallback:
            return self.targets(call.wanted)
        return (Target(provider, call.model),)

    def _members(self, group: str) -> list[Target]:
        members = [member for member in self.groups[group] if member.partition(":")[0] in self.providers]
        if not members:
            raise ConfigError(
                f"No provider of the group {group!r:.60} is known",
                why=f"It has {', '.join(self.groups[group]) or 'no models'}",
                fix="Register one of these, or add another model to the group",
            )
        return [self.target(member) for member in members]
