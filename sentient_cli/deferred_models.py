"""Pydantic models that are made ready for work when they are first used, which hardly any of a process is."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import BaseModel, ConfigDict
from typing_extensions import override

if TYPE_CHECKING:
    from pydantic.plugin import PydanticPluginProtocol

__all__ = ["DeferredModel"]

_LOADER: Final = "pydantic.plugin._loader"
_one_at_a_time: Final = threading.RLock()


class DeferredModel(BaseModel):
    """A model whose checks are compiled at its first use, and without the plugins of Pydantic.

    Plugins are there to watch the models of users. To look for them reads the metadata of every installed package,
    which takes longer than to check our own values; the first model of somebody else's looks for them as ever.

    Example:
        >>> class Point(DeferredModel):
        ...     x: int
        >>> Point.__pydantic_complete__, Point(x=3).x, Point.__pydantic_complete__
        (False, 3, True)
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)

    @override
    @classmethod
    def model_rebuild(
        cls,
        *,
        force: bool = False,
        raise_errors: bool = True,
        _parent_namespace_depth: int = 2,
        _types_namespace: Mapping[str, object] | None = None,
    ) -> bool | None:
        with _one_at_a_time, _without_plugins():
            return super().model_rebuild(
                force=force,
                raise_errors=raise_errors,
                _parent_namespace_depth=_parent_namespace_depth + 1,
                _types_namespace=_types_namespace,
            )


class _NoPlugins(ModuleType):
    get_plugins: Callable[[], tuple[PydanticPluginProtocol, ...]] = staticmethod(tuple)


@contextlib.contextmanager
def _without_plugins() -> Generator[None]:
    """Have Pydantic find a loader of plugins that has none, and the real one, if there is one, again afterwards."""
    real = sys.modules.get(_LOADER)
    sys.modules[_LOADER] = _NoPlugins(_LOADER)
    try:
        yield
    finally:
        if real is None:
            del sys.modules[_LOADER]
        else:
            sys.modules[_LOADER] = real
