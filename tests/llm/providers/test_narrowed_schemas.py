"""Schemas of types as vendors can hold a model to them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import pytest
from pydantic import BaseModel, Field, RootModel

from sentient_cli.llm import Message, OutputSpec, Request
from sentient_cli.llm.anthropic.schemas import closed
from sentient_cli.llm.chatwire.schema import strict_schema
from sentient_cli.llm.output import output_reader
from sentient_cli.llm.types import JsonValue
from tests.llm.providers.wires import WIRES, Wire
from tests.support.llm_server import LLMServer


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]
    toys: list[int] = Field(default=[], min_length=1, max_length=3)


class Pet(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    best: Cat = Field(description="The best one")
    name: str = Field(min_length=2, pattern="^[a-z]+$")


class Node(BaseModel):
    value: int = Field(ge=1)
    next: Node | None = None
    first: Node = Field(description="The first of them")


class Tree(RootModel["list[Tree] | int"]):
    pass


Schema: TypeAlias = "dict[str, JsonValue]"

CAT: Schema = {
    "type": "object",
    "properties": {"kind": {"type": "string", "const": "cat"}},
    "required": ["kind"],
    "additionalProperties": False,
}


def properties(schema: Schema | None) -> Schema:
    assert schema is not None
    found = schema["properties"]
    assert isinstance(found, dict)
    return found


def test_choices_and_references_are_in_the_words_that_are_taken() -> None:
    schema = output_reader(Pet).spec.schema
    strict, held = strict_schema(schema), closed(schema)
    for told in (strict, held):
        found = properties(told)
        assert found["pet"] == {"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]}
        assert found["best"] == {**CAT, "description": "The best one"}
    assert properties(strict)["name"] == {"type": "string", "pattern": "^[a-z]+$"}
    assert properties(held)["name"] == {"type": "string"}
    assert strict is not None
    definitions = strict["$defs"]
    assert isinstance(definitions, dict)
    dog = definitions["Dog"]
    assert isinstance(dog, dict)
    assert dog["required"] == ["kind", "toys"]
    assert properties(dog)["toys"] == {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3}


def test_a_type_that_has_itself_in_it_is_an_object_first_and_is_said_where_it_is_taken() -> None:
    schema = output_reader(Node).spec.schema
    assert schema["type"] == "object"
    assert "$ref" not in schema
    strict = strict_schema(schema)
    assert strict is not None
    assert properties(strict) == {
        "value": {"type": "integer", "minimum": 1},
        "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
        "first": {"$ref": "#/$defs/Node"},
    }
    assert strict["required"] == ["value", "next", "first"]
    assert closed(schema) is None


def test_a_choice_that_has_itself_in_it_gets_an_object_around_it() -> None:
    schema = output_reader(Tree).spec.schema
    assert schema["type"] == "object"
    assert strict_schema(schema) is not None


_UNSAYABLE: list[Schema] = [
    {"type": "object"},
    {"type": "object", "properties": {"a": {}}},
    {"type": "object", "properties": {"a": True}},
    {"type": "object", "properties": {"a": {"type": "array", "prefixItems": [{"type": "null"}]}}},
    {"type": "object", "properties": {"a": {"type": "object", "additionalProperties": {"type": "null"}}}},
    {"type": "object", "properties": {"a": {"allOf": [{"type": "null"}, {"type": "string"}]}}},
    {"type": "object", "properties": {"a": {"enum": [["a"]]}}},
    {"type": "object", "properties": {"a": {"$ref": "https://example.com/a.json", "description": "Far"}}},
    {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
    {"$ref": "#/$defs/A"},
    {"anyOf": [{"type": "object", "properties": {}}], "type": "array"},
]


@pytest.mark.parametrize("schema", _UNSAYABLE)
def test_what_cannot_be_said_is_not_said_wrongly(schema: Schema) -> None:
    assert strict_schema(schema) is None
    assert closed(schema) is None


def test_one_of_one_is_that_one() -> None:
    schema: Schema = {"type": "object", "properties": {"a": {"allOf": [{"type": "null"}], "description": "None"}}}
    assert properties(strict_schema(schema)) == {"a": {"type": "null", "description": "None"}}


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_no_vendor_is_sent_words_that_it_refuses(wire: Wire) -> None:
    with LLMServer(wire.handle) as server:
        provider = wire.make(server.url, 5.0)
        spec = output_reader(Pet).spec
        request = Request(model=wire.model, messages=(Message.user("Hi"),), output=OutputSpec("Pet", spec.schema))
        await provider.generate(request)
        await provider.aclose()
        body = server.requests[-1].body
    if wire.name != "compatible":  # which is sent the schema as it is
        assert b"oneOf" not in body
        assert b"discriminator" not in body
