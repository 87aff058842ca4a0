"""What a provider cannot do is not asked of it, by a manager that is made by hand."""

from __future__ import annotations

import pytest

from sentient_cli.errors import BadRequestError
from sentient_cli.llm import Capabilities, ImagePart, LLMManager, Message, OutputSpec, ToolSpec
from tests.llm.resilience.actors import STOP, Actor, Deed, said

WELL: list[Deed] = [*said("Hello"), STOP]


@pytest.mark.parametrize(
    ("asked", "lacks"),
    [
        ({"tools": (ToolSpec("now"),)}, "ask for tools"),
        ({"output": OutputSpec("int", {"type": "object"})}, "be held to a form of answer"),
        ({"messages": [Message.system("Be brief"), Message.user("hi")]}, "obey system messages"),
        ({"messages": [Message.user((ImagePart(data=b"GIF89a"),))]}, "read images"),
    ],
)
async def test_what_a_provider_cannot_do_is_not_asked_of_it(asked: dict[str, object], lacks: str) -> None:
    simple = Actor(WELL, name="simple", capabilities=Capabilities(system_prompts=False))
    able = Actor(WELL, name="able", capabilities=Capabilities(tools=True, images=True))
    pair = LLMManager([simple, able], groups={"pair": ["simple:m", "able:m"]}, default_model="pair")
    told: dict[str, object] = {"messages": "hi", **asked}
    answer = await pair.stream(**told).completion()  # type: ignore[arg-type]
    assert (answer.provider, simple.calls) == ("able", 0)
    with pytest.raises(BadRequestError, match="No model can take this request: simple:m") as caught:
        await LLMManager([simple], default_model="simple:m").stream(**told).completion()  # type: ignore[arg-type]
    assert (caught.value.why, simple.calls) == (f"It has to {lacks}", 0)
