"""What a project keeps of its template, to be updated by: where it came from, the answers, the files as created.

``.sentient/template.toml`` and ``.sentient/pristine.zip`` are part of the project and belong into its repository. The
archive is the same for the same files, whenever and wherever it is written.
"""

from __future__ import annotations

import io
import json
import tomllib
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast

from sentient_cli import __version__
from sentient_cli.errors import ProjectError
from sentient_cli.runtime.events import JsonValue
from sentient_cli.scaffold.limits import Limits
from sentient_cli.scaffold.plainfiles import read_plain, require_folder
from sentient_cli.scaffold.questions import Answers
from sentient_cli.scaffold.rendering import RenderedFile, Rendering, is_plain_name
from sentient_cli.scaffold.source import TemplateSource

__all__ = ["ARCHIVE", "FOLDER", "STATE", "Pristine", "load", "state_files"]

FOLDER = PurePosixPath(".sentient")
STATE = FOLDER / "template.toml"
ARCHIVE = FOLDER / "pristine.zip"
_LARGEST_STATE = 1 << 20
_DAMAGED = (KeyError, TypeError, AttributeError, ValueError, RuntimeError, EOFError, zlib.error, zipfile.BadZipFile)
_EPOCH = (1980, 1, 1, 0, 0, 0)
_HEAD = "# How this project was made. `sentient update` reads it and the archive beside it; keep both in git.\n"


@dataclass(frozen=True, slots=True)
class Pristine:
    """What a project keeps of its template.

    Args:
        template: What opens the template again: a built-in name, a path or an address.
        ref: The commit it was rendered from; empty when it is in no git repository.
        version: The version, branch or tag of the template.
        sentient_version: The version of this package that rendered it.
        answers: The answers, without secrets.
        rendering: The files as they were rendered.
    """

    template: str
    ref: str
    version: str
    sentient_version: str
    answers: Mapping[str, JsonValue]
    rendering: Rendering


def state_files(source: TemplateSource, answers: Answers, rendering: Rendering) -> dict[PurePosixPath, RenderedFile]:
    """The files that a project keeps of its template.

    Args:
        source: The template.
        answers: The answers to keep: no secrets.
        rendering: The files as they were rendered.
    """
    return {
        STATE: RenderedFile(_state(source, answers).encode()),
        ARCHIVE: RenderedFile(_archive(rendering)),
    }


def load(project: Path) -> Pristine:
    """Read what a project keeps of its template.

    Raises:
        ProjectError: it keeps nothing, or what it keeps is damaged.
    """
    try:
        require_folder(project / FOLDER)
        state = tomllib.loads(read_plain(project / STATE, _LARGEST_STATE).decode())
        archive = read_plain(project / ARCHIVE, Limits().total)
        template = _table(state, "template")
        identity, ref, version = template["id"], template.get("ref", ""), template.get("version", "")
        if not (isinstance(identity, str) and isinstance(ref, str) and isinstance(version, str)):
            raise TypeError("`id`, `ref` and `version` of the template are texts")
        answers = cast("Mapping[str, JsonValue]", _table(state, "answers") if "answers" in state else {})
        return Pristine(identity, ref, version, str(state["sentient"]), answers, _unarchive(archive))
    except FileNotFoundError as error:
        raise ProjectError(
            "This project keeps nothing of a template",
            why=f"{Path(error.filename or STATE).name} is missing in {project / FOLDER}",
            fix="Run this in a project made by `sentient create`, or restore the directory from git",
        ) from None
    except _DAMAGED as error:
        raise ProjectError(
            "What this project keeps of its template is damaged",
            why=f"{project / FOLDER}: {error}",
            fix="Restore that directory from git",
        ) from error


def _table(state: Mapping[str, object], name: str) -> Mapping[str, object]:
    table = state[name]
    if not isinstance(table, dict):
        raise TypeError(f"`{name}` is no table")
    return cast("Mapping[str, object]", table)


def _archive(rendering: Rendering) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, file in sorted(rendering.files.items()):
            entry = zipfile.ZipInfo(name.as_posix(), _EPOCH)
            entry.create_system = 3  # Unix: the mode counts
            entry.external_attr = (0o100000 | file.mode) << 16
            archive.writestr(entry, file.content, zipfile.ZIP_DEFLATED, 9)
    return packed.getvalue()


def _unarchive(packed: bytes) -> Rendering:
    files: dict[PurePosixPath, RenderedFile] = {}
    limits, total = Limits(), 0
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        for entry in archive.infolist():
            total += entry.file_size
            limits.check("What this project keeps of its template", len(files), total)
            name = PurePosixPath(entry.filename)
            if not is_plain_name(name):
                raise ValueError(f"{entry.filename!r} is outside of the project")
            files[name] = RenderedFile(archive.read(entry), bool((entry.external_attr >> 16) & 0o100))
    return Rendering(files)


def _state(source: TemplateSource, answers: Answers) -> str:
    template = {"id": source.id, "version": source.version} | ({"ref": source.ref} if source.ref else {})
    lines = [f"sentient = {_toml(__version__)}", "", "[template]"]
    lines += [f"{name} = {_toml(value)}" for name, value in template.items()]
    lines += ["", "[answers]"]
    lines += [f"{_toml(name)} = {_toml(value)}" for name, value in sorted(answers.items()) if value is not None]
    return _HEAD + "\n".join(lines) + "\n"


def _toml(value: JsonValue) -> str:
    match value:
        case None:
            return '""'  # TOML has no null; only within lists does one get here
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(_toml(one) for one in value)}]"
        case dict():
            return f"{{{', '.join(f'{_toml(name)} = {_toml(one)}' for name, one in value.items() if one is not None)}}}"
        case _:
            return repr(value)
