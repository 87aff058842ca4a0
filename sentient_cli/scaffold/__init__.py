"""New projects: templates, their questions, rendering them within limits, placing and verifying a project."""

from __future__ import annotations
