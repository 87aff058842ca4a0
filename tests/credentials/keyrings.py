"""Keyrings for tests: in memory with the limits of real ones, and a real Secret Service on a bus of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

from keyring.errors import PasswordDeleteError, PasswordSetError

from sentient_cli.credentials.stores.keyring_choice import Chosen

PASSPHRASE = b"of the session"


class MemoryKeyring:
    """A keyring in memory; `steps` is called before each change."""

    def __init__(self, limit: int = 0, *, replaces: bool = True) -> None:
        self.held: dict[tuple[str, str], str] = {}
        self.limit = limit
        self.replaces = replaces
        self.steps: Callable[[], None] = lambda: None

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.limit and len(password.encode("utf-16-le")) > self.limit:
            raise PasswordSetError("too long")
        self.steps()
        if not self.replaces:
            self.held.pop((service, username), None)
            self.steps()
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self.held:
            raise PasswordDeleteError("not found")
        self.steps()
        del self.held[service, username]

    def chosen(self) -> Chosen:
        return Chosen(self, "in memory", self.limit, self.replaces)


def missing_programs() -> list[str]:
    """Which of the programs of a Secret Service are not on this machine."""
    return [name for name in ("dbus-daemon", "gnome-keyring-daemon") if shutil.which(name) is None]


@contextlib.contextmanager
def running_bus(folder: Path) -> Generator[dict[str, str]]:
    """A session bus with nothing on it; the environment of those that are to be there."""
    home = {name: str(folder / name) for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")}
    for each in home.values():
        Path(each).mkdir(mode=0o700, parents=True)
    # Nothing is started by the bus itself: neither a second service nor a prompt on somebody's screen.
    settings = folder / "bus.conf"
    settings.write_text(
        "<busconfig><type>session</type>"
        f"<listen>unix:path={folder / 'bus'}</listen>"
        '<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>'
        '<allow own="*"/></policy></busconfig>'
    )
    environment = {**{name: value for name, value in os.environ.items() if "DISPLAY" not in name}, **home}
    command = ["dbus-daemon", "--nofork", "--print-address=1", f"--config-file={settings}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as bus:
        try:
            assert bus.stdout is not None
            address = bus.stdout.readline().decode().strip()
            yield {**environment, "DBUS_SESSION_BUS_ADDRESS": address}
        finally:
            bus.terminate()


@contextlib.contextmanager
def running_service(environment: dict[str, str]) -> Generator[None]:
    """GNOME Keyring on a bus, unlocked."""
    command = ["gnome-keyring-daemon", "--foreground", "--components=secrets", "--unlock"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as service:
        try:
            assert service.stdin is not None
            assert service.stdout is not None
            service.stdin.write(PASSPHRASE)
            service.stdin.close()
            service.stdout.readline()
            yield
        finally:
            service.terminate()
