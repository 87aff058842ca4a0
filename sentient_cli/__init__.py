"""Build, serve, talk to and debug AI agents that speak the Sentient Chat protocol.

Importing the package costs nothing: a public name is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentient_cli import testing
    from sentient_cli.clock import Ulid

__version__ = "0.1.0"
