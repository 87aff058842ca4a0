"""What is asked through the SDK, with its errors as ours."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.llm.chatwire.listing import models_in
from sentient_cli.llm.openai.seam import failure_of_sdk
from sentient_cli.llm.provider import ModelInfo, Request
from sentient_cli.llm.wire.account import hear_headers
from sentient_cli.llm.wire.reading import Incoming

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

__all__ = ["authorization", "models_of", "open_answer", "post"]


async def open_answer(
    provider: str,
    client: AsyncOpenAI,
    request: Request,
    body: bytes,
    key: Secret | None,
    path: str = "/chat/completions",
) -> Incoming:
    """Send a request, and give our side of the answer.

    Args:
        provider: Whose.
        client: The SDK's.
        request: What is asked.
        body: The same as JSON.
        key: What it is asked with.
        path: Where.

    Raises:
        ProviderError: of the class that fits.
    """
    from sentient_cli.llm.wire.bridge import incoming_of  # noqa: PLC0415 - is loaded by now

    headers = {"accept": "text/event-stream"}
    if request.call:
        headers["idempotency-key"] = headers["x-client-request-id"] = _name_of(request.call, path, body)
    response = await post(provider, client, path, body, key, headers, f"the model {request.model!r:.80}")
    return incoming_of(provider, response)


def _name_of(call: str, path: str, body: bytes) -> str:
    """Names a request: sent again it has the same name, and another request of the same call has another."""
    return f"{call}-{hashlib.blake2b(path.encode() + body, digest_size=8).hexdigest()}"


async def post(
    provider: str,
    client: AsyncOpenAI,
    path: str,
    body: bytes,
    key: Secret | None,
    headers: dict[str, str],
    where: str = "",
) -> httpx2.Response:
    """Send JSON; the body of the answer is not read.

    Args:
        provider: Whose.
        client: The SDK's.
        path: Where.
        body: JSON.
        key: What it is asked with.
        headers: More headers.
        where: What is asked for, to be told.

    Raises:
        ProviderError: of the class that fits.
    """
    import httpx2  # noqa: PLC0415 - is loaded by now

    told = {**headers, "content-type": "application/json", **authorization(key)}
    try:
        return await client.post(
            path, cast_to=httpx2.Response, content=body, options={"headers": told}, stream=True, stream_cls=None
        )
    except Exception as error:  # noqa: BLE001 - the seam sorts them
        failure = failure_of_sdk(provider, error, where)
    raise failure


def authorization(key: Secret | None) -> dict[str, str]:
    """The header that has the key."""
    return {"Authorization": f"Bearer {key.reveal()}"} if key else {}


async def models_of(provider: str, client: AsyncOpenAI, key: Secret | None) -> tuple[ModelInfo, ...]:
    """The models that a key may use.

    Args:
        provider: Whose.
        client: The SDK's.
        key: The key.

    Raises:
        ProviderError: of the class that fits.
    """
    import httpx2  # noqa: PLC0415 - is loaded by now

    try:
        response = await client.get("/models", cast_to=httpx2.Response, options={"headers": authorization(key)})
        hear_headers(response.headers)
        return models_in(msgspec.json.decode(response.content))
    except Exception as error:  # noqa: BLE001 - the seam sorts them
        failure = failure_of_sdk(provider, error)
    raise failure
