"""A template in a directory, a project made from an older version of it, and the command line over both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from sentient_cli import __version__
from sentient_cli.scaffold.pristine import state_files
from sentient_cli.scaffold.rendering import RenderedFile, Rendering
from sentient_cli.scaffold.source import TemplateSource
from tests.support import commands

__all__ = ["Files", "make_project", "make_template", "rendering", "snapshot", "update"]

Files = Mapping[str, str | bytes]
# With the template of the test as one that comes with the program: rendering it needs no process of its own.
_OURS = """
import sys
from pathlib import Path
from sentient_cli.scaffold import builtin

class Ours(builtin.BuiltinTemplate):
    root = Path(sys.argv.pop(1))

builtin.BUILTIN = (Ours("ours", ""),)
from sentient_cli.cli.main import main
sys.exit(main())
"""
# The same where all is imported already.
_OURS_HERE = """
import sys
from pathlib import Path
from sentient_cli.scaffold import builtin

class Ours(builtin.BuiltinTemplate):
    root = Path({root!r})

for module in list(sys.modules.values()):
    if getattr(module, "BUILTIN", None) is builtin.BUILTIN and module is not builtin:
        module.BUILTIN = (Ours("ours", ""),)
builtin.BUILTIN = (Ours("ours", ""),)
"""
QUESTIONS = (
    "_templates_suffix: .jinja\n"
    "name:\n    type: str\n"
    "license:\n    type: str\n    choices: [MIT, BSD]\n    default: MIT\n"
)


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def rendering(files: Files) -> Rendering:
    """Files as a template renders them; a name that ends in ``*`` is a program."""
    return Rendering(
        {
            PurePosixPath(name.rstrip("*")): RenderedFile(_bytes(content), name.endswith("*"))
            for name, content in sorted(files.items())
        }
    )


def write(folder: Path, files: Files) -> None:
    for name, content in files.items():
        path = folder / name.rstrip("*")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_bytes(content))
        path.chmod(0o755 if name.endswith("*") else 0o644)


def make_template(files: Files, *, questions: str = QUESTIONS, more: str = "") -> Path:
    """A template called ``template`` in the current directory, in the place of the one before."""
    folder = Path("template").absolute()
    for old in sorted(folder.rglob("*"), reverse=True):
        old.rmdir() if old.is_dir() else old.unlink()
    write(folder, {"copier.yml": f"_subdirectory: project\n{more}{questions}"})
    write(folder / "project", files)
    return folder


def make_project(files: Files, *, answers: Mapping[str, str] | None = None, foreign: bool = False) -> Path:
    """A project called ``mine`` as it was made from `make_template` with these files.

    Args:
        files: Its files.
        answers: More answers than its name and licence.
        foreign: Whether the template is not ours.
    """
    project = Path("mine").absolute()
    rendered = rendering(files)
    template = Path("template").absolute()
    name = str(template) if foreign else "ours"
    source = TemplateSource(name, "", "" if foreign else __version__, template, trusted=not foreign)
    state = state_files(source, {"name": "mine", "license": "MIT", **(answers or {})}, rendered)
    write(project, files)
    write(project, {str(path): file.content for path, file in state.items()})
    return project


def snapshot(project: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a project with its permissions, but what is kept for taking back."""
    return dict(_snapshot(project))


def _snapshot(project: Path) -> Iterator[tuple[str, tuple[int, bytes]]]:
    for path in sorted(project.rglob("*")):
        name = path.relative_to(project).as_posix()
        if path.is_file() and not path.is_symlink() and not name.startswith(".sentient/undo/"):
            yield name, (path.stat().st_mode & 0o777, path.read_bytes())


def command(*arguments: str) -> list[str]:
    """The command line of `sentient update`, with the template as one of ours."""
    return [sys.executable, "-c", _OURS, str(Path("template").absolute()), "update", *arguments]


def update(
    *arguments: str, cwd: str = "mine", prelude: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """`sentient update` in the project, after some Python of the test's own."""
    done = commands.run(
        "update",
        *arguments,
        directory=Path(cwd),
        environment={**os.environ, **environment},
        prelude=_OURS_HERE.format(root=str(Path("template").absolute())) + prelude,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def actions(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What ``--json`` told of each file."""
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return {change["path"]: change["action"] for change in told if "path" in change}
