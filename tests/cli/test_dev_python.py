"""The environment of the project is used, once, and named where it cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from sentient_cli.cli.dev_python import REEXECUTED, describe_python, environment_of, use_project_python
from sentient_cli.errors import ProjectError
from tests.plugins.isolation import REPOSITORY
from tests.support import commands

_WITNESS = "import sys; sys.stderr.write(f'started in {sys.prefix}\\n')\n"


def make(folder: Path, *, python: str | None = None) -> Path:
    """An environment with a Python that is a script, or with none."""
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    if python is not None:
        (folder / "bin" / "python").write_text(f"#!/bin/sh\n{python}\n")
        (folder / "bin" / "python").chmod(0o755)
    return folder


def dev(**environment: str) -> subprocess.CompletedProcess[bytes]:
    return commands.run("dev", "--profile", "nowhere", "--json", environment={**os.environ, **environment})


def fix(done: subprocess.CompletedProcess[bytes]) -> str:
    assert done.returncode == 5
    return str(json.loads(done.stderr)["error"]["fix"])


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_it_goes_on_in_the_environment_of_the_project() -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], check=True)
    packages = next(Path(".venv/lib").glob("python*")) / "site-packages"
    (packages / "ours.pth").write_text(f"{REPOSITORY}\n{sysconfig.get_path('purelib')}\n")
    (packages / "sitecustomize.py").write_text(_WITNESS)
    for name in ("secrets", "email", "typing"):  # which only the agent means when it imports them
        Path(f"{name}.py").write_text("raise ValueError('this is none of Python')\n")
    done = dev()
    assert done.returncode == 3  # there is no such profile: it came as far as that
    first, _, rest = done.stderr.decode().partition('{"error"')
    assert first == f"started in {Path('.venv').absolute()}\n"
    assert "profile" in rest


def test_it_passes_on_what_it_was_given() -> None:
    script = 'case "$2" in -c) exit 0;; esac; echo "$_SENTIENT_REEXECUTED"; printf "%s|" "$@"'
    make(Path(".venv"), python=script)
    done = dev()
    reexecuted, arguments = done.stdout.decode().splitlines()
    assert reexecuted == str(Path(".venv").absolute())
    assert arguments == "-P|-m|sentient_cli|dev|--profile|nowhere|--json|"


def test_it_never_does_so_twice() -> None:
    folder = make(Path(".venv"), python="exit 9")
    done = dev(**{REEXECUTED: str(folder.absolute())})
    assert done.returncode == 3


@pytest.mark.parametrize(
    ("files", "command"),
    [((), ".venv/bin/python -m pip install sentient-agent-cli"), (("uv.lock",), "uv add sentient-agent-cli")],
)
def test_where_we_are_not_installed_it_says_how(files: tuple[str, ...], command: str) -> None:
    make(Path(".venv"), python="exit 1")
    for name in files:
        Path(name).touch()
    assert f"`{command}`" in fix(dev(PATH="/bin"))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["gone", "no program", "not to be executed"])
def test_an_environment_that_is_broken_is_named(how: str) -> None:
    folder = make(Path(".venv"), python=None if how == "gone" else "exit 0")
    python = folder / "bin" / "python"
    if how == "no program":
        python.write_bytes(b"\x7fELF, but not really")
    elif how != "gone":
        python.write_text("#!/nowhere/at/all\n")
    assert "uv sync" in fix(dev())


def test_one_that_is_broken_only_when_it_is_executed_is_named_too() -> None:
    folder = make(Path(".venv"))
    (folder / "bin" / "python").write_bytes(b"\x7fELF, but not really")
    (folder / "bin" / "python").chmod(0o755)
    (folder / "lib/python3.13/site-packages/sentient_cli").mkdir(parents=True)
    (folder / "lib/python3.13/site-packages/sentient_cli/__init__.py").touch()
    with pytest.raises(ProjectError, match="cannot be used"):
        use_project_python(Path(), ["dev"], {})


def test_the_active_environment_counts_when_it_is_in_the_project() -> None:
    inside, other = make(Path("envs/here").absolute()), make(Path("../other").resolve())
    own = make(Path(".venv").absolute())
    project = Path().absolute()
    assert environment_of(project, {}) == own
    assert environment_of(project, {"VIRTUAL_ENV": str(inside)}) == inside
    assert environment_of(project, {"VIRTUAL_ENV": str(other)}) == own
    assert environment_of(other, {}) is None


def test_a_project_above_has_its_environment_used_below() -> None:
    folder = make(Path(".venv"), python="exit 0")
    Path("sentient.toml").touch()
    Path("deep/er").mkdir(parents=True)
    assert environment_of(Path("deep/er").absolute(), {}) is None
    (folder / "bin" / "python").unlink()
    with pytest.raises(ProjectError, match="cannot be used"):
        use_project_python(Path("deep/er"), ["dev"], {})


def test_an_environment_of_somebody_above_is_not_the_projects() -> None:
    make(Path(".venv"))
    Path("project").mkdir()
    Path("project/sentient.toml").touch()
    use_project_python(Path("project"), ["dev"], {})


def test_this_python_is_described() -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    assert describe_python(Path(), {}) == version
    ours = Path(sys.prefix)
    if (ours / "pyvenv.cfg").is_file():
        assert describe_python(ours.parent, {"VIRTUAL_ENV": str(ours)}) == f"{version} of {ours.name}"
