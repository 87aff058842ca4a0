"""The command line of uvicorn is not imported with its server, and is there for whoever asks."""

from __future__ import annotations

import subprocess
import sys

_CODE = """
import sys
from sentient_cli.server.adopting import AdoptingServer
import uvicorn.lifespan.off
assert "click" not in sys.modules, "the command line is imported"
import uvicorn
assert issubclass(AdoptingServer, uvicorn.Server)
assert "click" not in sys.modules, "the command line is imported for what is there"
from uvicorn import Config, run
assert callable(run) and uvicorn.Config is Config and uvicorn.__version__
assert issubclass(AdoptingServer, uvicorn.Server), "there are two of it"
try:
    uvicorn.nothing
except AttributeError:
    print("as it is")
"""


def test_uvicorn_without_its_command_line() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", _CODE], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("as it is\n", "")
