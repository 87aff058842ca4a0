"""Where things are kept."""

from __future__ import annotations

from pathlib import Path

from sentient_cli import paths


def test_every_place_is_our_own_and_none_is_made() -> None:
    places = [
        paths.config_dir(),
        paths.data_dir(),
        paths.state_dir(),
        paths.cache_dir(),
        paths.runtime_dir(),
        paths.user_config_file(),
        paths.crash_dir(),
    ]
    assert len(set(places)) == len(places)
    assert all(path.is_absolute() and "sentient" in path.parts for path in places)
    assert all(path.is_relative_to(Path.home()) for path in places)
    assert not any(path.exists() for path in places)
