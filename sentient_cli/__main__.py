"""``python -m sentient_cli`` and the scripts ``sentient`` and ``sentient-agent-cli``."""

from __future__ import annotations

import sys

from sentient_cli.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
