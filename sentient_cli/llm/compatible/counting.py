"""Tokens, counted by the servers that can: vLLM and llama.cpp."""

from __future__ import annotations

from sentient_cli.errors import ProviderConnectionError
from sentient_cli.llm.chatwire.messages import wire_messages
from sentient_cli.llm.compatible.asking import Asking
from sentient_cli.llm.compatible.config import root
from sentient_cli.llm.compatible.listing import first_model
from sentient_cli.llm.compatible.vendors import AUTO
from sentient_cli.llm.provider import Request, TokenCount
from sentient_cli.llm.types import JsonValue

__all__ = ["counted_tokens"]


async def counted_tokens(asking: Asking, request: Request) -> TokenCount:
    """The tokens of a request, with the template that the server puts around the messages.

    Args:
        asking: Whom to ask.
        request: What would be asked.

    Raises:
        ProviderError: it cannot be asked, or does not tell.
    """
    messages = wire_messages(request.messages, asking.vendor.dialect, asking.provider)
    count: JsonValue
    if asking.vendor.live == "vllm":
        model = request.model if request.model != AUTO else await first_model(asking)
        told = await asking.post(f"{root(asking.config)}/tokenize", {"model": model, "messages": messages})
        count = told.get("count") if isinstance(told, dict) else None
    else:
        shaped = await asking.post(f"{root(asking.config)}/apply-template", {"messages": messages})
        prompt = shaped.get("prompt") if isinstance(shaped, dict) else None
        told = await asking.post(f"{root(asking.config)}/tokenize", {"content": prompt, "add_special": True})
        tokens = told.get("tokens") if isinstance(told, dict) else None
        count = len(tokens) if isinstance(tokens, list) else None
    if not isinstance(count, int):
        raise ProviderConnectionError(f"The provider {asking.provider!r} does not count", provider=asking.provider)
    return TokenCount(count, exact=not request.tools)  # tools have a share that is not told
