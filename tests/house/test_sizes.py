"""Pieces stay small."""

from __future__ import annotations

from tests.house.sources import functions, sources

_FILE_LINES = 400
_FUNCTION_LINES = 50


def test_files_stay_short() -> None:
    sizes = {source.name: source.text.count("\n") for source in sources()}
    assert {name: size for name, size in sizes.items() if size > _FILE_LINES} == {}


def test_functions_stay_short() -> None:
    long = {
        f"{source.name}:{function.lineno} {function.name}": size
        for source in sources()
        for function in functions(source.tree)
        if (size := (function.end_lineno or function.lineno) - function.lineno + 1) > _FUNCTION_LINES
    }
    assert long == {}


def test_most_functions_are_under_twenty_lines() -> None:
    lengths = [
        (function.end_lineno or function.lineno) - function.lineno + 1
        for source in sources()
        if source.name.startswith("sentient_cli/")
        for function in functions(source.tree)
    ]
    assert sum(length <= 20 for length in lengths) >= 0.75 * len(lengths)
