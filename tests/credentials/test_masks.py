"""Whoever writes a secret down, in any of the usual ways, shows the mask or refuses."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import logging
import operator
import pickle
import pprint
import reprlib
import traceback
from collections.abc import Callable
from functools import partial

import msgspec
import pydantic
import pytest
import rich
from pydantic_core import PydanticSerializationError
from rich.console import Console
from rich.pretty import pretty_repr
from rich.traceback import Traceback

from sentient_cli.config.fields import Section, Token
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.item import Item, Version, decode_item, encode_item, fingerprint_of
from sentient_cli.credentials.ports import Held
from sentient_cli.credentials.stores.sealing import Kept
from sentient_cli.errors import CredentialStoreError

CANARY = "canary-7Gq2XvN4sTzK9wLb"


@dataclasses.dataclass
class Data:
    key: Secret


class Record(msgspec.Struct):
    key: Secret


class Settings(Section):
    key: Token


VERSION = Version(id="1", state="current", value=CANARY)
HOLDERS: dict[str, object] = {
    "secret": Secret(CANARY),
    "in a list": [Secret(CANARY)],
    "in a dict": {"key": Secret(CANARY)},
    "dataclass": Data(Secret(CANARY)),
    "struct": Record(Secret(CANARY)),
    "settings": Settings(key=Secret(CANARY)),
    "held": Held(Secret(CANARY), "1"),
    "version": VERSION,
    "item": Item(versions=(VERSION,)),
    "kept": Kept(CANARY, "1"),
}


def _logged(value: object) -> str:
    stream = io.StringIO()
    logger = logging.getLogger("tests.masks")
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        logger.warning("%s %r", value, value)
    finally:
        logger.removeHandler(handler)
    return stream.getvalue()


def _printed(value: object) -> str:
    console = Console(file=io.StringIO(), width=200, record=True)
    console.print(value, repr(value))
    return console.export_text()


def _inspected(value: object) -> str:
    console = Console(file=io.StringIO(), width=200, record=True)
    rich.inspect(value, console=console, private=True, methods=True, docs=False)
    return console.export_text()


def _raise_near(value: object) -> None:
    kept_here = value
    raise RuntimeError(f"near {kept_here}")


def _traced(value: object) -> str:
    console = Console(file=io.StringIO(), width=200, record=True)
    try:
        _raise_near(value)
    except RuntimeError as error:
        console.print(Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True))
        plain = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        return console.export_text() + plain
    raise AssertionError("it was raised")


SHOWN: dict[str, Callable[[object], str]] = {
    "str": str,
    "repr": repr,
    "f-string": lambda value: f"{value} {value!r} {value!s} {value!a}",
    "percent": lambda value: "%s %r %a" % (value, value, value),  # noqa: UP031 - this is what is tried
    "format": lambda value: f"{value} {value!r}",
    "pprint": pprint.pformat,
    "reprlib": reprlib.repr,
    "log": _logged,
    "rich": _printed,
    "rich pretty": pretty_repr,
    "traceback": _traced,
    "json by str": lambda value: json.dumps(value, default=str),
    "json by repr": lambda value: json.dumps(value, default=repr),
    "copy": lambda value: f"{copy.copy(value)!r} {copy.deepcopy(value)!r}" if value is not VERSION else "",
}


@pytest.mark.parametrize("how", SHOWN)
@pytest.mark.parametrize("holder", HOLDERS)
def test_what_is_shown_is_masked(holder: str, how: str) -> None:
    if how == "copy" and holder in {"version", "item"}:
        with pytest.raises(TypeError, match="not pickled"):
            copy.deepcopy(HOLDERS[holder])
        return
    shown = SHOWN[how](HOLDERS[holder])
    assert CANARY not in shown
    assert CANARY[::-1] not in shown


def test_an_inspector_does_not_see_it() -> None:
    assert CANARY not in _inspected(Secret(CANARY))
    assert not any("value" in name for name in dir(Secret(CANARY)))
    with pytest.raises(TypeError):
        vars(Secret(CANARY))


REFUSED: dict[str, Callable[[object], object]] = {
    **{f"pickle {number}": partial(pickle.dumps, protocol=number) for number in range(6)},
    "reduce": lambda value: value.__reduce__(),
    "json": json.dumps,
    "msgspec json": msgspec.json.encode,
    "msgspec msgpack": msgspec.msgpack.encode,
}


@pytest.mark.parametrize("how", REFUSED)
@pytest.mark.parametrize("holder", ["secret", "in a list", "in a dict", "dataclass", "struct", "settings", "held"])
def test_what_is_written_is_refused(holder: str, how: str) -> None:
    if how == "reduce" and holder != "secret":
        pytest.skip("the others are written whole by pickle alone")
    with pytest.raises(TypeError) as caught:
        REFUSED[how](HOLDERS[holder])
    assert CANARY not in repr(caught.value)


@pytest.mark.parametrize("holder", ["version", "item"])
def test_versions_are_not_pickled(holder: str) -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(HOLDERS[holder])


def test_a_copy_is_the_secret() -> None:
    secret = Secret(CANARY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret
    assert dataclasses.asdict(Data(secret)) == {"key": secret}
    assert dataclasses.replace(Data(secret)).key is secret
    assert Settings(key=secret).model_copy(deep=True).key is secret


def test_what_is_no_operation_of_a_secret_says_nothing_of_it() -> None:
    secret = Secret(CANARY)
    operations: list[tuple[Callable[..., object], tuple[object, ...]]] = [
        (",".join, ([secret],)),
        (operator.add, ("x", secret)),
        (format, (secret, ">40")),
        (iter, (secret,)),
        (len, (secret,)),
        (bytes, (secret,)),
        (int, (secret,)),
        (operator.lt, (secret, secret)),
    ]
    for operation, arguments in operations:
        with pytest.raises(TypeError) as caught:
            operation(*arguments)
        assert CANARY not in repr(caught.value)


def test_pydantic_shows_the_mask_or_refuses() -> None:
    settings = Settings(key=Secret(CANARY))
    assert settings.model_dump() == {"key": Secret(CANARY)}
    with pytest.raises(PydanticSerializationError) as caught:
        settings.model_dump_json()
    assert CANARY not in repr(caught.value)
    for wrong in ({"key": [CANARY]}, {"key": ""}, {"key": CANARY, "kez": CANARY}, {"key": {"x": CANARY}}, {CANARY: 1}):
        with pytest.raises(pydantic.ValidationError) as refused:
            Settings.model_validate(wrong)
        if CANARY not in wrong:
            assert CANARY not in f"{refused.value}{refused.value!r}"


def test_two_secrets_are_compared_whatever_is_in_them() -> None:
    strange = Secret("canary\ud800\udc80")
    assert strange == Secret("canary\ud800\udc80")
    assert not strange.matches("canary")
    assert strange != Secret("canary")
    assert hash(strange) == hash(Secret("canary\ud800\udc80"))
    assert strange
    assert not Secret("")


def test_a_fingerprint_of_what_could_be_guessed_says_nothing() -> None:
    assert fingerprint_of("123456") == fingerprint_of("x" * 15) == ""
    assert len(fingerprint_of("x" * 16)) == 12
    assert fingerprint_of("x" * 16) != fingerprint_of("x" * 17)


@pytest.mark.parametrize(
    "text",
    [
        '{"format":"sentient.credential","versions":[{"id":"1","state":"current","val',
        '{"format":"sentient.credential","versions":"none"}',
        '{"format":"sentient.credential","versions":[{"id":"1","state":"later","value":"x"}]}',
        ' {"versions":[],"format":"sentient.credential","schema":"x"}',
    ],
)
def test_a_damaged_item_is_never_taken_for_a_key(text: str) -> None:
    with pytest.raises(CredentialStoreError, match="is damaged"):
        decode_item(Secret(text))


@pytest.mark.parametrize("text", ["sk-1", "{}", '{"format":"another"}', "[1]", '"x"', "\ud800", ""])
def test_what_another_program_put_there_is_a_value(text: str) -> None:
    assert decode_item(Secret(text)).versions[0].value == text


def test_an_item_is_written_and_read() -> None:
    item = Item(provider="openai", versions=(VERSION,), created_at=5, rotate_every=30)
    assert decode_item(encode_item(item)) == item
