"""What goes wrong with a project, its agent and its template."""

from __future__ import annotations

from sentient_cli.errors.base import SentientError

__all__ = [
    "AgentAmbiguousError",
    "AgentImportError",
    "AgentLoadError",
    "AgentNotFoundError",
    "AgentSignatureError",
    "ProjectError",
    "ProjectExistsError",
    "SetupFailedError",
    "TemplateError",
    "TemplateNotFoundError",
    "TemplateRenderError",
    "TemplateUnsafeError",
]


class ProjectError(SentientError, code="project", exit_code=5):
    """A project or a template is not usable."""


class AgentLoadError(ProjectError, code="agent-load"):
    """The agent could not be loaded."""


class AgentNotFoundError(AgentLoadError, code="agent-not-found"):
    """There is no agent where one was looked for."""


class AgentAmbiguousError(AgentLoadError, code="agent-ambiguous"):
    """There are several agents and none was named."""


class AgentImportError(AgentLoadError, code="agent-import"):
    """The agent's code raised while it was imported or set up; ``detail`` holds the frames of the user's own code."""


class AgentSignatureError(AgentLoadError, code="agent-signature"):
    """The object that was found is no agent: its ``assist`` is missing, not async, or takes other arguments."""


class TemplateError(ProjectError, code="template"):
    """A template is not usable."""


class TemplateNotFoundError(TemplateError, code="template-not-found"):
    """There is no template where one was looked for."""


class TemplateUnsafeError(TemplateError, code="template-unsafe"):
    """A template wants what it may not have: to run programs, to write elsewhere, or more room than is allowed."""


class TemplateRenderError(TemplateError, code="template-render"):
    """A template could not be rendered: it holds a mistake, or took too long or too much memory."""


class ProjectExistsError(ProjectError, code="project-exists"):
    """Something is already where the project should be."""


class SetupFailedError(ProjectError, code="setup-failed"):
    """A new project could not be installed or verified; ``detail`` holds the end of what the tools said."""
