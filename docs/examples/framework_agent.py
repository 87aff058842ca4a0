# ruff: noqa: ANN201, ANN204, ARG002, PGH003, UP035
# type: ignore
import logging
from typing import AsyncIterator

from sentient_agent_framework import AbstractAgent, DefaultServer, Query, ResponseHandler, Session

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger(__name__)


class SearchAgent(AbstractAgent):
    def __init__(self, name: str):
        super().__init__(name)
        self._shelf = {
            "tea": "Tea is made of the leaves of Camellia sinensis.",
            "coffee": "Coffee is made of roasted seeds.",
            "cocoa": "Cocoa is made of fermented beans.",
        }

    async def assist(self, session: Session, query: Query, response_handler: ResponseHandler):
        """Search the shelf for an answer."""
        logger.info("Searching for an answer")
        await response_handler.emit_text_block("SEARCH", "Searching the shelf for results...")

        results = [{"title": title, "content": text} for title, text in self._shelf.items() if title in query.prompt]
        if results:
            await response_handler.emit_json("SOURCES", {"results": results})

        final_response_stream = response_handler.create_text_stream("FINAL_RESPONSE")
        async for chunk in self.__process_search_results(results):
            await final_response_stream.emit_chunk(chunk)
        await final_response_stream.complete()
        await response_handler.complete()

    async def __process_search_results(self, results: list[dict[str, str]]) -> AsyncIterator[str]:
        """Put the results into words."""
        if not results:
            yield "There is nothing about that on the shelf."
        for result in results:
            for word in result["content"].split():
                yield word + " "


if __name__ == "__main__":
    # Create an instance of a SearchAgent
    agent = SearchAgent(name="Search Agent")
    # Create a server to handle requests to the agent
    server = DefaultServer(agent)
    # Run the server
    server.run()
