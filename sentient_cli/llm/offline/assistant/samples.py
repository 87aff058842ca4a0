"""Samples: an agent's code, Markdown, lists, tables and JSON made of what the prompt holds."""

from __future__ import annotations

import json
import re

from sentient_cli.llm.offline.assistant.talk import Talk

__all__ = ["AGENT", "show"]

AGENT = """\
from sentient_cli import Agent, Query, Response, Session, llm


class Assistant(Agent):
    async def assist(self, session: Session, query: Query, response: Response) -> None:
        await response.text_block("PLAN", "Asking the model")
        async with response.stream("ANSWER") as answer:
            async for text in llm.stream(query.prompt):
                await answer.write(text)
        await response.complete()
"""
MARKDOWN = """\
# A heading

Some **bold**, some *italic*, some `code`, and a [link](https://example.org).

1. First
2. Second
   - nested

> A quotation.

| name | value |
|---|---:|
| one | 1 |
| two | 2 |

```python
print("Hello")
```"""
_WANTS = re.compile(
    r"(?i)^\W*(?:please |can you |could you |i (?:want|need|would like) |show|give|write|make|create|turn|format|build|"
    r"generate|list|print|how (?:do|can|would|should) i (?:write|make|create|build))"
)
_AGENT = re.compile(r"(?i)\b(?:agent|sample code|code sample|code example|example code|some code|python code)\b")
_MARKDOWN = re.compile(r"(?i)\bmarkdown\b")
_SHAPE = re.compile(
    r"(?i)\b(checklist|to-?do(?: list)?|numbered list|ordered list|table|json|bullet(?:ed|s)?(?: list)?|list)\b"
)
_SPLIT = re.compile(r"\s*(?:,|;|\n|\band\b)\s*")
_MARKER = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")


def show(talk: Talk) -> str | None:
    """A sample, when the prompt wants one."""
    prompt = talk.prompt
    if not _WANTS.match(prompt):
        return None
    shape = _SHAPE.search(prompt)
    items = _items(prompt[shape.end() :]) if shape else []
    if shape and len(items) > 1:
        return _shaped(shape[1].casefold(), items)
    if _AGENT.search(prompt) and talk.within(200):
        return f"Here is an agent that streams an answer:\n\n```python\n{AGENT}```\n\nServe it with `sentient serve`."
    return MARKDOWN if _MARKDOWN.search(prompt) and talk.within(200) else None


def _items(rest: str) -> list[str]:
    text = re.sub(r"(?i)^\s*(?:of|for|with|from|out of|about)?\s*(?:these|the following|this)?\s*:?\s*", "", rest)
    items = [_MARKER.sub("", item).strip(" .!?\"'") for item in _SPLIT.split(text)]
    return [item for item in items if item][:200]


def _shaped(shape: str, items: list[str]) -> str:
    if shape == "json":
        return f"```json\n{json.dumps(items, indent=2, ensure_ascii=False)}\n```"
    if shape == "table":
        rows = "\n".join(f"| {place} | {item.replace('|', ' ')} |" for place, item in enumerate(items, 1))
        return f"| # | item |\n|---:|---|\n{rows}"
    if shape.startswith(("numbered", "ordered")):
        return "\n".join(f"{place}. {item}" for place, item in enumerate(items, 1))
    mark = "- [ ]" if shape.startswith(("check", "to")) else "-"
    return "\n".join(f"{mark} {item}" for item in items)
