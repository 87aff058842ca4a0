"""Answers as values of a type: its JSON Schema for the provider, and a check of what came."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import SchemaError, from_json, to_json

from sentient_cli.errors import BadRequestError, ContentFilterError, OutputError
from sentient_cli.llm.faults import faults_of
from sentient_cli.llm.schemas import rooted, without_titles
from sentient_cli.llm.types import Completion, JsonValue, OutputSpec, TypedCompletion

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["OutputReader", "output_reader"]

T = TypeVar("T")

_VALUE = "value"
_FENCED = re.compile(r"\s*```\w*[ \t]*\n(?P<inside>.*?)\s*```\s*", re.DOTALL)


class OutputReader(Generic[T]):
    """Makes values of one type of what models answer. `output_reader` keeps those in use.

    Args:
        kind: The type: a pydantic model, a dataclass, a ``TypedDict``, or what JSON has.

    Raises:
        BadRequestError: the type has no JSON Schema.

    Example:
        >>> reader = OutputReader(dict[str, int])
        >>> reader.read('{"a": 1}', provider="offline")
        {'a': 1}
    """

    def __init__(self, kind: type[T]) -> None:
        name = getattr(kind, "__name__", "output")
        try:
            self._adapter = TypeAdapter(kind)
            schema = rooted(without_titles(self._adapter.json_schema()))
        except (PydanticUserError, SchemaError, NameError) as error:
            raise BadRequestError(
                f"The type {name!r} cannot be the output of a model",
                why=str(error).partition("\n")[0],
                fix="Use a pydantic model, a dataclass, a `TypedDict` of `typing_extensions`, or what JSON has",
            ) from error
        self._is_wrapped = schema.get("type") != "object"
        self.spec: OutputSpec = OutputSpec(name, _wrapped(schema) if self._is_wrapped else schema)
        """What the provider is told."""

    def finish(self, answer: Completion) -> TypedCompletion[T]:
        """The answer with its value.

        Raises:
            ContentFilterError: the model refused, or what it said was filtered: to ask again gives the same.
            OutputError: it does not fit, or asks for a tool.
        """
        final = next((call for call in answer.tool_calls if call.name == OutputSpec.FINAL_ANSWER), None)
        if final is None and _is_refused(answer):
            raise ContentFilterError(
                "The model refused to answer" if answer.refusal else "The answer was stopped by a filter",
                why=f"It said: {answer.refusal.strip()[:300]}" if answer.refusal.strip() else "",
                fix="Ask otherwise, or use another model",
                provider=answer.provider,
                partial_text=answer.text,
            )
        if final is None and answer.tool_calls:
            raise OutputError(
                f"The model asked for the tool {answer.tool_calls[0].name!r:.80} and gave no answer",
                fix="Use `llm.run_tools`, which calls the tools",
                provider=answer.provider,
                partial_text=answer.text,
            )
        value = self.read(answer.text if final is None else final.arguments, provider=answer.provider)
        known = {name: getattr(answer, name) for name in Completion.__struct_fields__}
        return TypedCompletion(**known, output=value)

    def read(self, text: str, *, provider: str) -> T:
        """The value of an answer's text: JSON, also in a fenced block.

        Args:
            text: The answer.
            provider: Who gave it.

        Raises:
            OutputError: it does not fit.
        """
        fenced = _FENCED.fullmatch(text)
        try:
            return self._adapter.validate_json(self._bare(fenced["inside"] if fenced else text))
        except ValidationError as error:
            faults = faults_of(error)
        except UnicodeError:
            faults = {"": "It has surrogates of no character"}
        raise OutputError(
            f"The answer is no {self.spec.name!r}",
            faults=faults,
            fix="Ask again, or allow more `output_retries`",
            provider=provider,
            partial_text=text,
        ) from None

    def _bare(self, text: str) -> bytes:
        if self._is_wrapped:
            try:
                value: object = from_json(text)
            except ValueError:
                return text.encode()
            if isinstance(value, dict) and value.keys() == {_VALUE}:
                return to_json(cast("dict[str, object]", value)[_VALUE])
        return text.encode()


def _is_refused(answer: Completion) -> bool:
    return answer.finish_reason == "content_filter" or bool(answer.refusal and not answer.text.strip())


def _wrapped(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """An object around a schema, since providers take no other."""
    definitions = schema.pop("$defs", None)
    whole: dict[str, JsonValue] = {
        "type": "object",
        "properties": {_VALUE: schema},
        "required": [_VALUE],
        "additionalProperties": False,
    }
    return whole if definitions is None else {**whole, "$defs": definitions}


@lru_cache(maxsize=128)
def _kept(kind: Hashable) -> OutputReader[object]:
    return OutputReader(cast("type[object]", kind))


def output_reader(kind: type[T]) -> OutputReader[T]:
    """The reader of a type, made once.

    Args:
        kind: As for `OutputReader`.

    Raises:
        BadRequestError: the type has no JSON Schema.
    """
    try:
        hash(kind)
    except TypeError:  # such as `Annotated[int, ["a list"]]`
        return OutputReader(kind)
    return cast("OutputReader[T]", _kept(cast("Hashable", kind)))
