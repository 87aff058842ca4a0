"""The offline model: deterministic, without a key and without a network; scriptable from a file."""

from __future__ import annotations

from sentient_cli.llm.offline.load import load_script, parse_script
from sentient_cli.llm.offline.provider import OfflineConfig, OfflineProvider
from sentient_cli.llm.offline.script import Script

__all__ = ["OfflineConfig", "OfflineProvider", "Script", "load_script", "parse_script"]
