"""Makes an agent of what was found, and checks that it can answer."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import cast

from sentient_cli.errors import AgentLoadError, AgentSignatureError
from sentient_cli.runtime.agent import AgentLike, AssistFunction, FunctionAgent
from sentient_cli.runtime.loading.choosing import Candidate, has_assist
from sentient_cli.runtime.loading.importing import user_code

__all__ = ["make_agent"]

_SHAPE = "async def assist(self, session, query, response)"
_FUNCTION = "async def assist(session, query, response)"
_VOWELS = frozenset("aeioAEIO")
"""The first letters that take "an"; a name that begins with a U may well begin as "unit" does."""


def make_agent(candidate: Candidate, place: str, stem: str) -> AgentLike:
    """An agent of a class, an instance or a function.

    Args:
        candidate: What was found.
        place: How the user knows the module.
        stem: The name of an agent that is a module's own `assist`.

    Raises:
        AgentSignatureError: it cannot answer.
        AgentImportError: the constructor raised.
        AgentLoadError: the class needs arguments.
    """
    value = candidate.value
    if isinstance(value, FunctionType | functools.partial):
        _check(cast("Callable[..., object]", value), candidate.name, _FUNCTION)
        return FunctionAgent(cast("AssistFunction", value), stem if candidate.name == "assist" else candidate.name)
    if not has_assist(value):
        raise AgentSignatureError(
            f"{candidate.name} in {place} is no agent",
            why=f"It is {_kind(value)} without `assist`",
            fix=f"Give it `{_SHAPE}`",
        )
    instance = _instantiate(value, candidate.name) if isinstance(value, type) else value
    with user_code(f"{candidate.name} has no usable `assist`"):
        assist = cast("AgentLike", instance).assist
    if isinstance(instance, FunctionAgent):
        _check(instance.function, candidate.name, _FUNCTION)
    _check(assist, f"{candidate.name}.assist", _SHAPE)
    return cast("AgentLike", instance)


def _kind(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    return f"{'an' if name[0] in _VOWELS else 'a'} {name}"


def _instantiate(cls: type, name: str) -> object:
    if inspect.isabstract(cls):
        missing = ", ".join(name for name in dir(cls) if _is_abstract(inspect.getattr_static(cls, name, None)))
        raise AgentSignatureError(f"{name} is an abstract class", why=f"It lacks {missing}", fix="Name a subclass")
    needed = _required(cls)
    if needed and needed != ["name"]:
        raise AgentLoadError(
            f"{name} cannot be made without arguments",
            why=f"Its constructor needs {', '.join(needed)}",
            fix=f"Make one in the module, `agent = {name}(…)`, or give the arguments defaults",
        )
    # The public framework's agents take their name, and make the instance in a block that only a script runs.
    arguments = [cls.__name__] if needed else []
    with user_code(f"{name}() raised"):
        return cast("Callable[..., object]", cls)(*arguments)


def _is_abstract(member: object) -> bool:
    return getattr(member, "__isabstractmethod__", False) is True


def _required(cls: type) -> list[str]:
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return []  # not to be known for a class made in C: calling it will tell
    variable = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return [item.name for item in parameters if item.default is item.empty and item.kind not in variable]


def _check(function: object, name: str, shape: str) -> None:
    if not callable(function):
        raise AgentSignatureError(f"{name} cannot be called", why=f"It is {_kind(function)}", fix=f"Write `{shape}`")
    shown = _shown(function)
    if _any_step(function, inspect.isasyncgenfunction):
        raise AgentSignatureError(
            f"{name} yields, which `assist` must not", why=shown, fix="Write to the response instead of yielding"
        )
    if not _any_step(function, inspect.iscoroutinefunction):
        raise AgentSignatureError(f"{name} is not async", why=shown, fix=f"Write `{shape}`")
    try:
        inspect.signature(function).bind(None, None, None)
    except TypeError:
        raise AgentSignatureError(
            f"{name} does not take a session, a query and a response", why=f"It is `{shown}`", fix=f"Write `{shape}`"
        ) from None
    except ValueError:
        pass  # a signature that cannot be known may well be right


def _any_step(function: Callable[..., object], test: Callable[[object], bool]) -> bool:
    """Whether a test holds for a callable, or for what it wraps."""
    steps: list[object] = [function, inspect.unwrap(function), getattr(function, "func", None)]
    if not isinstance(function, FunctionType | MethodType):
        kind: object = type(function)
        steps.append(getattr(kind, "__call__", None))  # noqa: B004 - asks what it is, not whether it is there
    return any(test(step) for step in steps)


def _shown(function: Callable[..., object]) -> str:
    plain = inspect.unwrap(function)
    name = getattr(plain, "__name__", "assist")
    is_async = inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain)
    lead = "async def" if is_async else "def"
    try:
        signature = inspect.signature(getattr(plain, "__func__", plain))
    except (TypeError, ValueError):
        return f"{lead} {name}(…)"
    return f"{lead} {name}({', '.join(_bare(signature))})"


def _bare(signature: inspect.Signature) -> list[str]:
    """The parameters without their annotations, which may be long."""
    parameters = [item.replace(annotation=inspect.Parameter.empty) for item in signature.parameters.values()]
    text = str(inspect.Signature(parameters))
    return [text[1:-1]]
