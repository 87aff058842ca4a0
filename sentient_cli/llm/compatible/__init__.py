"""Every vendor and server that speaks the wire of chat completions, without any SDK: a table, and one provider."""

from __future__ import annotations

from sentient_cli.llm.compatible.provider import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.compatible.vendors import VENDORS, Vendor, vendor_of

__all__ = ["VENDORS", "CompatibleConfig", "CompatibleProvider", "Vendor", "vendor_of"]
