"""``copier.yml`` as data: what a template asks, wants and runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import cast

import yaml

from sentient_cli.errors import TemplateError, TemplateUnsafeError
from sentient_cli.scaffold.source import CONFIGURATIONS

__all__ = ["TemplateConfig", "read_config"]

Raw = Mapping[str, object]
_MERGED = frozenset({"_exclude", "_jinja_extensions", "_secret_questions", "_skip_if_exists"})


@dataclass(frozen=True, slots=True)
class TemplateConfig:
    """What ``copier.yml`` says.

    Args:
        questions: For each question its fields, in order, as
            https://copier.readthedocs.io/en/stable/configuring/#questions has them.
        settings: What begins with ``_`` there, without it.
    """

    questions: Mapping[str, Raw]
    settings: Raw = field(default_factory=dict[str, object])

    def texts(self, name: str) -> tuple[str, ...]:
        """A setting that is a list, each of it as a text."""
        return tuple(_text(one) for one in _list(self.settings.get(name)))

    @property
    def programs(self) -> tuple[str, ...]:
        """What the template would run: its tasks and migrations, each as a text."""
        return (*self.texts("tasks"), *self.texts("migrations"))


def _list(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, list) else ()


def _text(value: object) -> str:
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        return "; ".join(_text(fields[name]) for name in ("command", "before", "after") if name in fields) or str(
            fields
        )
    if isinstance(value, list):
        return " ".join(_text(part) for part in cast("list[object]", value))
    return str(value)


def read_config(root: Path) -> TemplateConfig:
    """Read the configuration of a template.

    Args:
        root: The directory of its ``copier.yml``.

    Raises:
        TemplateError: it cannot be read.
    """
    file = next((root / name for name in CONFIGURATIONS if (root / name).is_file()), root / CONFIGURATIONS[0])
    merged: dict[str, object] = {}
    for document in _documents(file, root):
        for name, value in document.items():
            before = _list(merged.get(name)) if name in _MERGED else ()
            merged[name] = [*before, *_list(value)] if name in _MERGED else value
    questions = {
        name: cast("Raw", value) if isinstance(value, dict) else {"default": value}
        for name, value in merged.items()
        if not name.startswith("_")
    }
    return TemplateConfig(questions, {name[1:]: value for name, value in merged.items() if name.startswith("_")})


def _documents(file: Path, root: Path) -> list[dict[str, object]]:
    class Loader(yaml.SafeLoader):
        """The safe one, which knows ``!include`` too."""

    def include(_loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
        pattern = PurePosixPath(str(node.value))
        if pattern.is_absolute() or ".." in pattern.parts:
            raise TemplateUnsafeError(f"The template includes {str(pattern)!r}, which is outside of it")
        return list(itertools.chain.from_iterable(_documents(one, root) for one in sorted(root.glob(str(pattern)))))

    Loader.add_constructor("!include", include)
    try:
        loaded: list[object] = list(yaml.load_all(file.read_text("utf-8"), Loader=Loader))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise TemplateError(
            f"`{file.name}` of the template cannot be read", why=str(error), fix="Correct the template"
        ) from error
    return list(_flat(loaded, file))


def _flat(loaded: Sequence[object], file: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for document in loaded:
        if isinstance(document, list):
            found += _flat(cast("list[object]", document), file)
        elif isinstance(document, dict):
            found.append({str(name): value for name, value in cast("dict[object, object]", document).items()})
        elif document is not None:
            raise TemplateError(f"`{file.name}` of the template is no list of questions", fix="Correct the template")
    return found
