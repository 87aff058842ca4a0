"""Ask an agent over HTTP and read its events, whatever the network does between.

Works with every server of the Sentient Chat protocol. Those that name the run (``Sentient-Run-Id``) can be resumed
after a broken connection and told to stop; with the others, a broken connection is the end of the answer.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

import httpx

from sentient_cli.client.answer import Answer
from sentient_cli.client.transport import MAX_REFUSAL_BYTES, OK, Timeouts, base_url, client_for, refusal, unreachable
from sentient_cli.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import TracebackType

    from sentient_cli.client.answer import Observer
    from sentient_cli.client.session import ClientSession

__all__ = ["AgentClient"]


class AgentClient:
    """A connection to one agent.

    Args:
        url: Where the agent is, with or without ``/assist``.
        token: Sent as a bearer token; None sends none.
        timeouts: How long to wait, in seconds.
        observer: Told when a connection broke and is made again, and when an event was passed over.

    Raises:
        UsageError: the URL is none of http or https.
        ConfigError: no header can carry the token.

    Example:
        ```python
        session = ClientSession()
        async with AgentClient("http://127.0.0.1:8000") as client, client.ask("Hello", session) as answer:
            async for event in answer:
                print(event)
        ```
    """

    def __init__(
        self, url: str, *, token: str | None = None, timeouts: Timeouts | None = None, observer: Observer | None = None
    ) -> None:
        self.url: str = base_url(url)
        self._timeouts = timeouts or Timeouts()
        self._observer = observer
        self._http = client_for(self.url, token, self._timeouts)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections. May be called twice."""
        await self._http.aclose()

    @asynccontextmanager
    async def ask(self, prompt: str, session: ClientSession) -> AsyncGenerator[Answer]:
        """Ask, and give the answer as it comes. The session remembers the turn, also when it breaks off.

        Args:
            prompt: The question.
            session: The chat that it belongs to.

        Raises:
            NetworkError: the agent could not be reached, or did not accept the request.
            ConfigError: the agent refused the credentials.
        """
        turn = session.begin(prompt)
        response = await self._post(session.body(turn))
        answer = Answer(self._http, self.url, response, turn, self._timeouts, self._observer)
        try:
            yield answer
        finally:
            session.end(turn)
            await answer.aclose()

    async def _post(self, body: bytes) -> httpx.Response:
        request = self._http.build_request(
            "POST", "/assist", content=body, headers={"Content-Type": "application/json"}
        )
        try:
            async with asyncio.timeout(self._timeouts.connect + self._timeouts.first_byte):
                response = await self._http.send(request, stream=True)
        except TimeoutError as error:
            raise NetworkError(
                f"{self.url} accepted the connection and did not answer in time",
                fix="Look at the server's log; it may be busy or blocked",
            ) from error
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        try:
            await self._check(response)
        except BaseException:
            await response.aclose()
            raise
        return response

    async def _check(self, response: httpx.Response) -> None:
        if response.status_code != OK:
            body = await _bounded(response, self._timeouts.first_byte)
            raise refusal(self.url, response.status_code, response.headers, body)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/event-stream":
            raise NetworkError(
                f"{self.url} is no Sentient agent",
                why="Its answer is no event stream",
                fix="Check the URL: an agent answers at /assist below it",
            )


async def _bounded(response: httpx.Response, seconds: float) -> bytes:
    """The first bytes of a refusal's body, as far as they come."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_REFUSAL_BYTES:
                    break
    except (httpx.TransportError, httpx.DecodingError, TimeoutError):
        pass
    return bytes(body[:MAX_REFUSAL_BYTES])
