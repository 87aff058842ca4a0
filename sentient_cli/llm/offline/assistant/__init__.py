"""The built-in assistant: small skills, tried in order, none of which claims to know the world."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sentient_cli.llm.offline.assistant import (
    arithmetic,
    concepts,
    dates,
    identity,
    memory,
    reflection,
    samples,
    textwork,
)
from sentient_cli.llm.offline.assistant.talk import Talk

__all__ = ["Skill", "Talk", "reply"]

Skill: TypeAlias = Callable[[Talk], str | None]
"""Answers when it can; None passes the prompt on."""

SKILLS: tuple[Skill, ...] = (
    textwork.work,
    memory.recall,
    arithmetic.calculate,
    dates.tell,
    samples.show,
    identity.introduce,
    concepts.explain,
    memory.note,
    identity.greet,
)


def reply(talk: Talk) -> str:
    """The assistant's answer. The same talk always gets the same one.

    Example:
        >>> from sentient_cli.llm.types import Message
        >>> reply(Talk((Message.user("My name is Ada."), Message.user("What is my name?")), 0, 0))
        'Your name is Ada.'
    """
    for skill in SKILLS:
        said = skill(talk)
        if said is not None:
            return said
    return reflection.reflect(talk)
