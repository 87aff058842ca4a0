"""Which object of a module is the agent."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from types import FunctionType, ModuleType

from sentient_cli.errors import AgentAmbiguousError, AgentNotFoundError
from sentient_cli.runtime.loading.target import near

__all__ = ["Candidate", "choose", "has_assist", "pick"]

_FRAMEWORKS = ("sentient_cli", "sentient_agent_framework")
_PREFERRED = "agent"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An object that may be an agent, and its name in the module."""

    name: str
    value: object


def has_assist(value: object) -> bool:
    """Whether an object declares ``assist``; nothing of it is executed, whatever it computes on access."""
    return inspect.getattr_static(value, "assist", None) is not None


def pick(module: ModuleType, attribute: str, place: str) -> Candidate:
    """The object under a name; dots lead into it.

    Raises:
        AgentNotFoundError: there is no such name.
    """
    value: object = module
    for part in attribute.split("."):
        names = [name for name in dir(value) if not name.startswith("_")]
        if not hasattr(value, part):
            similar = near(part, names)
            listed = ", ".join(candidate.name for candidate in _candidates(module))
            raise AgentNotFoundError(
                f"{place} has no {attribute!r}",
                why=f"Agents in it: {listed}" if listed else "",
                fix=f"Did you mean {similar}?" if similar else "Check the name",
            )
        value = getattr(value, part)
    return Candidate(attribute, value)


def choose(module: ModuleType, place: str) -> Candidate:
    """The only agent of a module, or the one that is called ``agent``.

    Args:
        module: The user's module.
        place: How the user knows it.

    Raises:
        AgentNotFoundError: there is none.
        AgentAmbiguousError: there are several.
    """
    found = _candidates(module)
    if not found:
        raise AgentNotFoundError(f"There is no agent in {place}", why=_what_is_there(module), fix=_HOW_TO_WRITE_ONE)
    if len(found) > 1:
        found = [candidate for candidate in found if candidate.name == _PREFERRED] or found
    if len(found) > 1:
        names = [candidate.name for candidate in found]
        raise AgentAmbiguousError(
            f"There are {len(names)} agents in {place}",
            why=", ".join(names),
            fix=f"Name one: `{place}:{names[0]}`, or call the one to use `agent`",
        )
    return found[0]


_HOW_TO_WRITE_ONE = "Write `async def assist(session, query, response)`, or a subclass of `sentient_cli.Agent`"


def _candidates(module: ModuleType) -> list[Candidate]:
    public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    instances = _distinct(
        Candidate(name, value)
        for name, value in public.items()
        if not isinstance(value, type | ModuleType | FunctionType) and has_assist(value)
    )
    classes = [value for value in public.values() if isinstance(value, type) and _is_agent_class(value)]
    own = [cls for cls in classes if cls.__module__ == module.__name__]
    used = [type(candidate.value) for candidate in instances]
    found = instances + _named(_leaves(own, used), public)
    function = public.get("assist")
    if isinstance(function, FunctionType):
        found.append(Candidate("assist", function))
    return found or _named(_leaves(classes, []), public)


def _is_agent_class(cls: type) -> bool:
    return has_assist(cls) and not inspect.isabstract(cls) and cls.__module__.partition(".")[0] not in _FRAMEWORKS


def _leaves(classes: list[type], used: list[type]) -> list[type]:
    """The classes that neither another one nor an instance is made of."""
    others = classes + used
    return [
        cls
        for cls in dict.fromkeys(classes)
        if cls not in used and not any(other is not cls and issubclass(other, cls) for other in others)
    ]


def _named(classes: list[type], public: dict[str, object]) -> list[Candidate]:
    return [next(Candidate(name, value) for name, value in public.items() if value is cls) for cls in classes]


def _distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    found: dict[int, Candidate] = {}
    for candidate in candidates:
        if candidate.name == _PREFERRED or id(candidate.value) not in found:
            found[id(candidate.value)] = candidate
    return list(found.values())


def _what_is_there(module: ModuleType) -> str:
    own = [
        f"{'class' if isinstance(value, type) else 'function'} {name}"
        for name, value in vars(module).items()
        if isinstance(value, type | FunctionType) and value.__module__ == module.__name__
    ]
    return f"It has {', '.join(own[:8])}, and none of them has `assist`" if own else "It defines no class or function"
