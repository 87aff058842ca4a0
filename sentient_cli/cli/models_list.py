"""What `models` lists: what is known, what providers tell, and how both look."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from sentient_cli.cli.models_told import facts_told
from sentient_cli.errors import ConfigError, ProviderTimeoutError, SentientError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from sentient_cli.cli.console import Console
    from sentient_cli.config import Loaded
    from sentient_cli.llm import LLMProvider, ModelInfo
    from sentient_cli.llm.compatible.live import LiveFacts
    from sentient_cli.llm.models.facts import ModelFacts

__all__ = ["Listed", "known", "live_models", "pick", "show"]

_LETTERS = {
    "t": "tools",
    "i": "images",
    "a": "audio",
    "d": "documents",
    "s": "structured_output",
    "r": "thinking",
    "c": "caching",
}
_CALLED = {"structured_output": "structured output", "thinking": "reasoning"}
_PATIENCE = 15.0
_LOCAL = frozenset({"ollama", "vllm", "llamacpp", "lmstudio"})
_WIDE = 76
Cells: TypeAlias = tuple[str, str, str, str]
_HEADS: Cells = ("context", "can", "in $/M", "out $/M")
_USUAL: tuple[int, ...] = (7, 7, 9, 9)
"""How wide these columns are where there is room."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A model in the list.

    Args:
        provider: The id of its provider.
        model: As that names it.
        context_tokens: Tokens of its context.
        output_tokens: Tokens of an answer.
        capabilities: What it can do.
        input_price: US dollars for a million tokens of a request.
        output_price: The same of an answer.
        has_key: Whether its provider has what it needs.
        shutdown: The day of its end.
    """

    provider: str
    model: str
    context_tokens: int | None = None
    output_tokens: int | None = None
    capabilities: tuple[str, ...] = ()
    input_price: float | None = None
    output_price: float | None = None
    has_key: bool = True
    shutdown: str | None = None

    @property
    def id(self) -> str:
        """The model id."""
        return f"{self.provider}:{self.model}"


def known(loaded: Loaded, *, everything: bool) -> list[Listed]:
    """What is known without asking anybody.

    Args:
        loaded: The settings.
        everything: Those of providers without a key too.
    """
    from sentient_cli.host.key_stores import is_stored
    from sentient_cli.llm.models.facts import facts_of, known_models

    found: list[Listed] = []
    for provider, kind in _providers(loaded):
        is_ready = _has_key(provider)
        has_key = is_ready or is_stored(provider.provider_id)
        mine = provider.provider_id in loaded.settings.llm.providers
        if not has_key and not everything and not mine:
            continue
        rows = list(known_models(kind))
        default = provider.config.default_model if is_ready else ""
        if default not in {"", "auto", "default", *(row.name for row in rows)} and (
            facts_of(kind, default) is None or mine
        ):
            found.append(_listed(provider.provider_id, kind, default, None, has_key=has_key))
        if kind in _LOCAL and not mine and not everything:
            continue
        found += [_listed(provider.provider_id, kind, row.name, row, has_key=has_key) for row in rows]
    return found


def _providers(loaded: Loaded) -> list[tuple[LLMProvider, str]]:
    from sentient_cli.clock import SystemClock, SystemIds
    from sentient_cli.host.llm import build_llm
    from sentient_cli.llm.providers.factory import kind_of

    clock = SystemClock()
    settings = loaded.settings.llm
    manager = build_llm(
        settings, clock, SystemIds(clock), environment=loaded.environment, profile=loaded.settings.profile
    )
    return [(each, kind_of(each.provider_id, settings.providers.get(each.provider_id))) for each in manager.providers]


def _has_key(provider: LLMProvider) -> bool:
    try:
        return bool(provider.config)
    except ConfigError:
        return False


def _listed(provider: str, kind: str, model: str, facts: ModelFacts | None, *, has_key: bool = True) -> Listed:
    from sentient_cli.llm.models.facts import facts_of
    from sentient_cli.llm.models.pricelist import load_rates

    facts = facts or facts_of(kind, model)
    rates = load_rates(kind, model)
    can = tuple(name for name in _LETTERS.values() if facts is not None and getattr(facts, name))
    return Listed(
        provider=provider,
        model=model,
        context_tokens=facts.context_tokens if facts is not None else None,
        output_tokens=facts.output_tokens if facts is not None else None,
        capabilities=can,
        input_price=rates.input_per_million if rates is not None else None,
        output_price=rates.output_per_million if rates is not None else None,
        has_key=has_key,
        shutdown=facts.shutdown if facts is not None else None,
    )


async def live_models(
    loaded: Loaded, name: str | None, *, tell: Callable[[str], None]
) -> tuple[list[Listed], dict[str, SentientError]]:
    """What the providers tell that have a key, and local servers; and what went wrong, by the provider's id.

    Args:
        loaded: The settings.
        name: Only this provider, if it is one.
        tell: Is told who was asked and how long it took.
    """
    providers = _providers(loaded)
    named = name in {provider.provider_id for provider, _ in providers}
    asked = [
        (provider, kind) for provider, kind in providers if _is_asked(provider, kind, loaded, name if named else None)
    ]
    try:
        found = await asyncio.gather(*(_timed(provider, kind, tell) for provider, kind in asked))
    finally:
        for provider, _ in asked:
            await provider.aclose()
    local = await _local({provider.provider_id for provider, _ in asked}) if not named else []
    rows = [row for listed in found if isinstance(listed, list) for row in listed]
    told = zip(asked, found, strict=True)
    faults = {each.provider_id: fault for (each, _), fault in told if isinstance(fault, SentientError)}
    return [*rows, *local], faults


def _is_asked(provider: LLMProvider, kind: str, loaded: Loaded, only: str | None) -> bool:
    if only is not None:
        return provider.provider_id == only
    return _has_key(provider) and (kind not in _LOCAL or provider.provider_id in loaded.settings.llm.providers)


async def _timed(provider: LLMProvider, kind: str, tell: Callable[[str], None]) -> list[Listed] | SentientError:
    began = time.monotonic()
    found = await _ask(provider, kind)
    what = f"tells {len(found)} models" if isinstance(found, list) else f"does not tell its models: {found.what}"
    tell(f"{time.monotonic() - began:7.3f} s  {provider.provider_id} {what}")
    return found


async def _ask(provider: LLMProvider, kind: str) -> list[Listed] | SentientError:
    try:
        async with asyncio.timeout(_PATIENCE):
            await provider.initialize()
            told = await provider.models()
            rows = await _with_facts(provider, await _rows(provider, kind, told))
    except SentientError as error:
        return error
    except TimeoutError:
        what = f"The provider {provider.provider_id!r} did not tell its models within {_PATIENCE:.0f} s"
        return ProviderTimeoutError(what, fix="Try again later", provider=provider.provider_id)
    return rows


async def _rows(provider: LLMProvider, kind: str, told: Sequence[ModelInfo]) -> list[Listed]:
    # The prices are read here, and not in the loop, where the other providers are being asked.
    made = await asyncio.to_thread(lambda: [_listed(provider.provider_id, kind, model.id, None) for model in told])
    return [
        msgspec.structs.replace(
            row,
            context_tokens=model.context_tokens or row.context_tokens,
            shutdown=model.shutdown or row.shutdown,
        )
        for row, model in zip(made, told, strict=True)
    ]


async def _with_facts(provider: LLMProvider, rows: list[Listed]) -> list[Listed]:
    """Models with what their server tells of them, where it does."""
    told = await facts_told(provider, [row.model for row in rows])
    return [_with_told(row, told[row.model]) if row.model in told else row for row in rows]


def _with_told(row: Listed, told: LiveFacts) -> Listed:
    can = [name for name in row.capabilities if getattr(told, name, None) is not False]
    can += [name for name in _LETTERS.values() if getattr(told, name, None) and name not in can]
    context = told.max_input_tokens or row.context_tokens
    return msgspec.structs.replace(row, context_tokens=context, capabilities=tuple(can))


async def _local(known_already: set[str]) -> list[Listed]:
    from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
    from sentient_cli.llm.compatible.local import find_local

    found: list[Listed] = []
    for server in await find_local():
        if server.vendor in known_already:
            continue
        rows = [_listed(server.vendor, server.vendor, model, None) for model in server.models]
        provider = CompatibleProvider(server.vendor, CompatibleConfig(base_url=server.base_url))
        try:
            found += await _with_facts(provider, rows)
        finally:
            await provider.aclose()
    return found


def pick(listed: Iterable[Listed], name: str | None) -> list[Listed]:
    """Those of a provider of this name, else those that have it in their ids."""
    rows = list(listed)
    if name is None:
        return rows
    exact = [row for row in rows if row.provider == name]
    return exact or [row for row in rows if name.lower() in row.id.lower()]


def show(console: Console, listed: Sequence[Listed], *, narrowed: bool, live: bool = False) -> None:
    """Show the list.

    Args:
        console: Where to.
        listed: What is in it.
        narrowed: Whether there is a reason for it to be short.
        live: Whether the providers were asked.
    """
    if console.json:
        for row in listed:
            console.json_line({"id": row.id, **msgspec.to_builtins(row)})
        return
    if not listed:
        more = "Those that are not listed work as well." if live else "`sentient models --live` asks the providers."
        console.data(f"No such model is known. {more}")
        return
    width = console.width()
    wide = width >= _WIDE
    _table(console, listed, width, wide=wide)
    if wide:
        _say_letters(console, {ability for row in listed for ability in row.capabilities})
    if not narrowed and not any(row.provider != "offline" for row in listed):
        if live:
            console.say("No local server answers on its usual port.")
        console.say("Only the offline model needs no key. `sentient models --all` lists the others.")


def _say_letters(console: Console, abilities: Collection[str]) -> None:
    """Say what the letters stand for that were shown."""
    from sentient_cli.cli.wrapped import wrapped

    told = [f"{letter} {_CALLED.get(name, name)}" for letter, name in _LETTERS.items() if name in abilities]
    if told:
        console.say(wrapped(console, ", ".join(told), head="can: "))


def _table(console: Console, listed: Sequence[Listed], width: int, *, wide: bool) -> None:
    ids = [_safe(row.id) for row in listed]
    cells = [_cells(row) for row in listed]
    first = min(max(map(len, ids)), width - (38 if wide else 18))
    sizes, tail = _USUAL, max(len(_remark(row)) for row in listed)
    if wide and first + sum(sizes) + len(sizes) + tail > width:  # a line that is folded is hard to read
        columns = zip(_HEADS, *cells, strict=True)
        sizes = tuple([max(map(len, column)) for column in columns])
    console.data(_row("model", _HEADS, first, sizes, wide=wide))
    for row, name, each in zip(listed, ids, cells, strict=True):
        console.data(_row(name, each, first, sizes, wide=wide) + _remark(row))


def _cells(row: Listed) -> Cells:
    can = "".join(letter for letter, ability in _LETTERS.items() if ability in row.capabilities)
    return _size(row.context_tokens), can or "-", _price(row.input_price), _price(row.output_price)


def _row(name: str, cells: Cells, first: int, sizes: Sequence[int], *, wide: bool) -> str:
    shown = name if len(name) <= first else f"{name[: first - 3]}..."
    context, can, low, high = cells
    if not wide:
        return f"{shown:<{first}} {low:>8} {high:>8}".rstrip()
    size, letters, least, most = sizes
    return f"{shown:<{first}} {context:>{size}} {can:<{letters}} {low:>{least}} {high:>{most}}".rstrip()


def _remark(row: Listed) -> str:
    said = [] if row.has_key else ["no key"]
    if row.shutdown:
        has_ended = row.shutdown <= datetime.now(UTC).date().isoformat()
        said.append(f"{'gone' if has_ended else 'ends'} {row.shutdown}")
    return f"  {', '.join(said)}" if said else ""


def _size(tokens: int | None) -> str:
    from sentient_cli.cli.usage_table import compact

    return "?" if tokens is None else compact(tokens)


def _price(amount: float | None) -> str:
    return "?" if amount is None else "free" if amount == 0 else f"{amount:g}"


def _safe(text: str) -> str:
    from sentient_cli.sanitize import sanitize_line

    return sanitize_line(text)
