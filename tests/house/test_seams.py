"""What may stand in one place only stands there: Any, the environment, printing."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Callable, Iterable

from tests.house.sources import PACKAGE, Source, package, sources

_SEAMS = PACKAGE.parent / "tests" / "house" / "seams.toml"
_ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def _lines(source: Source, found: Callable[[ast.AST], bool], words: Iterable[str]) -> list[str]:
    """Where something is found, which cannot be in a file that has none of the words."""
    return [f"{source.name}:{getattr(node, 'lineno', 0)}" for node in source.nodes(*words) if found(node)]


def _attribute_of(node: ast.AST, owner: str, names: set[str]) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id=module), attr=attribute):
            return module == owner and attribute in names
        case ast.ImportFrom(module=module, names=imported):
            return module == owner and any(alias.name in names for alias in imported)
        case _:
            return False


def _is_any(node: ast.AST) -> bool:
    return _attribute_of(node, "typing", {"Any"}) or _attribute_of(node, "t", {"Any"})


def test_explicit_any_stands_only_at_listed_seams() -> None:
    allowed: dict[str, str] = tomllib.loads(_SEAMS.read_text("utf-8"))["seams"]
    using = {source.name for source in sources() if _lines(source, _is_any, {"Any"})}
    assert using - set(allowed) == set(), "not listed in tests/house/seams.toml"
    assert set(allowed) - using == set(), "listed, but not needed any more"
    assert all(reason.strip() for reason in allowed.values())


def test_the_environment_is_read_only_in_config() -> None:
    outside = [source for source in package() if not source.name.startswith("sentient_cli/config/")]

    def reads(node: ast.AST) -> bool:
        return _attribute_of(node, "os", _ENVIRONMENT)

    assert [line for source in outside for line in _lines(source, reads, _ENVIRONMENT)] == []


def _prints(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="print")):
            return True
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr"), attr=attribute):
            return attribute in {"write", "writelines", "buffer"}
        case _:
            return False


def test_only_the_console_prints() -> None:
    outside = [source for source in package() if source.name != "sentient_cli/cli/console.py"]
    assert [line for source in outside for line in _lines(source, _prints, {"print", "stdout", "stderr"})] == []


def test_only_main_exits() -> None:
    def exits(node: ast.AST) -> bool:
        return _attribute_of(node, "os", {"_exit"}) or _attribute_of(node, "sys", {"exit"})

    seams: dict[str, str] = tomllib.loads(_SEAMS.read_text("utf-8"))["exits"]
    assert all(reason.strip() for reason in seams.values())
    allowed = {"sentient_cli/__main__.py", "sentient_cli/cli/main.py", *seams}
    outside = [source for source in package() if source.name not in allowed]
    assert [line for source in outside for line in _lines(source, exits, {"exit"})] == []
