"""Settings of models in the documentation make providers, and the settings of each provider are its own."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from sentient_cli.clock import SystemClock, SystemIds
from sentient_cli.config.validation import validate
from sentient_cli.errors import CredentialNotFoundError
from sentient_cli.host.llm import build_llm
from sentient_cli.llm.providers.kinds import KINDS
from sentient_cli.llm.providers.lazy import LazyProvider
from tests.docs.blocks import Block, blocks
from tests.plugins.isolation import REPOSITORY

_KEYS = {name: "sk-a-key-1234" for kind in KINDS.values() for name in kind.variables}


_RUN: Final = {"keys.md", "own-provider.md"}
"""Pages that use their settings themselves."""


def _settings() -> list[tuple[str, Block]]:
    pages = sorted((REPOSITORY / "docs").rglob("*.md"))
    found = ((page.name, block) for page in pages for block in blocks(page.read_text("utf-8")))
    return [
        (f"{name}:{block.line}", block)
        for name, block in found
        if name not in _RUN and block.language == "toml" and "[llm.providers" in block.body and not block.exit_code
    ]


@pytest.mark.parametrize("block", [pytest.param(block, id=name) for name, block in _settings()])
def test_the_providers_of_an_example_can_be_made(block: Block, tmp_path: Path) -> None:
    (tmp_path / "sentient.toml").write_text(block.body, "utf-8")
    loaded = validate(project=tmp_path, environment={}).loaded
    assert loaded is not None
    settings, clock = loaded.settings.llm, SystemClock()
    keys = {name: "sk-a-key-1234" for table in settings.providers.values() for name in table.api_key_env or ()}
    manager = build_llm(settings, clock, SystemIds(clock), environment={**_KEYS, **keys})
    for name in settings.providers:
        with suppress(CredentialNotFoundError):  # one at another address, whose key the page says how to store
            provider, _ = manager.resolve(name)
            if isinstance(provider, LazyProvider):
                assert provider.made.provider_id == name
