"""The templates that come with this package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sentient_cli.errors import TemplateNotFoundError

__all__ = ["BUILTIN", "BuiltinTemplate", "find_builtin"]

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class BuiltinTemplate:
    """A template that comes with this package.

    Args:
        name: What it is asked for by.
        summary: What it gives, in a few words.
    """

    name: str
    summary: str

    @property
    def root(self) -> Path:
        """The directory of its ``copier.yml``.

        Raises:
            TemplateNotFoundError: this installation lacks it.
        """
        # In a wheel the templates are inside the package, in a checkout beside it.
        for folder in (_PACKAGE / "_templates", _PACKAGE.parent / "templates"):
            if (folder / self.name / "copier.yml").is_file():
                return folder / self.name
        raise TemplateNotFoundError(
            f"The template {self.name!r} is missing from this installation", fix="Install the package again"
        )


BUILTIN: tuple[BuiltinTemplate, ...] = (
    BuiltinTemplate("basic", "one agent and its tests: the shortest way to run"),
    BuiltinTemplate("advanced", "tools, streams, sessions, settings for three stages"),
    BuiltinTemplate("production", "container, Kubernetes, delivery, load test, runbook"),
)
"""Every template that comes with this package, the simplest first."""


def find_builtin(name: str) -> BuiltinTemplate | None:
    """The template of a name.

    Example:
        >>> found = find_builtin("basic")
        >>> found.name if found else None
        'basic'
    """
    return next((template for template in BUILTIN if template.name == name), None)
