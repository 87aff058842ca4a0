"""The SDK's client, with the settings that it was made under."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

from sentient_cli.config.secret import Secret
from sentient_cli.llm.anthropic.config import AnthropicConfig
from sentient_cli.llm.anthropic.failures import foreign, mapped, refused
from sentient_cli.llm.wire.account import hear_headers
from sentient_cli.llm.wire.reading import Incoming
from sentient_cli.llm.wire.refusals import refusal_in
from sentient_cli.llm.wire.transport import Transport

if TYPE_CHECKING:
    import anthropic
    import httpx2

    from sentient_cli.llm.wire.bridge import Form

__all__ = ["Client", "preload"]

_LARGEST: Final = 64 * 1024 * 1024
_MESSAGES: Final = "/v1/messages"
_BETA: Final = "anthropic-beta"


def preload() -> None:
    """Import what takes time, two seconds of it: for a process that waits to be forked, or a thread.

    Example:
        >>> import sys
        >>> preload()
        >>> "anthropic" in sys.modules
        True
    """
    for name in ("httpx2", "anthropic", "sentient_cli.llm.wire.bridge", "sentient_cli.llm.wire.http1.pool"):
        import_module(name)


class Client:
    """Sends requests. When settings change, the next calls get a new one.

    Args:
        provider: Whose.
        config: The settings.
        transport: The connections.
    """

    def __init__(self, provider: str, config: AnthropicConfig, transport: Transport) -> None:
        self._provider = provider
        self.config: AnthropicConfig = config
        self._transport = transport
        self._sdk = _sdk(config, transport)
        self._foreign = foreign()
        self._form: Form | None = None

    async def ask(self, key: Secret | None, body: bytes, betas: tuple[str, ...]) -> Incoming:
        """Ask for a message, and read no more than the head of the answer. Close it.

        Args:
            key: Of this call.
            body: JSON.
            betas: Names of previews to be used.

        Raises:
            SentientError: it failed, or was refused.
        """
        form = self._form = self._form or await self._built()
        headers = {**form.headers, **self.credential(key)}
        if betas:
            headers[_BETA] = ",".join(betas)
        incoming = await self._transport.open("POST", form.url, headers, body, config=self.config)
        try:
            told = await refusal_in(incoming)
        except BaseException:
            incoming.close()
            raise
        if told is None:
            return incoming
        incoming.close()
        raise refused(self._provider, incoming.status, incoming.headers, told)

    async def open(
        self, method: str, path: str, key: Secret | None, body: bytes = b"", betas: tuple[str, ...] = ()
    ) -> Incoming:
        """Send something, and read no more than the head of the answer. Close it.

        Args:
            method: ``GET`` or ``POST``.
            path: With its query.
            key: Of this call.
            body: JSON.
            betas: Names of previews to be used.

        Raises:
            SentientError: it failed, or was refused.
        """
        from sentient_cli.llm.wire.bridge import incoming_of, unseen  # noqa: PLC0415 - loaded with the client

        try:
            with unseen(self.credential(key)) as marks:
                response = await self._sent(method, path, body, betas, marks)
        except self._foreign as error:
            failure = mapped(error, self._provider, self.config)
        else:
            return incoming_of(self._provider, response)
        raise failure

    async def _built(self) -> Form:
        """How the SDK asks for a message."""
        from sentient_cli.llm.wire.bridge import form_of  # noqa: PLC0415 - loaded with the client

        try:
            return await form_of(lambda marks: self._sent("POST", _MESSAGES, b"{}", (), marks))
        except self._foreign as error:
            failure = mapped(error, self._provider, self.config)
        raise failure

    async def _sent(
        self, method: str, path: str, body: bytes, betas: tuple[str, ...], marks: Mapping[str, str]
    ) -> httpx2.Response:
        import anthropic  # noqa: PLC0415 - loaded with the client
        import httpx2  # noqa: PLC0415 - the same

        # The SDK's structures for messages would cost a walk through the whole request, and warn of some models.
        kind = anthropic.AsyncStream[object]
        headers: dict[str, str | anthropic.Omit] = {"Authorization": anthropic.Omit(), **marks}
        if betas:
            headers[_BETA] = ",".join(betas)
        if method == "GET":
            sent = self._sdk.get(
                path, cast_to=httpx2.Response, options={"headers": headers}, stream=True, stream_cls=kind
            )
        else:
            told = {**headers, "content-type": "application/json"}
            sent = self._sdk.post(
                path, cast_to=httpx2.Response, content=body, options={"headers": told}, stream=True, stream_cls=kind
            )
        response: object = await sent
        assert isinstance(response, httpx2.Response)  # noqa: S101 - the SDK gives what it is asked to cast to
        return response

    async def fetch(
        self, method: str, path: str, key: Secret | None, body: bytes = b"", betas: tuple[str, ...] = ()
    ) -> bytes:
        """Send something, and read the whole answer.

        Args:
            method: As for `open`.
            path: As for `open`.
            key: As for `open`.
            body: As for `open`.
            betas: As for `open`.

        Raises:
            SentientError: it failed, or was refused.
        """
        incoming = await self.open(method, path, key, body, betas)
        hear_headers(incoming.headers)
        try:
            return await incoming.read(_LARGEST)
        finally:
            incoming.close()

    def credential(self, key: Secret | None) -> dict[str, str]:
        """The header that tells who asks.

        Args:
            key: Of this call.
        """
        key = self.config.own(key)
        if key is None:
            return {}
        told = key.reveal()
        return {"x-api-key": told} if self.config.key_header == "x-api-key" else {"authorization": f"Bearer {told}"}


def _sdk(config: AnthropicConfig, transport: Transport) -> anthropic.AsyncAnthropic:
    import anthropic  # noqa: PLC0415 - takes two seconds

    from sentient_cli.llm.wire.bridge import http_client  # noqa: PLC0415 - the library under it

    client = anthropic.AsyncAnthropic(
        api_key="none",  # each request has its own, which the SDK does not see
        base_url=config.base_url.rstrip("/"),
        timeout=None,
        max_retries=0,
        http_client=http_client(lambda: (transport, config)),
        open_telemetry=False,
    )
    # No public name leaves out those of the environment.
    client._custom_headers = {"anthropic-version": config.api_version, **config.headers}  # noqa: SLF001
    client.webhook_key = None
    return client
