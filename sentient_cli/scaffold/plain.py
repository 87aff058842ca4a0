"""The templates that come with this package, rendered in this process.

They use a part of what Copier knows: a subdirectory, the suffix ``.jinja``, names that are computed, whole names to
leave out. That part takes a page, gives the same files (a test holds it to that), and Copier alone takes a second to
import.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sentient_cli.errors import TemplateRenderError
from sentient_cli.runtime.events import JsonValue
from sentient_cli.scaffold.config import TemplateConfig
from sentient_cli.scaffold.rendering import RenderedFile, Rendering

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

__all__ = ["render_plain"]

_SUFFIX = ".jinja"


def render_plain(
    root: Path, config: TemplateConfig, environment: SandboxedEnvironment, answers: Mapping[str, JsonValue]
) -> Rendering:
    """Render a template of ours.

    Args:
        root: The directory of its ``copier.yml``.
        config: What that file says.
        environment: Computes its texts.
        answers: Every answer.

    Raises:
        TemplateRenderError: a file cannot be rendered.
    """
    excluded = {environment.from_string(pattern).render(answers) for pattern in config.texts("exclude")} - {""}
    top = root / str(config.settings.get("subdirectory", ""))
    files: dict[PurePosixPath, RenderedFile] = {}
    for entry in _files(top):
        place = Path(entry.path).relative_to(top)
        try:
            name = _name(place, environment, answers)
            if name is None or excluded & {str(name), *map(str, name.parents)}:
                continue
            files[name] = _file(entry, root, environment, answers)
        except Exception as error:
            raise TemplateRenderError(
                f"`{place.as_posix()}` of the template cannot be rendered", why=f"{type(error).__name__}: {error}"
            ) from error
    return Rendering(dict(sorted(files.items())))


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir():
                if entry.name != "__pycache__":
                    yield from _files(Path(entry.path))
            elif not entry.name.endswith((".pyc", ".pyo")):
                yield entry


def _name(place: Path, environment: SandboxedEnvironment, answers: Mapping[str, JsonValue]) -> PurePosixPath | None:
    parts = [
        environment.from_string(part).render(answers) if "{" in part else part
        for part in (*place.parts[:-1], place.name.removesuffix(_SUFFIX))
    ]
    return PurePosixPath(*parts) if all(parts) else None


def _file(
    entry: os.DirEntry[str], root: Path, environment: SandboxedEnvironment, answers: Mapping[str, JsonValue]
) -> RenderedFile:
    executable = bool(entry.stat().st_mode & 0o100)
    file = Path(entry.path)
    if not entry.name.endswith(_SUFFIX):
        return RenderedFile(file.read_bytes(), executable)
    template = environment.get_template(file.relative_to(root).as_posix())
    return RenderedFile(template.render(answers).encode("utf-8"), executable)
