"""What a project, and the Python package in it, may be called."""

from __future__ import annotations

import importlib.metadata
import keyword
import re
import sys
import unicodedata

from sentient_cli.errors import ProjectNameError

__all__ = ["DISTRIBUTION", "package_name"]

DISTRIBUTION = "sentient-agent-cli"
"""What this package is called where packages are installed from."""
MAX_LENGTH = 80
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_RESERVED = frozenset(
    {
        *("sentient_cli", "sentient_agent_framework", "pytest", "tests", "test", "setuptools", "pip"),
        *("con", "prn", "aux", "nul"),  # files that Windows cannot have
    }
)


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


def _identifier(name: str) -> str:
    return re.sub(r"[-.]+", "_", name).lower()


def _reason(name: str) -> str:
    if len(name) > MAX_LENGTH:
        return f"It is longer than {MAX_LENGTH} characters"
    if not _NAME.fullmatch(name):
        return "A name has letters, digits, `-`, `_` and `.`, and begins and ends with a letter or digit"
    return _taken(_identifier(name))


def _taken(package: str) -> str:
    if not package.isidentifier():
        return "A Python package cannot begin with a digit"
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        return f"`{package}` is a keyword of Python"
    if package in sys.stdlib_module_names:
        return f"Its package would hide the module `{package}` of Python"
    if package in _RESERVED or package in _dependencies():
        return f"Its package would hide the package `{package}`"
    return ""


def _suggestion(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.findall(r"[A-Za-z0-9]+", plain[:MAX_LENGTH])
    for candidate in ("-".join(words), "-".join([*words, "agent"]), "-".join(["my", *words])):
        if words and not _reason(candidate):
            return candidate
    return ""


def _dependencies() -> set[str]:
    try:
        required = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return set()
    return {_identifier(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in required}
