"""How experiments look: a table of all of them; of one, each metric with its differences to the control."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Final

import msgspec

from sentient_cli.cli.keys_table import columns
from sentient_cli.sanitize import sanitize_line

if TYPE_CHECKING:
    from sentient_cli.cli.console import Console
    from sentient_cli.config.settings import Settings
    from sentient_cli.experiments.results import Estimate, Results, VariantResults
    from sentient_cli.experiments.standing import Change
    from sentient_cli.experiments.statistics.samples import Interval

__all__ = ["show_list", "show_results"]

_UNBALANCED: Final = 0.001
_SMALL: Final = 0.001
_FEWEST: Final = 25
_COLUMNS: Final = ("variant", "value", "difference", "one look", "at any time", "p")
_SHOWN_CHANGES: Final = 5


def show_list(console: Console, every: Sequence[Results], settings: Settings) -> None:
    """Show all experiments: a table, or one line of JSON each."""
    if console.json:
        for each in every:
            console.json_line(_summary(each))
        return
    if not every:
        console.data("There are no experiments. Write [experiments.NAME] into the project's settings file.")
        return
    rows = [
        {
            "experiment": each.name,
            "state": each.state,
            "by": settings.experiments[each.name].by,
            "decides": each.metric,
            "variants": ", ".join(variant.name for variant in each.variants),
            "runs": f"{sum(variant.runs for variant in each.variants):,}",
        }
        for each in every
    ]
    names = ("experiment", "state", "by", "decides", "runs", "variants")
    for line in columns(names, rows, console.width(), ("by", "decides")):
        console.data(line)
    _say_of_memory(console, settings)


def show_results(console: Console, results: Results, history: Sequence[Change], settings: Settings) -> None:
    """Show what one experiment found, or one JSON object."""
    if console.json:
        told = msgspec.to_builtins(results)
        console.json_line({**told, "history": msgspec.to_builtins(history)})
        return
    table = settings.experiments[results.name]
    more = f": {results.why}" if results.why else ""
    console.data(sanitize_line(f"{results.name}: {results.state}{more}"))
    console.data(f"{100 * table.share:g}% of all {table.by}s take part; {results.metric} decides.")
    console.data("")
    for line in _traffic(results, f"{table.by}s", console.width()):
        console.data(line)
    for metric in results.variants[0].estimates:
        if any(variant.estimates[metric].units for variant in results.variants):
            console.data("")
            for line in _metric_lines(results, metric, console.width()):
                console.data(line)
    console.data("")
    for said in (*_verdict(results, f"{table.by}s"), *map(_told, history[-_SHOWN_CHANGES:])):
        for line in wrap(sanitize_line(said), console.width()):
            console.data(line)
    _say_of_memory(console, settings)


def _say_of_memory(console: Console, settings: Settings) -> None:
    if settings.store.url == "memory":
        console.say(
            "Results are in the memory of the server that has the experiment, and gone when it ends. "
            "Set `store.url` to keep them and to see them here; those of `sentient dev` are shown with --dev."
        )


def _summary(results: Results) -> dict[str, object]:
    return {
        "name": results.name,
        "state": results.state,
        "why": results.why or None,
        "metric": results.metric,
        "variants": [variant.name for variant in results.variants],
        "runs": sum(variant.runs for variant in results.variants),
    }


def _traffic(results: Results, units: str, width: int) -> Iterator[str]:
    rows = [
        {
            "variant": each.name,
            "weight": f"{each.weight:g}",
            units: f"{each.units:,}",
            "runs": f"{each.runs:,}",
            "cancelled": f"{each.cancelled:,}",
            "stopped": each.stopped or "-",
        }
        for each in results.variants
    ]
    yield from columns(("variant", "weight", units, "runs", "cancelled", "stopped"), rows, width, ("cancelled",))


def _metric_lines(results: Results, metric: str, width: int) -> Iterator[str]:
    decides = " (this decides)" if metric == results.metric else ""
    yield f"{metric}{_UNITS.get(metric, '')}{decides}"
    value = _FORMATS.get(metric, _number)
    rows = [_cells(each, each.estimates[metric], value) for each in results.variants]
    yield from columns(_COLUMNS, rows, width, ("one look",))


def _cells(variant: VariantResults, estimate: Estimate, value: Callable[[float], str]) -> dict[str, str]:
    told = estimate.difference
    return {
        "variant": variant.name,
        "value": "-" if estimate.mean is None else value(estimate.mean),
        "difference": "-" if told is None else _signed(told, value),
        "one look": _interval(estimate.interval, value),
        "at any time": _interval(estimate.anytime, value),
        "p": "-" if estimate.p is None else _p(estimate.p),
    }


def _interval(interval: Interval | None, value: Callable[[float], str]) -> str:
    return "-" if interval is None else f"{_signed(interval.low, value)} to {_signed(interval.high, value)}"


def _signed(number: float, value: Callable[[float], str]) -> str:
    told = value(abs(number))
    return told if told == value(0.0) else f"{'-' if number < 0 else '+'}{told}"


def _p(p: float) -> str:
    return f"<{_SMALL}" if p < _SMALL else f"{p:.3f}"


def _percent(number: float) -> str:
    return f"{100 * number:.1f}%"


def _seconds(number: float) -> str:
    return f"{number:.3g}"


def _number(number: float) -> str:
    return f"{number:,.3f}" if abs(number) < 10 else f"{number:,.1f}"  # noqa: PLR2004 - three digits or more are told


def _dollars(number: float) -> str:
    return f"${number:.4f}"


_FORMATS: Final[dict[str, Callable[[float], str]]] = {
    "errors": _percent,
    "latency": _seconds,
    "tokens": _number,
    "cost": _dollars,
}
_UNITS: Final = {
    "errors": ", share of runs",
    "latency": ", seconds a run",
    "tokens": " a run",
    "cost": ", US dollars a run",
}


def _verdict(results: Results, units: str) -> Iterator[str]:
    for each in results.variants[1:]:
        estimate = each.estimates[results.metric]
        if estimate.p is not None and estimate.p < 1 - results.confidence:
            word = "above" if (estimate.difference or 0.0) > 0 else "below"
            control = results.variants[0].name
            yield f"{each.name} is {word} {control} in {results.metric}: proven, however often you looked."
        elif estimate.anytime is None:
            yield f"{each.name}: too little to say anything yet; it takes {_FEWEST} {units} of each."
        else:
            yield f"{each.name}: nothing is proven. Look again as often as you like."
    if results.balance is not None and results.balance < _UNBALANCED:
        yield (
            "The variants have not the traffic that their weights say. Were the weights changed? If not, something "
            "other than chance decides who is counted, and the differences mean little."
        )
    if results.earlier:
        yield f"{results.earlier:,} runs are left out: the variants were something else then."


def _told(change: Change) -> str:
    at = datetime.fromtimestamp(change.at / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    what = f"{change.kind} of {change.variant}" if change.variant else change.kind
    return f"{at}  {what}, by {change.by}: {change.why}"
