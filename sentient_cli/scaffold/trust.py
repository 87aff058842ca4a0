"""What a template that is not ours wants to do, for its user to decide on."""

from __future__ import annotations

from dataclasses import dataclass

from sentient_cli.errors import TemplateUnsafeError
from sentient_cli.sanitize import sanitize_line
from sentient_cli.scaffold.config import read_config
from sentient_cli.scaffold.limits import Limits, walk
from sentient_cli.scaffold.render import open_template
from sentient_cli.scaffold.source import TemplateSource

__all__ = ["TemplateFacts", "examine", "require_trust"]

_SHOWN = 20
_WIDTH = 200


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """What a template is and wants.

    Args:
        questions: The names of its questions.
        programs: The commands of its tasks and migrations.
        extensions: The Python modules that it would load.
        files: How many files it has.
        size: Bytes of all of them.
    """

    questions: tuple[str, ...]
    programs: tuple[str, ...]
    extensions: tuple[str, ...]
    files: int
    size: int

    @property
    def wants(self) -> tuple[str, ...]:
        """What it would run, each in a line for a reader."""
        lines = [f"run   {_line(program)}" for program in self.programs]
        lines += [f"load  {_line(module)}" for module in self.extensions]
        rest = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        return (*lines[:_SHOWN], *rest)


def _line(text: str) -> str:
    line = sanitize_line(text)
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"


def examine(source: TemplateSource, *, limits: Limits | None = None) -> TemplateFacts:
    """Look at a template without running anything of it.

    Raises:
        TemplateError: it cannot be read.
        TemplateUnsafeError: it is too large.
    """
    allowed = limits or Limits()
    sizes = [entry.stat(follow_symlinks=False).st_size for _, entry in walk(source.root, allowed, "The template")]
    if source.trusted:
        return TemplateFacts(tuple(read_config(source.root).questions), (), (), len(sizes), sum(sizes))
    with open_template(source, limits=allowed) as template:
        return TemplateFacts(template.names, template.programs, template.extensions, len(sizes), sum(sizes))


def require_trust(source: TemplateSource, facts: TemplateFacts) -> None:
    """Refuse a template that wants to run something.

    Raises:
        TemplateUnsafeError: it does; the error lists what.
    """
    if facts.wants:
        raise TemplateUnsafeError(
            f"The template {source.id} wants to run programs on this machine",
            why="Nothing of it was run",
            fix="Read what it wants; if you trust its author, allow it with `--trust`",
            detail="\n".join(facts.wants),
        )
