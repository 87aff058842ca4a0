"""The types that settings have, and what every table of settings is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, NamedTuple, Self, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import core_schema
from typing_extensions import override

from sentient_cli.config.masks import masked
from sentient_cli.config.origins import check_host, check_origin
from sentient_cli.config.secret import Secret
from sentient_cli.deferred_models import DeferredModel

__all__ = [
    "MIB",
    "Bytes",
    "Count",
    "HostName",
    "Name",
    "Origin",
    "Port",
    "Positive",
    "PositiveBytes",
    "PositiveSeconds",
    "Seconds",
    "Section",
    "StoreUrl",
    "Text",
    "Token",
    "Unit",
    "Workers",
]

MIB: Final = 1024 * 1024


class Unit(NamedTuple):
    """What the number of a setting counts or measures, such as ``Unit("seconds")``: a mark on its type."""

    name: str


def no_flag(value: object) -> object:
    """Keep True from passing for 1: what numbers are checked with first."""
    if isinstance(value, bool):
        raise ValueError("Input should be a valid number")  # noqa: TRY004 - Pydantic turns only a ValueError into an error
    return value


def _secret_schema(*_: object) -> core_schema.CoreSchema:
    text = core_schema.str_schema(min_length=1)
    return core_schema.union_schema(
        [core_schema.is_instance_schema(Secret), core_schema.no_info_after_validator_function(Secret, text)],
        custom_error_type="secret",
        custom_error_message="Input should be a string that is not empty",
    )


def keep_undecoded(value: object, check: ValidatorFunctionWrapHandler) -> object:
    # Where the locale knows no UTF-8, Python has the name of a file with lone surrogates, which no string may have.
    undecoded = isinstance(value, str) and not value.isascii() and any("\udc80" <= char <= "\udcff" for char in value)
    if not undecoded:
        return check(value)
    check(str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    return value


Seconds = Annotated[float, BeforeValidator(no_flag), Field(ge=0, allow_inf_nan=False), Unit("seconds")]
"""A duration in seconds, 0 or more."""
PositiveSeconds = Annotated[float, BeforeValidator(no_flag), Field(gt=0, allow_inf_nan=False), Unit("seconds")]
Port = Annotated[int, BeforeValidator(no_flag), Field(ge=0, le=65535)]
Positive = Annotated[int, BeforeValidator(no_flag), Field(ge=1)]
Workers = Annotated[int, BeforeValidator(no_flag), Field(ge=1, le=256)]  # a mistyped number must not exhaust a machine
Count = Annotated[int, BeforeValidator(no_flag), Field(ge=0)]
Bytes = Annotated[Count, Unit("bytes")]
PositiveBytes = Annotated[Positive, Unit("bytes")]
Text = Annotated[str, Field(min_length=1)]
Origin = Annotated[str, AfterValidator(check_origin)]
HostName = Annotated[str, AfterValidator(check_host)]
Token = Annotated[Secret, GetPydanticSchema(_secret_schema)]
Name = Annotated[str, Field(min_length=1), WrapValidator(keep_undecoded)]
"""Text that can be the name of a file."""
StoreUrl = Annotated[str, Field(pattern=r"^(memory|sqlite:.+|file:.+)$"), WrapValidator(keep_undecoded)]


_as_shipped: Final[dict[type[Section], Section]] = {}


class Section(DeferredModel):
    """A table of settings: frozen, and with nothing in it that is no setting."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
        validate_default=True,
    )

    @classmethod
    def defaults(cls) -> Self:
        """The table with nothing set; not checked, since a test does that.

        Example:
            >>> from sentient_cli.config import ServerSettings
            >>> ServerSettings.defaults() == ServerSettings()
            True
        """
        made = _as_shipped.get(cls)
        if made is None:
            made = _as_shipped[cls] = cls.model_construct()
        return cast("Self", made)

    @override
    def __repr_args__(self) -> Iterator[tuple[str | None, object]]:
        for name, value in super().__repr_args__():  # an address may hold a password, and a header be one
            yield name, masked(cast("object", value)) if isinstance(value, str | dict) else value
