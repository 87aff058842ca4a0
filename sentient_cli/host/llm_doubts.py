"""What is doubtful about settings of models, to be said once when a program starts with them."""

from __future__ import annotations

from sentient_cli.config.llm import LlmSettings
from sentient_cli.errors import SentientError

__all__ = ["doubts_of"]


def doubts_of(settings: LlmSettings) -> list[str]:
    """What the models of the settings do not take of their parameters: a sentence each, with what to do instead.

    Args:
        settings: Those of models.

    Example:
        >>> from sentient_cli.config.llm import ParameterSettings
        >>> settings = LlmSettings(model="groq", parameters=ParameterSettings(logprobs=True))
        >>> doubts_of(settings)
        ["groq: `logprobs` = true is left out: 'groq' does not take it. Leave it out for this model."]
    """
    if not settings.parameters.model_fields_set and settings.preset is None:
        return []
    from sentient_cli.llm.config.models import conflicts_of  # noqa: PLC0415 - most settings have none

    try:
        return [f"{each.model}: {each.conflict}. {each.conflict.alternatives[0]}" for each in conflicts_of(settings)]
    except SentientError:  # whoever makes the manager of these settings says so
        return []
