"""From a saved setting to a server that has it, and what watching costs meanwhile: ``python -m bench.config_live``."""

from __future__ import annotations

import http.client
import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.arguments import parser_of
from bench.dev_idle import wake_ups
from bench.ratio import percentile, spread
from bench.servers import Server, client_core, start
from bench.table import show

__all__ = ["main", "save"]

_SETTINGS = """
[llm]
model = "mine:{model}"
[llm.parameters]
temperature = 0.5
[llm.providers.mine]
kind = "compatible"
base_url = "http://127.0.0.1:9/v1"
"""
_TARGET = 200.0
_PAUSE = 0.1
_PATIENCE = 30.0
_chance = random.Random(60)


def _model(server: Server) -> str:
    """What the agent says that its model is."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE)
    body = json.dumps({"query": {"id": "01JS4F4Z5V0000000000000001", "prompt": "?"}})
    connection.request("POST", "/assist", body, {"Content-Type": "application/json"})
    text = connection.getresponse().read().decode()
    connection.close()
    return text.partition("<mine:")[2].partition(">")[0]


def save(server: Server, file: Path, number: int) -> float:
    """Seconds from before the first byte of a save to the end of the first answer that has it.

    Args:
        server: Asked back to back.
        file: Its settings.
        number: Makes the settings unlike those before.
    """
    time.sleep(_PAUSE + _chance.uniform(0, 0.05))
    began = time.perf_counter()
    beside = file.with_suffix(".new")
    beside.write_text(_SETTINGS.format(model=number))
    beside.replace(file)
    while _model(server) != str(number):
        if time.perf_counter() - began > _PATIENCE:
            raise RuntimeError(f"The settings are not taken:\n{server.output().decode(errors='replace')}")
    return time.perf_counter() - began


def _quiet(server: Server, file: Path, number: int) -> float:
    """CPU seconds of the server from a save to a moment after it, with nobody asking."""
    before = server.cpu
    file.write_text(_SETTINGS.format(model=number))
    time.sleep(0.5)
    return server.cpu - before


def _idle(server: Server, seconds: float) -> tuple[float, float]:
    """CPU milliseconds and wake-ups of a second."""
    cpu, woken, began = server.cpu, wake_ups(server.process.pid), time.perf_counter()
    time.sleep(seconds)
    took = time.perf_counter() - began
    return (server.cpu - cpu) * 1e3 / took, (wake_ups(server.process.pid) - woken) / took


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = parser_of(__doc__, "5 saves: a look, not a result.")
    parser.add_argument("--saves", type=int, default=100)
    chosen = parser.parse_args(arguments)
    saves, idle = (5, 2.0) if chosen.quick else (chosen.saves, 10.0)
    client_core()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "sentient.toml")
        file.write_text(_SETTINGS.format(model=0))
        where = {"HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_STATE_HOME": folder}
        with start("ours", "--project", folder, env=where, agent="settings_agent.py") as server:
            save(server, file, 1)
            taken = [save(server, file, number) * 1e3 for number in range(2, saves + 2)]
            time.sleep(1.0)
            spent = [_quiet(server, file, number) * 1e3 for number in range(saves + 2, saves + 7)]
            rest = [_idle(server, idle) for _ in range(3)]
    rows: list[Sequence[object]] = [
        ("save to answer, ms: p50", f"{percentile(taken, 0.5):.1f}", ""),
        ("save to answer, ms: p95", f"{percentile(taken, 0.95):.1f}", f"<= {_TARGET:g}"),
        ("CPU of a change, ms", spread(spent), ""),
        ("idle: CPU milliseconds a second", spread([cpu for cpu, _ in rest]), ""),
        ("idle: wake-ups a second", spread([woken for _, woken in rest]), ""),
    ]
    show(f"Settings of a server that runs: {saves} saves", ("", "serve", "target"), rows)
    print(f"  target: {'ok' if percentile(taken, 0.95) <= _TARGET else 'MISSED'}")


if __name__ == "__main__":
    main()
