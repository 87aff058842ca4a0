"""The arguments of a function as a JSON Schema, and a check of what a model gives for them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, cast, get_type_hints

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from typing_extensions import override

from sentient_cli.errors import ToolArgumentsError, ToolDefinitionError
from sentient_cli.llm.faults import faults_of
from sentient_cli.llm.schemas import without_titles
from sentient_cli.llm.tools.docstrings import describe

if TYPE_CHECKING:
    from sentient_cli.llm.types import JsonValue

__all__ = ["Arguments", "ToolArguments"]

Arguments: TypeAlias = "Mapping[str, object] | str | bytes"
"""What a tool is called with: JSON as a model writes it, or values by name."""

_NAMED = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


class _Schema(GenerateJsonSchema):
    """Is silent about a default that JSON cannot hold: it is left out, and holds all the same."""

    @override
    def render_warning_message(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        del kind, detail


class ToolArguments:
    """What a function takes.

    Args:
        function: Each of its parameters has a name and a type.
        name: What errors call it.

    Raises:
        ToolDefinitionError: a model could not call it.

    Example:
        >>> def add(a: int, b: int = 1) -> int:
        ...     return a + b
        >>> ToolArguments(add, "add").read('{"a": "2"}')
        {'a': 2, 'b': 1}
    """

    def __init__(self, function: Callable[..., object], name: str) -> None:
        self._name = name
        signature = _signature(function, name)
        self._adapter = _adapter(signature, name)
        said, told = describe(_routine(function).__doc__)
        self.description: str = said
        told |= _annotated(signature)
        self.schema: dict[str, JsonValue] = _described(
            without_titles(self._adapter.json_schema(schema_generator=_Schema)), told
        )
        """The JSON Schema of the arguments, an object."""

    def read(self, arguments: Arguments) -> dict[str, object]:
        """The arguments as values of their types, those left out as their defaults.

        Raises:
            ToolArgumentsError: they do not fit.
        """
        try:
            if isinstance(arguments, str | bytes):
                data = _object(arguments)
                if data.lstrip()[:1] != b"[":  # the library would take a list for arguments by their places
                    return self._adapter.validate_json(data)
                faults = {"": "They have to be an object, with each argument by its name"}
            else:
                return self._adapter.validate_python(dict(arguments))
        except ValidationError as error:
            faults = faults_of(error)
        except UnicodeError:
            faults = {"": "They are not UTF-8"}
        raise ToolArgumentsError(
            f"The arguments of the tool {self._name!r} do not fit", faults=faults, fix="Correct them and call it again"
        ) from None


def _object(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return b"{}" if data.strip() in {b"", b"null"} else data  # some models write so that there are none


def _routine(function: Callable[..., object]) -> Callable[..., object]:
    """What has the hints and the docstring."""
    while isinstance(function, partial):
        function = cast("partial[object]", function).func
    return function if inspect.isroutine(function) else type(function).__call__


def _signature(function: Callable[..., object], name: str) -> inspect.Signature:
    try:
        hints = get_type_hints(_routine(function), include_extras=True)
        signature = inspect.signature(function)
    except (NameError, TypeError, ValueError) as error:
        raise _refused(name, f"Its signature cannot be read: {error}") from error
    for parameter in signature.parameters.values():
        if parameter.kind not in _NAMED:
            raise _refused(name, f"The parameter {parameter.name!r} cannot be given by its name")
        if parameter.name not in hints:
            raise _refused(name, f"The parameter {parameter.name!r} has no type")
    parameters = [each.replace(annotation=hints[each.name]) for each in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)


def _adapter(signature: inspect.Signature, name: str) -> TypeAdapter[dict[str, object]]:
    def collect(**given: object) -> dict[str, object]:
        return given

    collect.__annotations__ = {each.name: cast("object", each.annotation) for each in signature.parameters.values()}
    collect.__dict__["__signature__"] = signature
    try:
        # The library calls a function with what it validated: this one only gives it back.
        adapter: TypeAdapter[dict[str, object]] = TypeAdapter(cast("type[dict[str, object]]", collect))
        adapter.json_schema(schema_generator=_Schema)
    except (PydanticUserError, NameError) as error:
        raise _refused(name, str(error).partition("\n")[0]) from error
    return adapter


def _annotated(signature: inspect.Signature) -> dict[str, str]:
    """What the hints themselves say about parameters: ``Annotated[int, Field(description=…)]``."""
    told: dict[str, str] = {}
    for parameter in signature.parameters.values():
        for more in cast("tuple[object, ...]", getattr(parameter.annotation, "__metadata__", ())):
            if isinstance(more, FieldInfo) and more.description:
                told[parameter.name] = more.description
    return told


def _described(schema: dict[str, JsonValue], told: Mapping[str, str]) -> dict[str, JsonValue]:
    properties = schema.setdefault("properties", {})
    for name, each in properties.items() if isinstance(properties, dict) else ():
        if isinstance(each, dict) and name in told:
            each.setdefault("description", told[name])
    return schema


def _refused(name: str, why: str) -> ToolDefinitionError:
    return ToolDefinitionError(
        f"The function {name!r} cannot be a tool",
        why=why,
        fix="Give each parameter a name and a type that is known at the module's level; of a method, make a tool of "
        "the bound one: `tool(self.look_up)`",
    )
