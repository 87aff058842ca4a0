"""uvicorn without its command line, whose imports take longer than those of the server."""

from __future__ import annotations

import sys

from sentient_cli.runtime.loading.late import leave_first_file

__all__ = ["Config", "Server"]

leave_first_file("uvicorn")

from uvicorn.config import Config  # noqa: E402 - of the package that is there now
from uvicorn.server import Server  # noqa: E402 - the same

# Its other parts ask for these.
vars(sys.modules["uvicorn"]).update(Config=Config, Server=Server)
