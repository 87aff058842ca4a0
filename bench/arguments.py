"""The command line of a figure."""

from __future__ import annotations

import argparse

__all__ = ["parser_of"]


def parser_of(about: str | None, quick: str) -> argparse.ArgumentParser:
    """A parser that knows ``--quick``.

    Args:
        about: What is measured.
        quick: What is less then.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help=quick)
    return parser
