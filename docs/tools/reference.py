"""Write one page for each public module: every name of its ``__all__``, its signature and its docstring.

Read with griffe from the sources; nothing is imported, so a page never depends on the machine that builds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import griffe

_ROOT = Path(__file__).resolve().parents[2]
_WIDTH = 100
"""A signature longer than this is written with one argument a line."""


def load() -> griffe.Module:
    """The package as griffe sees it, with the aliases of every ``__all__`` resolved."""
    loader = griffe.GriffeLoader(search_paths=[str(_ROOT)], docstring_parser="google")
    package = loader.load("sentient_cli")
    loader.resolve_aliases(implicit=False, external=False)
    if not isinstance(package, griffe.Module):
        raise TypeError(package)
    return package


def public_modules(module: griffe.Module) -> Iterator[griffe.Module]:
    """The module and what is under it, without private ones and without those that name nothing public."""
    if module.exports:
        yield module
    for name, member in sorted(module.modules.items()):
        if not name.startswith("_") and not member.is_alias:
            yield from public_modules(member)


def names(module: griffe.Module) -> list[str]:
    """The names of ``__all__``, sorted."""
    return sorted(str(name) for name in module.exports or ())


def _signature(function: griffe.Function, shown: str) -> str:
    parts: list[str] = []
    star = False
    for number, parameter in enumerate(function.parameters):
        if number == 0 and parameter.name in {"self", "cls"}:
            continue
        kind = parameter.kind
        if kind is griffe.ParameterKind.keyword_only and not star:
            parts.append("*")
            star = True
        star = star or kind is griffe.ParameterKind.var_positional
        parts.append(_parameter(parameter))
        if kind is griffe.ParameterKind.positional_only and _last_positional_only(function, parameter):
            parts.append("/")
    returns = f" -> {function.returns}" if function.returns is not None else ""
    prefix = "async def " if "async" in function.labels else "def "
    line = f"{prefix}{shown}({', '.join(parts)}){returns}"
    if len(line) <= _WIDTH:
        return line
    return f"{prefix}{shown}(\n" + "".join(f"    {part},\n" for part in parts) + f"){returns}"


def _last_positional_only(function: griffe.Function, parameter: griffe.Parameter) -> bool:
    only = [each.name for each in function.parameters if each.kind is griffe.ParameterKind.positional_only]
    return bool(only[-1] == parameter.name)


def _parameter(parameter: griffe.Parameter) -> str:
    stars = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
    prefix = stars.get(parameter.kind, "") if parameter.kind is not None else ""
    text = prefix + parameter.name
    if parameter.annotation is not None:
        text += f": {parameter.annotation}"
    if parameter.default is not None and not prefix:
        text += f" = {parameter.default}" if parameter.annotation is not None else f"={parameter.default}"
    return text


def _code(text: str) -> str:
    return f"```python\n{text}\n```\n\n"


def _docstring(thing: griffe.Object | griffe.Alias) -> str:
    """The docstring as Markdown: sections become lists, examples stay code."""
    if thing.docstring is None:
        return ""
    return "".join(_section(section) for section in thing.docstring.parse("google", warnings=False))


def _section(section: griffe.DocstringSection) -> str:
    match section:
        case griffe.DocstringSectionText():
            return f"{_text(section.value)}\n\n"
        case griffe.DocstringSectionExamples():
            return "".join(_example(kind, text) for kind, text in section.value)
        case griffe.DocstringSectionParameters() | griffe.DocstringSectionAttributes():
            items = [f"- `{item.name}`: {_flat(item.description)}\n" for item in section.value]
        case griffe.DocstringSectionRaises():
            items = [f"- raises `{item.annotation}`: {_flat(item.description)}\n" for item in section.value]
        case griffe.DocstringSectionReturns() | griffe.DocstringSectionYields():
            items = [f"- returns: {_flat(item.description)}\n" for item in section.value]
        case griffe.DocstringSectionAdmonition():
            return f"**{section.title}**\n\n{_text(section.value.contents)}\n\n"
        case _:
            return ""
    return "".join(items) + "\n"


def _example(kind: griffe.DocstringSectionKind, text: str) -> str:
    return f"```pycon\n{text}\n```\n\n" if kind is griffe.DocstringSectionKind.examples else f"{_text(text)}\n\n"


def _flat(text: str) -> str:
    return " ".join(_text(text).split())


def _text(text: str) -> str:
    """Docstring prose: reStructuredText's double backquotes become Markdown's single ones, examples become blocks."""
    lines: list[str] = []
    inside = False
    for line in text.replace("``", "`").splitlines():
        starts = line.lstrip().startswith(">>>")
        if starts and not inside:
            lines.append("```pycon")
            inside = True
        if inside and not line.strip():
            lines.append("```")
            inside = False
        lines.append(line)
    return "\n".join([*lines, "```"] if inside else lines)


def _members(owner: griffe.Class, shown: str, level: int) -> str:
    parts: list[str] = []
    for name, member in owner.members.items():
        if member.is_alias or (name.startswith("_") and name != "__call__") or not member.has_docstring:
            continue
        parts.append(_thing(member, f"{shown}.{name}", level))
    return "".join(parts)


def _thing(thing: griffe.Object | griffe.Alias, shown: str, level: int) -> str:
    target = thing.final_target if isinstance(thing, griffe.Alias) else thing
    head = f"{'#' * level} `{shown}`\n\n"
    match target:
        case griffe.Class():
            bases = ", ".join(str(base) for base in target.bases)
            constructor = target.members.get("__init__")
            title = f"class {target.name}({bases})" if bases else f"class {target.name}"
            if isinstance(constructor, griffe.Function):
                title += f"\n\n{_signature(constructor, shown).removeprefix('def ').removesuffix(' -> None')}"
            return head + _code(title) + _docstring(target) + _members(target, shown, level + 1)
        case griffe.Function():
            return head + _code(_signature(target, target.name)) + _docstring(target)
        case griffe.Attribute():
            annotation = f": {target.annotation}" if target.annotation is not None else ""
            value = f" = {target.value}" if target.value is not None and len(str(target.value)) <= _WIDTH else ""
            return head + _code(f"{target.name}{annotation}{value}") + _docstring(target)
        case _:
            return head + _docstring(target)


def _where(target: griffe.Object, module: griffe.Module) -> griffe.Module | None:
    """The public module that defines a name which this module only hands on."""
    defined = target.module
    is_public = defined.exports is not None and not any(part.startswith("_") for part in defined.path.split("."))
    return defined if defined.path != module.path and is_public else None


def page(module: griffe.Module) -> str:
    """The reference of one module; a name that is defined in another public module is a link to it."""
    parts = [f"# `{module.path}`\n\n", _docstring(module)]
    for name in names(module):
        member = module.members.get(name)
        if member is None or (isinstance(member, griffe.Alias) and not member.resolved):
            parts.append(f"## `{name}`\n\nSupplied when it is first asked for.\n\n")
            continue
        target = member.final_target if isinstance(member, griffe.Alias) else member
        if isinstance(target, griffe.Module):
            parts.append(f"## `{name}`\n\nThe module [`{target.path}`]({target.path}.md).\n\n")
            continue
        defined = _where(target, module)
        if defined is None:
            parts.append(_thing(member, name, 2))
        else:
            parts.append(f"## `{name}`\n\nSee [`{defined.path}.{name}`]({defined.path}.md).\n\n")
    return "".join(parts)


def write(folder: Path) -> list[str]:
    """Write every page and an index into ``folder``; returns the modules' paths."""
    folder.mkdir(parents=True, exist_ok=True)
    modules = list(public_modules(load()))
    rows: list[str] = []
    for module in modules:
        (folder / f"{module.path}.md").write_text(page(module), "utf-8")
        listed = ", ".join(f"`{name}`" for name in names(module))
        rows.append(f"| [`{module.path}`]({module.path}.md) | {listed} |\n")
    index = "# Reference\n\nEvery public name, by module.\n\n| module | names |\n|---|---|\n"
    (folder / "index.md").write_text(index + "".join(rows), "utf-8")
    return [module.path for module in modules]
