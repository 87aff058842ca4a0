"""The tools: typed functions. The model sees their names, parameters and docstrings."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Literal

from sentient_cli import tool

Unit = Literal["kilometres", "metres", "miles", "kilograms", "grams", "pounds"]

_UNITS: dict[Unit, tuple[str, float]] = {
    "kilometres": ("length", 1000.0),
    "metres": ("length", 1.0),
    "miles": ("length", 1609.344),
    "kilograms": ("mass", 1000.0),
    "grams": ("mass", 1.0),
    "pounds": ("mass", 453.59237),
}


@tool
def convert(value: float, unit: Unit, to: Unit) -> str:
    """Convert a length or a mass from one unit to another."""
    kind, size = _UNITS[unit]
    other_kind, other_size = _UNITS[to]
    if kind != other_kind:
        raise ValueError(f"{unit} measure {kind}, {to} measure {other_kind}")
    return f"{value * size / other_size:g} {to}"


@tool
def days_between(start: date, end: date) -> int:
    """The number of days from one date to another; below zero when the second one is earlier."""
    return (end - start).days


@tool(timeout=5)  # seconds
def search_handbook(words: str) -> list[str]:
    """Find the sections of the handbook that fit some words best: opening hours, prices, delivery, returns.

    Args:
        words: A question, or what it is about.
    """
    wanted = _words(words)
    ranked = sorted(_sections(), key=lambda section: len(wanted & _words(section)), reverse=True)
    return [section for section in ranked[:2] if wanted & _words(section)]


TOOLS = (convert, days_between, search_handbook)


def _sections() -> list[str]:
    text = Path(__file__).with_name("handbook.md").read_text(encoding="utf-8")
    return [section.strip() for section in text.split("\n## ")[1:]]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w{3,}", text.lower()))
