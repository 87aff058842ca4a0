"""``dev`` over a real ssh: its screen, the tunnel that it names, and a connection that breaks."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.dev.developing import AGENT, children, wait_until
from tests.dev.test_dev_tmux import Tmux, tmux
from tests.plugins.places import find_port
from tests.support.served import environment

__all__ = ["tmux"]

pytestmark = pytest.mark.slow

_SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class _Ssh(NamedTuple):
    """How this machine is reached over ssh.

    Args:
        port: The server's.
        options: Of every client.
    """

    port: int
    options: str


@pytest.fixture
def ssh(tmp_path: Path, free_port: int) -> Generator[_Ssh]:
    """A server of ssh that lets this user in."""
    if _SSHD is None or shutil.which("ssh") is None or os.getuid():
        pytest.skip("there is no sshd, or only root may start one")
    place = tmp_path / "ssh"
    place.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)], check=True)
    (place / "config").write_text(
        f"Port {free_port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nAuthorizedKeysFile {place}/user.pub\n"
        "StrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    log = place / "log"
    log.touch()
    with subprocess.Popen([_SSHD, "-D", "-f", str(place / "config"), "-E", str(log)]) as server:
        try:
            wait_until(lambda: "listening" in log.read_text(), "sshd listens")
            known = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
            yield _Ssh(free_port, f"-i {place}/user {known}")
        finally:
            server.terminate()


def _family(project: Path) -> list[int]:
    """Who works in a directory."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").readlink() == project:
                found.append(int(entry.name))
    return found


@pytest.mark.story("20.5", "E18.3")
def test_over_ssh_it_shows_its_screen_names_a_tunnel_and_ends_with_the_connection(
    tmux: Tmux, ssh: _Ssh, tmp_path: Path
) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    for folder in (project, home):
        folder.mkdir(exist_ok=True)
    (project / "agent.py").write_text(AGENT.format(version="one"))
    own = " ".join(shlex.quote(f"{name}={value}") for name, value in environment(home).items() if name != "TERM")
    there = f"cd {project} && env {own} {sys.executable} -m sentient_cli dev --port 0"
    here = f"ssh -tt -p {ssh.port} {ssh.options} 127.0.0.1 {shlex.quote(there)}; echo ssh is over; read line"
    tmux.do("new-session", "-d", "-x", "80", "-y", "24", here, env={**os.environ, "TERM": "xterm-256color"})
    tmux.shows("q quit")
    tmux.do("resize-window", "-x", "100", "-y", "30")
    tmux.press("o")
    tmux.shows("#token=")
    shown = "\n".join(tmux.screen())
    found = re.search(
        rf"ssh -N -L (\d+):127\.0\.0\.1:\1 -p {ssh.port} {getpass.getuser()}@127\.0\.0\.1$", shown, re.MULTILINE
    )
    assert found is not None, shown
    _answers_through(found[0].removeprefix("ssh "), ssh, tmp_path)
    (project / "agent.py").write_text(AGENT.format(version="two"))
    tmux.shows("agent.py reloaded")
    (client,) = children(int(tmux.do("list-panes", "-F", "#{pane_pid}")))
    os.kill(client, signal.SIGKILL)  # as when the network is gone
    tmux.shows("ssh is over")
    wait_until(lambda: not _family(project), "nothing is left of it")


def _answers_through(arguments: str, ssh: _Ssh, place: Path) -> None:
    """The tunnel leads to the page; from another port, since this is the machine that it leads to."""
    port = find_port()
    arguments = re.sub(r"-L \d+", f"-L {port}", arguments)
    command = ["ssh", *shlex.split(ssh.options), "-o", "ExitOnForwardFailure=yes", *shlex.split(arguments)]
    with subprocess.Popen(command, cwd=place) as tunnel:

        def answers() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                return httpx.get(f"http://127.0.0.1:{port}/", timeout=150).status_code == 200
            return False

        try:
            wait_until(answers, "the page comes through")
        finally:
            tunnel.terminate()
