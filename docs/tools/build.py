"""Gather the pages and the generated reference, then build the site strictly, without a network.

The site is in ``.cache/docs/site``.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TypeAlias, cast

from docs.tools.reference import write

_Tree: TypeAlias = "str | list[_Tree] | dict[str, _Tree]"

_ROOT = Path(__file__).resolve().parents[2]
_DOCS = _ROOT / "docs"
_WORK = _ROOT / ".cache" / "docs"
_PAGES = _WORK / "pages"
_NAMED = 2
"""From so many dots on a module is named on the overview of the reference only."""
_NOT_PAGES = {"tools", "reference"}
_WARNING = re.compile(r"warning|error|not found|unresolved", re.IGNORECASE)
_FOREIGN = re.compile(r"""(?:src|href)=["']?(https?:)?//[^"'> ]+\.(?:css|js|woff2?)""")


def _navigation(modules: list[str]) -> str:
    """The pages in the order of ``zensical.toml``, then those of the error codes and the reference.

    Raises:
        ValueError: a page is in no place of the navigation.
    """
    config = tomllib.loads((_DOCS / "zensical.toml").read_text("utf-8"))
    order = cast("list[_Tree]", config["project"]["extra"]["navigation"])
    known = _toml(order)
    missing = sorted(page.name for page in _PAGES.glob("*.md") if json.dumps(page.name) not in known)
    if missing:
        raise ValueError(f"docs/zensical.toml has no place for {', '.join(missing)}")
    codes: list[_Tree] = []
    for page in sorted((_PAGES / "errors").glob("*.md")):
        codes.append({page.stem: f"errors/{page.name}"})  # noqa: PERF401 the type of a recursive list is invariant
    # Each page holds the whole navigation: with every module in it they would be 190 MB. The overview lists all.
    reference: list[_Tree] = [{"Overview": "reference/index.md"}]
    for name in modules:
        if name.count(".") < _NAMED:
            reference.append({name: f"reference/{name}.md"})  # noqa: PERF401 the type of a recursive list is invariant
    return "nav = " + _toml([*order, {"Error codes": codes}, {"Reference": reference}])


def _toml(value: _Tree) -> str:
    match value:
        case dict():
            inside = ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items())
            return f"{{ {inside} }}"
        case list():
            return f"[{', '.join(_toml(each) for each in value)}]"
        case _:
            return json.dumps(value)


def gather() -> None:
    """Lay out the folder that the generator reads."""
    shutil.rmtree(_WORK, ignore_errors=True)
    shutil.copytree(_DOCS, _PAGES, ignore=shutil.ignore_patterns("__pycache__", "*.toml", *_NOT_PAGES))
    modules = write(_PAGES / "reference")
    config = (_DOCS / "zensical.toml").read_text("utf-8")
    config = config.replace("[project.theme]", f"{_navigation(modules)}\n\n[project.theme]", 1)
    (_WORK / "zensical.toml").write_text(config, "utf-8")


def foreign_parts() -> list[str]:
    """Scripts, styles and fonts that a built page would fetch from elsewhere."""
    pages = sorted((_WORK / "site").rglob("*.html"))
    return [f"{page.name}: {match[0]}" for page in pages for match in _FOREIGN.finditer(page.read_text("utf-8"))]


def main() -> int:
    """Build; 1 when the generator warns or a page needs something from elsewhere."""
    gather()
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(_WORK / "zensical.toml")]
    done = subprocess.run(command, cwd=_WORK, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if done.returncode or not (_WORK / "site" / "index.html").exists():
        print(output, file=sys.stderr)
        return 1
    foreign = foreign_parts()
    if foreign:
        print("pages fetch from elsewhere:", *foreign, sep="\n", file=sys.stderr)
        return 1
    print(f"docs: {len(list((_WORK / 'site').rglob('*.html')))} pages in {(_WORK / 'site').relative_to(_ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
