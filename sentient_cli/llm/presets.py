"""Presets in programs: parameters by name, and blocks of calls that are asked otherwise than the settings say."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cache
from types import MappingProxyType

import msgspec

from sentient_cli.errors import ConfigError
from sentient_cli.llm.conversation import check_given
from sentient_cli.llm.current import get_manager
from sentient_cli.llm.defaults import NOTHING, Overlay, overlaid, under
from sentient_cli.llm.parameters import Parameters

__all__ = ["built_in", "preset", "use"]


@cache
def built_in() -> Mapping[str, Parameters]:
    """The presets that come with this package, by name.

    Example:
        >>> built_in()["precise"].temperature
        0.0
    """
    from sentient_cli.config.presets import BUILT_IN  # noqa: PLC0415 - settings import Pydantic

    return MappingProxyType({name: msgspec.convert(dict(each.values), Parameters) for name, each in BUILT_IN.items()})


def preset(name: str) -> Parameters:
    """The parameters of a preset: one of ours, or, in a run, of the settings.

    Args:
        name: Such as ``precise``.

    Raises:
        ConfigError: there is none.

    Example:
        >>> preset("code").temperature
        0.2
    """
    presets = get_manager().presets or built_in()
    if name in presets:
        return presets[name]
    from sentient_cli.config.keys import nearest  # noqa: PLC0415 - settings import Pydantic

    near = nearest(name, list(presets))
    raise ConfigError(
        f"There is no preset {name!r:.60}",
        fix=f"Did you mean {near!r}?" if near else f"Use {', '.join(presets)}; or write [llm.presets.{name:.60}]",
    )


_preset_of = preset  # in `use`, an argument has that name


@contextmanager
def use(
    *, model: str | None = None, parameters: Parameters | None = None, preset: str | None = None
) -> Generator[None]:
    """For the block, and what is started in it: calls are asked otherwise than the settings say.

    This is how an agent has a session answered in its own way. What a call says itself still wins, value by value.

    Args:
        model: The model id of calls that name none.
        parameters: What calls get that they leave open.
        preset: A set of parameters by name, laid under these.

    Raises:
        ConfigError: there is no such preset.
        BadRequestError: ``parameters`` is something else.

    Example:
        >>> import asyncio
        >>> from sentient_cli import llm
        >>> async def main() -> str:
        ...     with llm.use(model="offline:echo", preset="precise", parameters=llm.Parameters(max_tokens=2)):
        ...         return (await llm.generate("one two three four")).text
        >>> asyncio.run(main())
        'one two '
    """
    told = NOTHING
    if parameters is not None:
        check_given(parameters, Parameters)
        told = parameters
    if preset is not None:
        told = under(_preset_of(preset), told)
    with overlaid(Overlay(model=model, parameters=told)):
        yield
