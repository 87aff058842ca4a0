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

    from sentient_cli.llm.openai.config import OpenAIConfig
    from sentient_cli.llm.wire.bridge import Form
    from sentient_cli.llm.wire.transport import Transport

__all__ = ["Sender", "authorization", "models_of", "place_of", "post"]


class Sender:
    """Sends requests that models answer, over the SDK's client. When settings change, the next calls get a new one.

    Args:
        provider: Whose.
        client: The SDK's.
        transport: The connections.
        config: The settings.
    """

    def __init__(self, provider: str, client: AsyncOpenAI, transport: Transport, config: OpenAIConfig) -> None:
        self._provider = provider
        self.client: AsyncOpenAI = client
        self.config: OpenAIConfig = config
        self._transport = transport
        self._forms: dict[str, Form] = {}

    async def open(self, request: Request, body: bytes, key: Secret | None, path: str) -> Incoming:
        """Send a request, and give our side of the answer, which is a refusal perhaps. Close it.

        Args:
            request: What is asked.
            body: The same as JSON.
            key: What it is asked with.
            path: Where.

        Raises:
            ProviderError: of the class that fits.
        """
        form = self._forms.get(path)
        if form is None:
            form = self._forms[path] = await self._built(path)
        headers = {**form.headers, **authorization(key)}
        if request.call:
            headers["idempotency-key"] = headers["x-client-request-id"] = _name_of(request.call, path, body)
        return await self._transport.open("POST", form.url, headers, body, config=self.config)

    async def _built(self, path: str) -> Form:
        """How the SDK asks there."""
        from sentient_cli.llm.wire.bridge import form_of  # noqa: PLC0415 - is loaded by now

        headers = {"accept": "text/event-stream", "Authorization": "none"}  # each request has its own
        form = await form_of(lambda marks: post(self._provider, self.client, path, b"{}", {**headers, **marks}))
        return form._replace(headers={name: form.headers[name] for name in form.headers if name != "authorization"})


def place_of(request: Request) -> str:
    """What a request asks for, to be told in errors."""
    return f"the model {request.model!r:.80}"


def _name_of(call: str, path: str, body: bytes) -> str:
    """Names a request: sent again it has the same name, and another request of the same call has another."""
    return f"{call}-{hashlib.blake2b(path.encode() + body, digest_size=8).hexdigest()}"


async def post(
    provider: str,
    client: AsyncOpenAI,
    path: str,
    body: bytes,
    headers: dict[str, str],
) -> httpx2.Response:
    """Send JSON; the body of the answer is not read.

    Args:
        provider: Whose.
        client: The SDK's.
        path: Where.
        body: JSON.
        headers: More headers, the one with the key among them.

    Raises:
        ProviderError: of the class that fits.
    """
    import httpx2  # noqa: PLC0415 - is loaded by now

    told = {**headers, "content-type": "application/json"}
    try:
        return await client.post(
            path, cast_to=httpx2.Response, content=body, options={"headers": told}, stream=True, stream_cls=None
        )
    except Exception as error:  # noqa: BLE001 - the seam sorts them
        failure = failure_of_sdk(provider, error)
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
