"""Templates, fake installers and snapshots for tests of `sentient create`."""

from __future__ import annotations

import os
import select
import stat
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from tests.support import commands

__all__ = ["ends", "fake", "git", "shot", "start", "template", "wait_for"]

# Stands in for uv: makes an environment over the packages that this suite runs with, in a moment.
FAKE_UV = """
import subprocess, sys, sysconfig
from pathlib import Path
if sys.argv[1] == "venv":
    sys.exit(subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"]).returncode)
(folder,) = Path(".venv/lib").glob("python*/site-packages")
(folder / "linked.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\\n")
print("Installed everything")
"""
# Says on a FIFO that it runs, with its process id, and stays until it is ended.
HANGING = """
import os, time
with open(os.environ["TEST_FIFO"], "w") as fifo:
    fifo.write(str(os.getpid()))
while True:
    time.sleep(60)
"""
FAILING = "import sys\nprint('this tool is broken: sk-verysecretkey0123456789')\nsys.exit(3)\n"


def fake(folder: Path, name: str, source: str) -> str:
    """Put a program of that name in front of PATH; return the new PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!{sys.executable}\n{textwrap.dedent(source)}")
    program.chmod(0o755)
    path = os.environ["PATH"]
    return path if path.startswith(f"{folder}{os.pathsep}") else f"{folder}{os.pathsep}{path}"


def template(folder: Path, files: Mapping[str, str | bytes], questions: str = "name: my-agent\n") -> Path:
    """A template that is not ours."""
    folder.mkdir(parents=True)
    (folder / "copier.yml").write_text(questions)
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def shot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """All that is below a directory: kind and mode, and content."""
    found: dict[str, tuple[int, bytes]] = {}
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            mode = path.lstat().st_mode
            content = os.fsencode(path.readlink()) if path.is_symlink() else b""
            found[str(path.relative_to(folder))] = (mode, path.read_bytes() if stat.S_ISREG(mode) else content)
    return found


def start(*arguments: str, env: dict[str, str]) -> subprocess.Popen[str]:
    """Start the command line and leave it running."""
    return subprocess.Popen(
        [sys.executable, *commands.attached(*arguments)],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(fifo: Path) -> int:
    """Wait until a hanging program says that it runs; a descriptor of the process, which `ends` closes."""
    return os.pidfd_open(int(fifo.read_text()))


def ends(process: int) -> bool:
    """Whether a process has ended, or does so within 20 s."""
    try:
        return bool(select.select([process], [], [], 20)[0])
    finally:
        os.close(process)


def git(folder: Path, *arguments: str) -> str:
    """Run git in a directory, as somebody."""
    own = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org"}
    own |= {"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org", "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", "-c", "init.defaultBranch=main", "-C", str(folder), *arguments]
    return subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=True).stdout.strip()
