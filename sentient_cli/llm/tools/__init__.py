"""Typed Python functions as tools of a model: `tool`, `Tool`, `Toolset`."""
