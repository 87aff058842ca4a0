"""The rows of `facts`, by kind of provider.

Each has the beginning of names, the tokens of the context and of an answer (0: not known), what the model can do, and
the day of its end, or the last of the month where only that is known. What it can do is told in letters: (t)ools,
(i)mages, (a)udio, (d)ocuments, (s)tructured output, (r)easoning before the answer, (c)aching.

Written down by hand in November 2026; the days are those that the SDKs of OpenAI (3.54, ``ChatModel``) and Anthropic
(2.12, ``DEPRECATED_MODELS``) name, and beside them those of the vendors' pages:
https://developers.openai.com/api/docs/deprecations, https://platform.claude.com/docs/en/about-claude/model-deprecations,
https://console.groq.com/docs/deprecations, https://ai.google.dev/gemini-api/docs/deprecations,
https://api-docs.deepseek.com/news/news260424, https://docs.x.ai/developers/migration/may-15-retirement and
https://docs.mistral.ai/getting-started/models/models_overview. A model that a vendor offers for others may live longer.
A test compares the sizes of contexts with those that the package ``genai-prices``
0.2.3 has; nothing checks the rest. What is told live, by a server or a provider, goes before it.
"""

from __future__ import annotations

from typing import Final, TypeAlias

__all__ = ["ROWS"]

Row: TypeAlias = tuple[str, int, int, str, str]

_OPENAI: Final[tuple[Row, ...]] = (
    ("gpt-3.5-turbo", 16_385, 4_096, "t", "2026-10-23"),
    ("gpt-3.5-turbo-1106", 16_385, 4_096, "t", "2026-09-28"),
    ("gpt-4", 8_192, 8_192, "t", "2026-10-23"),
    ("gpt-4-32k", 32_768, 0, "t", "2025-06-06"),
    ("gpt-4-turbo", 128_000, 4_096, "ti", "2026-10-23"),
    ("gpt-4-turbo-preview", 128_000, 4_096, "t", "2026-03-26"),
    ("gpt-4-vision", 128_000, 4_096, "i", "2024-12-06"),
    ("gpt-4.5", 128_000, 16_384, "tisc", "2025-07-14"),
    ("gpt-4o", 128_000, 16_384, "tidsc", "2027-01-14"),
    ("gpt-4o-2024-05-13", 128_000, 4_096, "tidsc", "2026-10-23"),
    ("gpt-4o-search-preview", 128_000, 16_384, "s", "2026-07-23"),
    ("gpt-4o-mini-search-preview", 128_000, 16_384, "s", "2026-07-23"),
    ("gpt-4o-mini", 128_000, 16_384, "tidsc", "2027-01-14"),
    ("gpt-4o-audio-preview", 128_000, 16_384, "ta", "2026-05-07"),
    ("gpt-4o-mini-audio-preview", 128_000, 16_384, "ta", "2026-05-07"),
    ("gpt-4o-mini-realtime", 16_000, 4_096, "ta", "2026-07-23"),
    ("gpt-4o-mini-transcribe", 16_000, 2_000, "a", "2027-02-26"),
    ("gpt-4o-realtime", 32_000, 4_096, "ta", "2027-01-20"),
    ("gpt-4o-transcribe", 16_000, 2_000, "a", "2027-02-26"),
    ("gpt-4o-mini-tts", 0, 0, "", "2027-01-06"),
    ("gpt-4.1", 1_047_576, 32_768, "tidsc", "2027-01-14"),
    ("gpt-4.1-nano", 1_047_576, 32_768, "tidsc", "2026-10-23"),
    ("gpt-5", 400_000, 128_000, "tidsrc", "2026-12-11"),
    ("gpt-5-codex", 400_000, 128_000, "tidsrc", "2026-07-23"),
    ("gpt-5-pro", 400_000, 272_000, "tidsr", "2026-12-11"),
    ("gpt-5-chat", 128_000, 16_384, "tidsc", "2026-07-23"),
    ("gpt-5.1", 400_000, 128_000, "tidsrc", "2027-04-01"),
    ("gpt-5.1-chat", 128_000, 16_384, "tidsrc", "2026-07-23"),
    ("gpt-5.1-codex", 400_000, 128_000, "tidsrc", "2026-07-23"),
    ("gpt-5.1-codex-max", 400_000, 128_000, "tidsrc", "2026-07-23"),
    ("gpt-5.1-codex-mini", 400_000, 128_000, "tidsrc", "2026-07-23"),
    ("gpt-5.2", 400_000, 128_000, "tidsrc", ""),
    ("gpt-5.2-chat", 128_000, 16_384, "tidsrc", "2026-08-10"),
    ("gpt-5.2-codex", 400_000, 128_000, "tidsrc", "2026-07-23"),
    ("gpt-5.3", 128_000, 16_384, "tidsrc", ""),
    ("gpt-5.3-chat", 128_000, 16_384, "tidsrc", "2026-08-10"),
    ("gpt-5.3-codex", 400_000, 128_000, "tidsrc", "2027-04-01"),
    ("gpt-5.4", 1_050_000, 128_000, "tidsrc", ""),
    ("gpt-5.4-mini", 400_000, 128_000, "tidsrc", ""),
    ("gpt-5.4-nano", 400_000, 128_000, "tidsrc", "2027-04-01"),
    ("gpt-5.5", 1_000_000, 128_000, "tidsrc", ""),
    ("gpt-5.6", 1_050_000, 128_000, "tidsrc", ""),
    ("gpt-6", 1_050_000, 128_000, "tidsrc", ""),
    ("gpt-audio", 128_000, 16_384, "ta", "2027-01-20"),
    ("gpt-audio-1.5", 128_000, 16_384, "ta", ""),
    ("gpt-audio-mini", 128_000, 16_384, "ta", "2027-01-20"),
    ("gpt-oss", 131_072, 131_072, "tsr", ""),
    ("o1", 200_000, 100_000, "tidsrc", "2026-10-23"),
    ("o1-mini", 128_000, 65_536, "rc", "2025-10-27"),
    ("o1-preview", 128_000, 32_768, "rc", "2025-07-28"),
    ("o1-pro", 200_000, 100_000, "tidsr", "2026-10-23"),
    ("o3", 200_000, 100_000, "tidsrc", "2026-12-11"),
    ("o3-pro", 200_000, 100_000, "tidsr", "2026-12-11"),
    ("o3-deep-research", 200_000, 100_000, "tidsr", "2026-07-23"),
    ("o3-mini", 200_000, 100_000, "tsrc", "2026-10-23"),
    ("o4-mini", 200_000, 100_000, "tidsrc", "2026-10-23"),
    ("o4-mini-deep-research", 200_000, 100_000, "tidsr", "2026-07-23"),
    ("whisper-1", 0, 0, "a", "2027-02-26"),
    ("tts-1", 0, 0, "", "2027-01-06"),
)

_ANTHROPIC: Final[tuple[Row, ...]] = (
    ("claude-3-haiku", 200_000, 4_096, "tic", "2026-04-20"),
    ("claude-3-opus", 200_000, 4_096, "tic", "2026-01-05"),
    ("claude-3-5-haiku", 200_000, 8_192, "tidc", "2026-02-19"),
    ("claude-3-5-sonnet", 200_000, 8_192, "tidc", "2025-10-28"),
    ("claude-3-7-sonnet", 200_000, 64_000, "tidrc", "2026-02-19"),
    ("claude-opus-4", 200_000, 32_000, "tidrc", ""),
    ("claude-opus-4-0", 200_000, 32_000, "tidrc", "2026-06-15"),
    ("claude-opus-4-2025", 200_000, 32_000, "tidrc", "2026-06-15"),
    ("claude-opus-4-1", 200_000, 32_000, "tidsrc", "2026-08-05"),
    ("claude-opus-4-5", 200_000, 64_000, "tidsrc", ""),
    ("claude-opus-4-6", 1_000_000, 128_000, "tidsrc", ""),
    ("claude-opus-4-7", 1_000_000, 128_000, "tidsrc", ""),
    ("claude-opus-4-8", 1_000_000, 128_000, "tidsrc", ""),
    ("claude-opus-5", 1_000_000, 128_000, "tidsrc", ""),
    ("claude-opus-5-5", 1_000_000, 128_000, "tidsrc", ""),
    ("claude-sonnet-4", 200_000, 64_000, "tidrc", ""),
    ("claude-sonnet-4-0", 200_000, 64_000, "tidrc", "2026-06-15"),
    ("claude-sonnet-4-2025", 200_000, 64_000, "tidrc", "2026-06-15"),
    ("claude-sonnet-4-5", 200_000, 64_000, "tidsrc", "2026-11-30"),
    ("claude-sonnet-4-6", 1_000_000, 64_000, "tidsrc", ""),
    ("claude-sonnet-5", 1_000_000, 128_000, "tidsrc", ""),
    ("claude-sonnet-5-5", 1_000_000, 128_000, "tidsrc", ""),
    ("claude-haiku-4-5", 200_000, 64_000, "tidsrc", ""),
    ("claude-haiku-5-5", 1_000_000, 64_000, "tidsrc", ""),
    ("claude-fable-5", 1_000_000, 128_000, "tidsrc", ""),
    ("claude-mythos-5-2", 1_000_000, 128_000, "tidsrc", ""),
)

_OPEN: Final[tuple[Row, ...]] = (
    ("llama3", 8_192, 0, "", ""),
    ("llama3.1", 131_072, 0, "ts", ""),
    ("llama3.2", 131_072, 0, "ts", ""),
    ("llama3.2-vision", 131_072, 0, "is", ""),
    ("llama3.3", 131_072, 0, "ts", ""),
    ("qwen2.5", 32_768, 0, "ts", ""),
    ("qwen3", 40_960, 0, "tsr", ""),
    ("gemma3", 131_072, 0, "is", ""),
    ("gpt-oss", 131_072, 0, "tsr", ""),
    ("deepseek-r1", 131_072, 0, "sr", ""),
)

ROWS: Final[dict[str, tuple[Row, ...]]] = {
    "openai": _OPENAI,
    "azure": _OPENAI,
    "anthropic": _ANTHROPIC,
    "ollama": _OPEN,
    "offline": (("assistant", 0, 0, "ts", ""), ("echo", 0, 0, "ts", "")),
    "google": (
        ("gemini-2.5", 1_048_576, 65_536, "tiadsrc", ""),
        ("gemini-2.5-flash", 1_048_576, 65_536, "tiadsrc", "2026-12-01"),
        ("gemini-2.5-flash-lite", 1_048_576, 65_536, "tiadsrc", ""),
        ("gemini-2.5-pro", 1_048_576, 65_536, "tiadsrc", "2026-12-01"),
        ("gemini-3", 1_048_576, 65_536, "tiadsrc", ""),
    ),
    "groq": (
        ("llama-3.1-8b-instant", 131_072, 131_072, "t", "2026-08-16"),
        ("llama-3.3-70b-versatile", 131_072, 32_768, "t", "2026-08-16"),
        ("openai/gpt-oss", 131_072, 65_536, "tsr", ""),
    ),
    "deepseek": (
        ("deepseek-chat", 131_072, 8_192, "tc", "2026-07-24"),
        ("deepseek-reasoner", 131_072, 65_536, "trc", "2026-07-24"),
        ("deepseek-flash", 1_048_576, 0, "trc", ""),
        ("deepseek-v4", 1_048_576, 0, "trc", ""),
    ),
    "mistral": (
        ("mistral-small", 131_072, 0, "tis", ""),
        ("mistral-small-2603", 262_144, 0, "tisr", ""),
        ("mistral-medium", 131_072, 0, "tis", ""),
        ("mistral-medium-3-5", 262_144, 0, "tisr", ""),
        ("mistral-large", 131_072, 0, "ts", ""),
        ("mistral-large-2512", 262_144, 0, "tis", ""),
        ("mistral-large-4", 1_048_576, 0, "tisr", ""),
        ("pixtral", 131_072, 0, "tis", ""),
        ("pixtral-12b", 131_072, 0, "tis", "2025-12-31"),
    ),
    "cohere": (("command-a", 256_000, 8_000, "ts", ""), ("command-r", 128_000, 4_000, "ts", "")),
    "xai": (
        ("grok-3", 131_072, 0, "ts", "2026-05-15"),
        ("grok-4", 256_000, 0, "tisr", "2026-05-15"),
        ("grok-4-fast", 2_000_000, 0, "tisr", "2026-05-15"),
        ("grok-4-fast-non-reasoning", 2_000_000, 0, "tis", "2026-05-15"),
        ("grok-4-1-fast", 2_000_000, 0, "tisr", "2026-05-15"),
        ("grok-4-1-fast-non-reasoning", 2_000_000, 0, "tis", "2026-05-15"),
        ("grok-4.2", 1_000_000, 0, "tisr", ""),
        ("grok-4.3", 1_000_000, 0, "tisr", ""),
        ("grok-4.5", 500_000, 0, "tisr", ""),
        ("grok-4.6", 500_000, 0, "tisr", ""),
        ("grok-4.7", 500_000, 0, "tisr", ""),
    ),
    "perplexity": (("sonar", 128_000, 0, "is", ""), ("sonar-pro", 200_000, 0, "is", "")),
}
