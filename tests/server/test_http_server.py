"""What the server imports, and what it can do without: the command line of uvicorn, parsers, loops, Unix sockets."""

from __future__ import annotations

import subprocess
import sys

import pytest

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


@pytest.mark.slow
def test_uvicorn_without_its_command_line() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", _CODE], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("as it is\n", "")


@pytest.mark.slow
def test_the_server_can_be_imported_without_the_parser_the_loop_and_unix_sockets() -> None:
    lines = [
        "import sys, socket",
        "for name in ('httptools', 'uvloop', 'resource'):",
        "    sys.modules[name] = None",
        "from sentient_cli.server.protocol import make_protocol",
        "from sentient_cli.server import descriptors, loop",
        "assert 'h11' in str(make_protocol(1).__mro__)",
        "descriptors.raise_descriptor_limit()",
        "assert descriptors.descriptor_limit() > 0",
        "loop._new_loop().close()",
        "del socket.AF_UNIX",
        "import sentient_cli.server.app, sentient_cli.server.workers, sentient_cli.server.peers",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, timeout=60)
