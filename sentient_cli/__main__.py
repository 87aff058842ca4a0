"""``python -m sentient_cli`` and the scripts ``sentient`` and ``sentient-agent-cli``."""

from __future__ import annotations

import sys

__all__ = ["main"]

INTERRUPTED = 130


def main() -> int:
    """Run the command that the arguments name; return the exit code."""
    try:
        from sentient_cli.cli.main import main as run  # noqa: PLC0415 - an interrupt while it is imported ends quietly

        return run()
    except KeyboardInterrupt:  # and so does one before or after what `run` itself tells of
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
