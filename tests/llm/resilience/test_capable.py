"""What a provider cannot do is not asked of it, by a manager that is made by hand."""

from __future__ import annotations

import pytest

from sentient_cli.errors import BadRequestError
from sentient_cli.llm import (
    Capabilities,
    DocumentPart,
    ImagePart,
    LLMManager,
    Message,
    OfflineProvider,
    OutputSpec,
    Request,
    TextPart,
    ToolSpec,
)
from sentient_cli.llm.anthropic import AnthropicConfig, AnthropicProvider
from sentient_cli.llm.resilience.targets import Target, adapted
from sentient_cli.llm.selection.policies import RoundRobin
from sentient_cli.llm.selection.selector import Selector
from tests.llm.resilience.actors import STOP, Actor, Deed, said

WELL: list[Deed] = [*said("Hello"), STOP]


@pytest.mark.parametrize(
    ("asked", "lacks"),
    [
        ({"tools": (ToolSpec("now"),)}, "ask for tools"),
        ({"output": OutputSpec("int", {"type": "object"})}, "be held to a form of answer"),
        ({"messages": [Message.system("Be brief"), Message.user("hi")]}, "obey system messages"),
        ({"messages": [Message.user((ImagePart(data=b"GIF89a"),))]}, "read images"),
        ({"messages": [Message.user((DocumentPart(data=b"%PDF-1.7"),))]}, "read documents"),
    ],
)
async def test_what_a_provider_cannot_do_is_not_asked_of_it(asked: dict[str, object], lacks: str) -> None:
    simple = Actor(WELL, name="simple", capabilities=Capabilities(system_prompts=False))
    able = Actor(WELL, name="able", capabilities=Capabilities(tools=True, images=True, documents=True))
    pair = LLMManager([simple, able], groups={"pair": ["simple:m", "able:m"]}, default_model="pair")
    told: dict[str, object] = {"messages": "hi", **asked}
    answer = await pair.stream(**told).completion()  # type: ignore[arg-type]
    assert (answer.provider, simple.calls) == ("able", 0)
    with pytest.raises(BadRequestError, match="No model can take this request: simple:m") as caught:
        await LLMManager([simple], default_model="simple:m").stream(**told).completion()  # type: ignore[arg-type]
    assert (caught.value.why, simple.calls) == (f"It has to {lacks}", 0)


NOTES = DocumentPart(data="Grüße".encode(), name="notes.txt")


@pytest.mark.parametrize("choose", [{}, {"choose": Selector(RoundRobin())}])
async def test_a_document_that_is_text_is_told_to_whoever_reads_no_documents(choose: dict[str, Selector]) -> None:
    manager = LLMManager([OfflineProvider()], default_model="offline:echo", **choose)  # type: ignore[arg-type]
    answer = await manager.generate([Message.user((NOTES, TextPart("What is it?")))])
    assert answer.text == "notes.txt:\nGrüße\n\nWhat is it?"
    pdf = Message.user((DocumentPart(data=b"%PDF-1.7", name="a.pdf"),))
    with pytest.raises(BadRequestError, match="No model can take this request"):
        await manager.generate([pdf])


def test_who_reads_documents_gets_them_as_they_are() -> None:
    request = Request(model="m", messages=(Message.user((NOTES,)), Message.user("Hi")))
    assert adapted(request, Target(AnthropicProvider(AnthropicConfig()), "m")) is request
    told = adapted(request, Target(OfflineProvider(), "m")).messages
    assert (told[0].text, told[1]) == ("notes.txt:\nGrüße\n\n", request.messages[1])
