"""A project whose models are on a server of the test's own."""

from __future__ import annotations

from pathlib import Path

from tests.support.llm_server import Answer, How, LLMServer, as_sse

__all__ = ["chat_answer", "project"]


def chat_answer(*texts: str, usage: tuple[int, int] | None = (12, 5), how: How = "end") -> Answer:
    """An answer as servers of chat completions stream it."""
    deltas: list[dict[str, object]] = [{"index": 0, "delta": {"content": text}} for text in texts]
    deltas.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    events: list[object] = [{"id": "c", "object": "chat.completion.chunk", "choices": [delta]} for delta in deltas]
    if usage is not None:
        told = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
        events.append({"id": "c", "choices": [], "usage": told})
    return Answer(as_sse(events, done=True), how=how)


def project(server: LLMServer, more: str = "") -> None:
    """Settings with a provider ``mine`` that is on the server."""
    Path("sentient.toml").write_text(
        f"""
[llm]
model = "mine:small"

[llm.retry]
attempts = 1

[llm.providers.mine]
kind = "compatible"
base_url = "{server.url}/v1"
api_key_env = "MINE_KEY"
{more}
""",
        encoding="utf-8",
    )
