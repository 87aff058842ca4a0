"""SIGTERM under 50 streams, many times: is any cut off, does the server end? ``python -m bench.signals [--quick]``."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.arguments import parser_of
from bench.client import connect, request_body, run
from bench.servers import Server, client_core, start
from bench.table import show

__all__ = ["SCENES", "Scene", "main", "stop_once"]

_STREAMS = 50
_DRAIN = 0.3
# The drain, the grace that a cancelled agent has, and the time that the last bytes and the interpreter's end take on a
# machine that does other things as well.
_IN_TIME = _DRAIN + 2 + 5


@dataclass(frozen=True, slots=True)
class Scene:
    """What the streams are doing when the signal comes.

    Args:
        name: For people.
        count: Pieces of text in each.
        pause: Seconds between them.
    """

    name: str
    count: int
    pause: float


SCENES = (
    Scene("end within the drain", 20, 0.005),
    Scene("are cancelled by it", 100_000, 0.01),
    Scene("flood", 1_000_000, 0.0),
)


async def _stop_under(server: Server, scene: Scene, wait: float) -> Counter[str]:
    calls = await connect(server.port, [request_body(scene.count, scene.pause)] * _STREAMS)
    for call in calls:
        call.send()
    await asyncio.wait([call.began for call in calls])
    if dead := [call for call in calls if call.answer().first is None]:
        raise RuntimeError(f"{len(dead)} streams did not begin: there is nothing to cut off. {dead[0].answer()}")
    await asyncio.sleep(wait)
    server.terminate()
    await asyncio.wait([call.ended for call in calls], timeout=_IN_TIME)
    answers = [call.answer() for call in calls]
    return Counter(
        {
            "without a last event": sum(not answer.done for answer in answers),
            "cut off": sum(answer.whole is None for answer in answers),
        }
    )


def stop_once(scene: Scene, wait: float) -> Counter[str]:
    """One server, 50 streams, one SIGTERM; return how many violations of each kind there were.

    Args:
        scene: What the streams do.
        wait: Seconds from the first event of the last stream to the signal.
    """
    with start("ours", "--drain-timeout", str(_DRAIN), "--log-level", "warning") as server:
        found = run(_stop_under(server, scene, wait))
        since = time.monotonic()
        code = server.wait(_IN_TIME)
        found["server late"] = int(code is None)
        found["exit code not 0"] = int(code not in {0, None})
        if code != 0 or found["without a last event"] or found["cut off"]:
            sys.stderr.write(f"{scene.name}: exit code {code}\n{server.output()[-4000:].decode(errors='replace')}\n")
        found["milliseconds to exit"] = int((time.monotonic() - since) * 1000)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "12 signals: a look, not a result.")
    parser.add_argument("--signals", type=int, default=300)
    chosen = parser.parse_args(arguments)
    client_core()
    chance = random.Random(300)
    found = {scene: Counter[str]() for scene in SCENES}
    for turn in range(12 if chosen.quick else chosen.signals):
        scene = SCENES[turn % len(SCENES)]
        found[scene] += stop_once(scene, chance.uniform(0, 0.15)) + Counter(signals=1)
    kinds = ("signals", "without a last event", "cut off", "server late", "exit code not 0")
    rows = [(scene.name, *(found[scene][kind] for kind in kinds)) for scene in SCENES]
    show(f"Signals: SIGTERM under {_STREAMS} streams that …", ("", *kinds), rows)
    bad = sum(found[scene][kind] for scene in SCENES for kind in kinds[1:])
    print(f"  violations: {bad}, target 0: {'ok' if not bad else 'MISSED'}")


if __name__ == "__main__":
    main()
