"""AWS Secrets Manager on a port, as moto has it: one request after another, so that each is made as a whole."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Generator

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

__all__ = ["ACCOUNT", "running_aws"]

ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEOFTHETESTS",
    "AWS_SECRET_ACCESS_KEY": "of-the-tests-0123456789",
    "AWS_REGION": "eu-central-1",
}
"""The variables of somebody who is signed in."""


@contextlib.contextmanager
def running_aws() -> Generator[str]:
    """The address of a service with nothing in it but what tests have put there."""
    log = logging.getLogger("werkzeug")
    before, log.level = log.level, logging.ERROR
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="aws")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        log.level = before
