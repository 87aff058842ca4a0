"""All figures, one after the other. ``python -m bench [--quick]``."""

from __future__ import annotations

from collections.abc import Sequence

from bench import (
    checking,
    config_live,
    config_reads,
    create,
    dev,
    events,
    latency,
    llm_chunks,
    llm_failover,
    llm_faults,
    llm_http2,
    llm_mix,
    llm_overhead,
    llm_pools,
    llm_streams,
    signals,
    startup,
    streams,
)
from bench.arguments import parser_of

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "Short settings: a look, not a result.")
    quick = ["--quick"] if parser.parse_args(arguments).quick else []
    for figure in (
        startup,
        create,
        checking,
        config_reads,
        config_live,
        events,
        latency,
        llm_chunks,
        llm_overhead,
        llm_mix,
        llm_streams,
        llm_failover,
        llm_faults,
        llm_http2,
        llm_pools,
        streams,
        signals,
        dev,
    ):
        figure.main(quick)


if __name__ == "__main__":
    main()
