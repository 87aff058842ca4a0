"""Projects made from the templates, and the tools that are let loose on them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from sentient_cli.runtime.events import JsonValue
from sentient_cli.scaffold.place import place
from sentient_cli.scaffold.render import open_template
from sentient_cli.scaffold.source import open_source
from tests.plugins.isolation import REPOSITORY
from tests.support import commands

TEMPLATES = REPOSITORY / "templates"
NAMES = ("basic", "advanced", "production")
FEATURES = ("vscode", "pycharm", "ci", "agents_md")


def render(template: str, folder: Path, **answers: JsonValue) -> Path:
    """Make a project with the default answers, but for those given, in a folder that is not there yet.

    Raises:
        UsageError: an answer is not allowed.
    """
    with open_source(template) as source, open_template(source) as opened:
        place(opened.render({"name": "my-agent", **answers}, folder.name).files, folder)
    return folder


def create(template: str, folder: Path, **answers: str) -> Path:
    """Make the same project with `sentient create`, and neither a repository nor an environment."""
    given = {"name": "my-agent", **answers}
    data = [part for name, answer in given.items() for part in ("--data", f"{name}={answer}")]
    options = ["--template", template, "--yes", "--no-install", "--no-git"]
    home = folder.parent / f".home-of-{folder.name}"
    variables = {"PATH": os.environ["PATH"], "HOME": str(home)}
    done = commands.run_text("create", str(folder), *options, *data, directory=folder.parent, environment=variables)
    assert done.returncode == 0, done.stderr
    return folder


def tree(project: Path) -> list[str]:
    """The files of a project, without what tools leave there, and what is kept for its updates."""
    names = [file.relative_to(project).as_posix() for file in project.rglob("*") if file.is_file()]
    return sorted(name for name in names if not re.search(r"(^|/)(\.\w+_cache|__pycache__|\.venv|\.sentient)/", name))


def python_lines(project: Path) -> int:
    """The lines of Python in a project."""
    return sum((project / name).read_text("utf-8").count("\n") for name in tree(project) if name.endswith(".py"))


def run(project: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a project, with the tools of this environment first on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        command,
        cwd=project,
        env={**os.environ, "PATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def check(project: Path, *command: str, **environment: str) -> str:
    """Run a command in a project, which has to succeed, and return what it says."""
    done = run(project, *command, **environment)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout
