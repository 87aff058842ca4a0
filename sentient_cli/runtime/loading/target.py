"""Where the agent is: what the user wrote, or what a project holds, becomes a file or a module, and a name in it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sentient_cli.config.names import native_name
from sentient_cli.errors import AgentAmbiguousError, AgentNotFoundError

__all__ = ["Target", "discover", "near", "parse_target"]

_NAMES = ("agent.py", "main.py", "app.py")
_MENTION = re.compile(rb"\b(assist|agent)\b")
_ATTRIBUTE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_SKIPPED = {"tests", "test", "docs", "examples", "build", "dist", "node_modules"}


@dataclass(frozen=True, slots=True)
class Target:
    """What to import, and what to take from it.

    Args:
        file: The file, when one was named or found.
        module: The module's dotted name, when that was given instead.
        attribute: The name of the agent in it; empty: the only one there.
    """

    file: Path | None = None
    module: str = ""
    attribute: str = ""


def parse_target(text: str, base: Path, project_dir: Path) -> Target:
    """Read ``module:attr``, ``path/file.py`` or ``path/file.py:attr``.

    Args:
        text: What the user wrote.
        base: What a relative path is tried against first.
        project_dir: What it is tried against next; a directory is searched like a project.

    Raises:
        AgentNotFoundError: the file does not exist, or is no Python file.
        AgentAmbiguousError: a directory holds several.

    Example:
        >>> parse_target("shop.agents:seller", Path(), Path())
        Target(file=None, module='shop.agents', attribute='seller')
    """
    head, colon, attribute = text.rpartition(":")
    if not colon or not _ATTRIBUTE.fullmatch(attribute):
        head, attribute = text, ""
    head = native_name(head)
    found = next((path for path in (base / head, project_dir / head) if head and path.exists()), None)
    if _looks_like_path(head) or (found is not None and found.is_file()):
        return Target(file=_check_file(head, found, base), attribute=attribute)
    if not _ATTRIBUTE.fullmatch(head):
        raise AgentNotFoundError(
            f"{text!r} names no agent",
            why="It is neither a file nor a module",
            fix="Write `path/agent.py`, `path/agent.py:name` or `package.module:name`",
        )
    return Target(module=head, attribute=attribute)


def _looks_like_path(head: str) -> bool:
    return head.endswith(".py") or head in {".", ".."} or "/" in head or os.sep in head


def _check_file(head: str, found: Path | None, base: Path) -> Path:
    if found is None:
        raise _missing(head, base)
    if found.is_dir():
        return discover(found)
    if not found.is_file():
        raise AgentNotFoundError(
            f"{head} is no file", why="It is a pipe or a device", fix="Name a file that ends in .py"
        )
    if found.suffix != ".py":
        raise AgentNotFoundError(f"{head} is not a Python file", fix="Name a file that ends in .py")
    return found.resolve()


def _missing(head: str, base: Path) -> AgentNotFoundError:
    parent = (base / head).parent
    if not parent.is_dir():
        return AgentNotFoundError(
            f"There is no file {head}", why=f"The directory {parent} does not exist", fix="Check the path"
        )
    if (base / head).is_symlink():
        return AgentNotFoundError(
            f"There is no file {head}", why="It is a link that leads nowhere", fix="Mend the link, or name another file"
        )
    others = sorted(path.name for path in parent.glob("*.py"))
    # The end that all of them have would make strangers alike.
    similar = near(Path(head).stem, [name.removesuffix(".py") for name in others])
    similar = f"{similar}.py" if similar else ""
    if similar:
        fix = f"Did you mean {similar}?"
    elif others:
        fix = f"{parent} has {', '.join(others[:8])}"
    else:
        fix = f"{parent} has no Python file; check the path"
    return AgentNotFoundError(f"There is no file {head}", why=f"It was looked for in {parent}", fix=fix)


def near(name: str, names: list[str]) -> str:
    """The name among ``names`` that was probably meant; empty when none is like it.

    Example:
        >>> near("agnet.py", ["agent.py", "main.py"])
        'agent.py'
    """
    from difflib import get_close_matches  # noqa: PLC0415 - only for those who err

    return next(iter(get_close_matches(name, names, n=1, cutoff=0.6)), "")


def discover(directory: Path) -> Path:
    """The file of a project's agent: agent.py, main.py or app.py; in src/; then in its packages.

    Args:
        directory: The project.

    Raises:
        AgentNotFoundError: there is none.
        AgentAmbiguousError: several packages have one.
    """
    directory = directory.resolve()
    plain = [path for folder in (directory, directory / "src") for path in _named(folder)]
    for path in plain:
        if _mentions_agent(path):
            return path
    packaged = [path for folder in (directory, directory / "src") for path in _in_packages(folder)]
    if len(packaged) > 1:
        raise AgentAmbiguousError(
            f"{directory} has {len(packaged)} packages with an agent",
            why=", ".join(str(path.relative_to(directory)) for path in packaged),
            fix=f"Name one: `{packaged[0].relative_to(directory)}`, or set `agent` in sentient.toml",
        )
    for path in packaged + plain:
        return path
    raise AgentNotFoundError(
        f"There is no agent in {directory}",
        why=f"None of {', '.join(_NAMES)} is there, in src/ or in a package",
        fix="Name the agent's file or `module:name`, or set `agent` in sentient.toml",
    )


def _named(folder: Path) -> Iterator[Path]:
    return (folder / name for name in _NAMES if (folder / name).is_file())


def _in_packages(folder: Path) -> Iterator[Path]:
    for init in sorted(folder.glob("*/__init__.py")):
        package = init.parent
        if package.name in _SKIPPED or package.name.startswith((".", "_")):
            continue
        hit = next((path for path in (*_named(package), init) if _mentions_agent(path)), None)
        if hit is not None:
            yield hit


def _mentions_agent(path: Path) -> bool:
    try:
        return _MENTION.search(path.read_bytes()) is not None
    except OSError:
        return True  # importing it will say why it cannot be read
