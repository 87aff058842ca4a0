"""Resolves an import of ``sentient_agent_framework`` where nothing else does."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Generator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from typing_extensions import override

__all__ = ["ROOT", "install", "installed", "is_installed", "is_present", "is_real", "uninstall"]

ROOT = "sentient_agent_framework"

_EVENTS = (
    "AtomicEvent BaseEvent BaseEventType DEFAULT_ERROR_CODE DocumentEvent DoneEvent ERROR ErrorContent ErrorEvent "
    "Event EventContentType EventMetadata ResponseEvent ResponseEventAdapter ResponseEventListAdapter StreamEvent "
    "StringKeyDict TextBlockEvent TextChunkEvent"
)
_EXCEPTIONS = "AgentError ProcessorError ResponseStreamClosedError TextStreamClosedError"
_SESSION = (
    "ASSIST_CAPABILITY AssistRequest AssistRequestContent AssistRequestContentPart AssistRequestContentParts "
    "CapabilityConfig CapabilityRequestContent CapabilitySpec DEFAULTY_CAPABILITY Interaction InteractionMessage "
    "Request RequestMessage ResponseMessage Session SessionObject"
)

# Each module of the framework, and which of our modules gives it which names.
_MODULES: dict[str, dict[str, str]] = {
    "": {
        "agent": "AbstractAgent",
        "hook": "DefaultHook",
        "handler": "DefaultResponseHandler",
        "server": "DefaultServer",
        "session": "Session",
        "request": "Query",
        "protocols": "ResponseHandler",
    },
    "interface": {},
    "interface.agent": {
        "agent": "AbstractAgent",
        "protocols": "ResponseHandler",
        "request": "Query",
        "session": "Session",
    },
    "interface.events": {"events": _EVENTS},
    "interface.exceptions": {"exceptions": _EXCEPTIONS},
    "interface.hook": {"protocols": "Hook", "events": "Event"},
    "interface.identity": {"identity": "Identity"},
    "interface.request": {"request": "Query Request", "session": "SessionObject"},
    "interface.response_handler": {
        "protocols": "ResponseHandler StreamEventEmitter",
        "events": "DEFAULT_ERROR_CODE",
    },
    "interface.session": {"session": _SESSION, "events": "Event ResponseEvent"},
    "implementation": {},
    "implementation.default_hook": {"hook": "DefaultHook DefaultIdGenerator"},
    "implementation.default_id_generator": {"hook": "DefaultIdGenerator"},
    "implementation.default_response_handler": {"handler": "DefaultResponseHandler DefaultTextStream"},
    "implementation.default_server": {"server": "DefaultServer"},
    "implementation.default_session": {"session": "DefaultSession"},
    "implementation.default_text_stream": {"handler": "DefaultTextStream"},
}
_PACKAGES = {"", "interface", "implementation"}


def _part(fullname: str) -> str | None:
    """The name of a module within the framework; None for a module of anything else."""
    if fullname != ROOT and not fullname.startswith(f"{ROOT}."):
        return None
    part = fullname.removeprefix(ROOT).removeprefix(".")
    return part if part in _MODULES else None


class _Loader(Loader):
    """Fills a module of the framework with our classes."""

    @override
    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    @override
    def exec_module(self, module: ModuleType) -> None:
        part = _part(module.__name__)
        names: list[str] = []
        for home, given in _MODULES[part or ""].items():
            source = importlib.import_module(f"sentient_cli.compat.{home}")
            names += given.split()
            vars(module).update({name: getattr(source, name) for name in given.split()})
        module.__doc__ = "Compatible classes, since the package itself is not installed."
        vars(module)["__all__"] = names


class _Finder(MetaPathFinder):
    """The last to be asked: whoever else knows the package wins."""

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        part = _part(fullname)
        if part is None or (part and is_real()):
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            found = finder.find_spec(fullname, path, target)
            if found is not None:
                return found
        return ModuleSpec(fullname, _Loader(), is_package=part in _PACKAGES)


_finder = _Finder()


def is_real() -> bool:
    """Whether the framework itself has been imported, and not our stand-in."""
    module = sys.modules.get(ROOT)
    spec = getattr(module, "__spec__", None)
    return module is not None and not isinstance(getattr(spec, "loader", None), _Loader)


def is_present() -> bool:
    """Whether an import of ``sentient_agent_framework`` finds the package itself, as `sys.path` is now."""
    if ROOT in sys.modules:
        return is_real()
    found = importlib.util.find_spec(ROOT)
    return found is not None and not isinstance(found.loader, _Loader)


def is_installed() -> bool:
    """Whether `install` was called."""
    return _finder in sys.meta_path


def install() -> None:
    """Make an import of ``sentient_agent_framework`` work where the package is absent. May be called twice.

    Example:
        >>> before = is_installed()
        >>> install()
        >>> from sentient_agent_framework import AbstractAgent
        >>> AbstractAgent.__name__
        'AbstractAgent'
        >>> if not before:
        ...     uninstall()
    """
    if not is_installed():
        sys.meta_path.append(_finder)


def uninstall() -> None:
    """Undo `install`, and forget the modules that it made.

    Example:
        >>> with installed():
        ...     uninstall()
        ...     is_installed()
        False
    """
    if is_installed():
        sys.meta_path.remove(_finder)
    if not is_real():
        for name in [name for name in sys.modules if name == ROOT or name.startswith(f"{ROOT}.")]:
            del sys.modules[name]


@contextlib.contextmanager
def installed() -> Generator[None]:
    """`install` for as long as it is entered.

    Example:
        >>> with installed():
        ...     from sentient_agent_framework import AbstractAgent
        >>> AbstractAgent.__name__
        'AbstractAgent'
    """
    before = is_installed()
    install()
    try:
        yield
    finally:
        if not before:
            uninstall()
