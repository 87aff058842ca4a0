"""What calls of models are asked with, as settings say it: the view of it, and what a model does not take of it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentient_cli.llm.config.checking import conflicts
    from sentient_cli.llm.config.conflict import Conflict
    from sentient_cli.llm.config.models import ModelConflict, conflicts_of
    from sentient_cli.llm.config.view import LLMConfig, LLMSetting

__all__ = ["Conflict", "LLMConfig", "LLMSetting", "ModelConflict", "conflicts", "conflicts_of"]

_HOMES = {
    "Conflict": "conflict",
    "LLMConfig": "view",
    "LLMSetting": "view",
    "ModelConflict": "models",
    "conflicts": "checking",
    "conflicts_of": "models",
}


def __getattr__(name: str) -> object:
    # The view needs settings, which import Pydantic; what is not taken needs the adapters.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    return value
