"""What a project, and the Python package in it, may be called."""

from __future__ import annotations

import functools
import importlib.metadata
import keyword
import re
import sys
import unicodedata
from collections.abc import Mapping

from sentient_cli.errors import ProjectNameError

__all__ = ["DISTRIBUTION", "package_name", "require_free_names"]

DISTRIBUTION = "sentient-agent-cli"
"""What this package is called where packages are installed from."""
MAX_LENGTH = 80
_REQUIRED = re.compile(r"[^\w.-]")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_RESERVED = frozenset(
    {
        *("sentient", "sentient_cli", "sentient_agent_cli", "sentient_agent_framework"),
        *("con", "prn", "aux", "nul"),  # files that Windows cannot have
        # What a project is tested, checked and built with, and what those need.
        *("conftest", "test", "tests", "pytest", "iniconfig", "packaging", "pluggy", "pygments", "xdist", "coverage"),
        *("mypy", "mypyc", "mypy_extensions", "pathspec", "typing_extensions", "ruff", "pyright", "basedpyright"),
        *("hatch", "hatchling", "pip", "pkg_resources", "setuptools", "uv", "wheel", "trove_classifiers"),
        *("dotenv", "pydantic_core", "yaml"),  # packages whose distribution has another name
        # Modules of the templates' own tests, which would stand in front of the package.
        *("test_agent", "test_deployment", "test_served", "test_settings", "test_tools"),
    }
)
_PASSED_OVER = frozenset({"build", "dist", "node_modules"})
"""Directories that git, linters and `sentient dev` leave out, wherever they are."""
_OF_PACKAGES = ("package", "slug")
"""Answers that name the package and the distribution, which are computed unless they are given."""


def package_name(name: str) -> str:
    """The Python package of a project.

    Args:
        name: The name of the project as it was typed: letters, digits, ``-``, ``_`` and ``.``, as
            https://packaging.python.org/en/latest/specifications/name-normalization/ has it.

    Returns:
        An identifier that hides no module that is there already.

    Raises:
        ProjectNameError: there is none for this name; the error suggests another name.

    Example:
        >>> package_name("My-agent")
        'my_agent'
    """
    reason = _reason(name)
    if reason:
        suggestion = _suggestion(name)
        raise ProjectNameError(
            f"A project cannot be called {name!r}",
            why=reason,
            fix=f"Call it {suggestion!r}" if suggestion else "Use letters, digits and `-`, such as `my-agent`",
        )
    return _identifier(name)


def require_free_names(given: Mapping[str, object]) -> None:
    """Refuse names that are taken, of those that a template of ours was given an answer for.

    Args:
        given: The answers that were given. What is no name at all is left to the template.

    Raises:
        ProjectNameError: one is taken.

    Example:
        >>> require_free_names({"package": "my_agent", "license": "MIT"})
    """
    if "name" in given:
        package_name(str(given["name"]))
    for question in _OF_PACKAGES:
        text = str(given.get(question, "my-agent"))
        reason = _too_long(text) or (_taken(_identifier(text)) if _NAME.fullmatch(text) else "")
        if reason:
            raise ProjectNameError(
                f"The {question} cannot be {text!r}", why=reason, fix=f"Leave it out, or give it another {question}"
            )


def _identifier(name: str) -> str:
    return re.sub(r"[-.]+", "_", name).lower()


def _reason(name: str) -> str:
    if _too_long(name):
        return _too_long(name)
    if not _NAME.fullmatch(name):
        return "A name has letters, digits, `-`, `_` and `.`, and begins and ends with a letter or digit"
    return _taken(_identifier(name))


def _too_long(name: str) -> str:
    return f"It is longer than {MAX_LENGTH} characters" if len(name) > MAX_LENGTH else ""


def _taken(package: str) -> str:
    if not package.isidentifier():
        return "A Python package cannot begin with a digit"
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        return f"`{package}` is a keyword of Python"
    if package in sys.stdlib_module_names:
        return f"Its package would hide the module `{package}` of Python"
    if package in _PASSED_OVER:
        return f"git, linters and `sentient dev` leave out directories called `{package}`"
    if package in _RESERVED or package in _dependencies():
        return f"Its package would hide the package `{package}`"
    return ""


def _suggestion(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words: list[str] = re.findall(r"[A-Za-z0-9]+", plain[:MAX_LENGTH])
    longer = [["my", *words]] if words[-1:] == ["agent"] else [[*words, "agent"], ["my", *words]]
    for candidate in map("-".join, [words, *longer]):
        if words and not _reason(candidate):
            return candidate
    return ""


@functools.cache
def _dependencies() -> frozenset[str]:
    """What this package needs, and what that needs in turn."""
    found: set[str] = set()
    waiting = [DISTRIBUTION]
    while waiting:
        try:
            required = importlib.metadata.requires(waiting.pop()) or []
        except importlib.metadata.PackageNotFoundError:  # for another system
            continue
        names = {_REQUIRED.split(line, maxsplit=1)[0] for line in required if "extra ==" not in line}
        waiting += [name for name in names if _identifier(name) not in found]
        found |= set(map(_identifier, names))
    return frozenset(found)
