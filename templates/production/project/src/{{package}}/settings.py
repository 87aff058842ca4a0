"""What can be tuned without a change of the code; `sentient.toml` has the settings of the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, Field

PREFIX = "ASSISTANT_"


class Settings(BaseModel, frozen=True):
    """The settings of the agent. `ASSISTANT_MAX_ROUNDS=3` in the environment or in `.env` sets `max_rounds`."""

    longest_question: int = Field(default=4000, ge=1, description="Characters that a question may have.")
    remembered: int = Field(default=20, ge=0, description="Earlier turns that the model is shown.")
    max_rounds: int = Field(default=5, ge=1, description="How often the model is asked for one answer.")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables that are set.

        Raises:
            ValidationError: one of them has a value that cannot be; the agent then does not start.
        """
        variables = {name: PREFIX + name.upper() for name in cls.model_fields}
        return cls.model_validate({name: environment[key] for name, key in variables.items() if environment.get(key)})
