"""The wire of chat completions, which most vendors and servers speak, each in its own dialect.

Source: https://platform.openai.com/docs/api-reference/chat, and what the vendors say of where theirs differs.
"""
