"""What every test stands on: isolation, loopback only, no leaks, async tests, story marks that are earned."""

from __future__ import annotations

pytest_plugins = [
    "tests.plugins.measuring",  # first: it has effect when it is imported
    "tests.plugins.alone",  # before anything is started
    "pytester",
    "tests.plugins.isolation",
    "tests.plugins.doors",
    "tests.plugins.leaks",
    "tests.plugins.swept",
    "tests.plugins.coroutines",
    "tests.plugins.places",
    "tests.plugins.programs",
    "tests.plugins.commands",
]
