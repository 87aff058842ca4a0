"""Pieces stay small."""

from __future__ import annotations

import ast

from tests.house.sources import functions, sources

_FILE_LINES = 400
_FUNCTION_LINES = 50


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a body without its docstring: a flag or an argument a line, and what is promised, are no logic."""
    documented = ast.get_docstring(function) is not None and len(function.body) > 1
    first = function.body[1] if documented else function.body[0]
    return (function.end_lineno or first.lineno) - first.lineno + 1


def test_files_stay_short() -> None:
    sizes = {source.name: source.text.count("\n") for source in sources()}
    assert {name: size for name, size in sizes.items() if size > _FILE_LINES} == {}


def test_functions_stay_short() -> None:
    long = {
        f"{source.name}:{function.lineno} {function.name}": size
        for source in sources()
        for function in functions(source)
        if (size := _lines(function)) > _FUNCTION_LINES
    }
    assert long == {}


def test_most_functions_are_under_twenty_lines() -> None:
    lengths = [
        _lines(function)
        for source in sources()
        if source.name.startswith("sentient_cli/")
        for function in functions(source)
    ]
    assert sum(length <= 20 for length in lengths) >= 0.75 * len(lengths)
