"""Metrics for Prometheus: what this process counts, added to what the other workers on its port count."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from sentient_cli.server.answers import RequestError

if TYPE_CHECKING:
    from prometheus_client import Metric
    from starlette.types import Receive, Scope, Send

    from sentient_cli.server.peers import Peers

__all__ = ["METRICS_PATH", "Metrics", "added"]

METRICS_PATH: Final = "/metrics"
_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
_ALONE: Final = "alone"
"""Whoever asks with this in the query wants what one process counts: so do the workers among themselves."""
_WORST: Final = "llm_circuit_breaker"
_WORSE: Final = (1.0, 2.0, 0.0)
"""The states of a breaker, the worst first."""


class Metrics:
    """The endpoint ``GET /metrics``.

    Args:
        own: Gives what this process counts, in the format of Prometheus.
        peers: The other workers, if there are any.
        is_open: Whether it may be read at all: on this machine, or with the server's token.
    """

    def __init__(self, own: Callable[[], str], peers: Peers | None, *, is_open: bool) -> None:
        self._own = own
        self._peers = peers
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Answer one request.

        Raises:
            RequestError: strangers could read it.
        """
        if not self._is_open:
            raise RequestError(
                403, "metrics-closed", "Metrics are for this machine, or for whoever has the token: set `server.token`"
            )
        text = self._own()
        if self._peers is not None and _ALONE not in parse_qs(
            scope["query_string"].decode("latin-1"), keep_blank_values=True
        ):
            text = await self._together(text, self._peers.ask_others(scope, f"{METRICS_PATH}?{_ALONE}"))
        body = text.encode()
        headers = [(b"content-type", _TYPE), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _together(self, own: str, others: Awaitable[list[bytes]]) -> str:
        texts = [own, *(text.decode() for text in await others)]
        return added(texts) if len(texts) > 1 else own


def added(texts: Iterable[str]) -> str:
    r"""Several expositions as one: numbers are added, and of the states of a breaker the worst counts.

    Args:
        texts: What each process counts.

    Example:
        >>> one = '# HELP a_total Of it.\n# TYPE a_total counter\na_total{model="m"} 1.0\n'
        >>> print(added([one, one]), end="")
        # HELP a_total Of it.
        # TYPE a_total counter
        a_total{model="m"} 2.0
    """
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 - an extra

    families: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, frozenset[tuple[str, str]]], float]] = {}
    labels: dict[frozenset[tuple[str, str]], Mapping[str, str]] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            families.setdefault(family.name, family)
            found = values.setdefault(family.name, {})
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                labels[key[1]] = sample.labels
                found[key] = _both(family.name, found[key], sample.value) if key in found else sample.value
    lines: list[str] = []
    for name, family in families.items():
        shown = f"{name}_total" if family.type == "counter" else name
        lines += [f"# HELP {shown} {family.documentation}", f"# TYPE {shown} {family.type}"]
        lines += [f"{sample}{_braced(labels[key])} {value!r}" for (sample, key), value in values[name].items()]
    return "\n".join([*lines, ""])


def _both(name: str, one: float, two: float) -> float:
    if name.endswith("_created"):
        return min(one, two)
    if name.startswith(_WORST):
        return min(one, two, key=_WORSE.index)
    return one + two


def _braced(labels: Mapping[str, str]) -> str:
    told = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
    return f"{{{told}}}" if told else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
