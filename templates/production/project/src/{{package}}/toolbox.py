"""Makes typed functions into tools of a model: schemas from their types, arguments checked, failures told."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError, validate_call
from sentient_cli import BadRequestError, llm

log = logging.getLogger(__name__)


class ToolFailure(Exception):  # noqa: N818 - it is told to the model, which may try again
    """A tool was asked for something that it cannot do."""


class Toolbox:
    """The tools that a model may use.

    Args:
        functions: Plain or async functions with typed parameters. The docstring tells the model what they are for, a
            `ValueError` what was wrong. One that takes long is async, so that other queries go on.
    """

    def __init__(self, *functions: Callable[..., object]) -> None:
        """Read the schemas of the functions from their types."""
        self._functions = {function.__name__: validate_call(function) for function in functions}
        self.tools = tuple(map(_tool, functions))

    async def use(self, call: llm.ToolCall, *, timeout: float) -> str:  # noqa: ASYNC109 - it is a setting
        """Do what the model asks for, and give the result as text.

        Raises:
            ToolFailure: the tool is not known, its arguments are wrong, or it failed.
        """
        function = self._functions.get(call.name)
        if function is None:
            raise ToolFailure(f"There is no tool {call.name!r}. There are: {', '.join(self._functions)}")
        try:
            async with asyncio.timeout(timeout):
                result = function(**call.parsed())
                return _as_text(await result if inspect.isawaitable(result) else result)
        except ValidationError as error:
            raise ToolFailure(_what_is_wrong(error)) from error
        except (ValueError, BadRequestError) as error:
            raise ToolFailure(str(error)) from error
        except TimeoutError as error:
            raise ToolFailure(f"It took longer than {timeout:g} s") from error
        except Exception as error:
            log.exception("The tool %s failed", call.name)
            raise ToolFailure("The tool failed") from error  # what it raised is nothing for a model


def _tool(function: Callable[..., object]) -> llm.ToolSpec:
    kind: Any = function  # pydantic describes functions as it does types
    return llm.ToolSpec(function.__name__, inspect.getdoc(function) or "", TypeAdapter(kind).json_schema())


def _as_text(result: object) -> str:
    return result if isinstance(result, str) else json.dumps(result, default=str, ensure_ascii=False)


def _what_is_wrong(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
