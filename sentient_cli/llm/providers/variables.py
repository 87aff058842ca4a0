"""Whom the variables are for that many programs know, and whether a key of one may go where a provider is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final, TypeAlias

from sentient_cli.credentials.destinations import Destination
from sentient_cli.credentials.variable_hosts import Owner, elsewhere, variable_refusal
from sentient_cli.llm.providers.kinds import KINDS

__all__ = ["Told", "owner_of", "require_variables"]

Told: TypeAlias = Callable[[str, Destination, Owner], None]
"""Puts on record that a variable was not sent somewhere."""

_MORE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "azure": (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"),
        "cohere": ("api.cohere.com",),
        "mistral": ("codestral.mistral.ai",),
    }
)
"""Hosts of providers beside the usual one."""
_OTHERS: Final = (
    (Owner("Google", ("generativelanguage.googleapis.com",)), "GEMINI_API_KEY GOOGLE_API_KEY"),
    (Owner("Amazon Bedrock", (".amazonaws.com",)), "AWS_BEARER_TOKEN_BEDROCK"),
    (Owner("Cerebras", ("api.cerebras.ai",)), "CEREBRAS_API_KEY"),
    (Owner("DeepInfra", ("api.deepinfra.com",)), "DEEPINFRA_API_KEY DEEPINFRA_TOKEN"),
    (Owner("Moonshot", ("api.moonshot.ai", "api.moonshot.cn")), "MOONSHOT_API_KEY"),
    (Owner("Alibaba Cloud", ("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com")), "DASHSCOPE_API_KEY"),
    (Owner("GitHub", ("models.github.ai", "models.inference.ai.azure.com")), "GITHUB_TOKEN GH_TOKEN GITHUB_PAT"),
    (Owner("GitLab"), "GITLAB_TOKEN CI_JOB_TOKEN"),
    (Owner("AWS"), "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"),
    (Owner("Azure"), "AZURE_CLIENT_SECRET"),
    (Owner("Vault"), "VAULT_TOKEN BAO_TOKEN"),
    (Owner("npm"), "NPM_TOKEN NODE_AUTH_TOKEN"),
    (Owner("PyPI"), "PYPI_TOKEN TWINE_PASSWORD UV_PUBLISH_TOKEN"),
    (Owner("a database"), "DATABASE_URL PGPASSWORD MYSQL_PWD REDIS_URL"),
    (Owner("callers of this server"), "SENTIENT_SERVER_TOKEN"),
)
"""Variables of others, which a project might name as well."""


@cache
def _owners() -> Mapping[str, Owner]:
    owners = {variable: owner for owner, variables in _OTHERS for variable in variables.split()}
    for name, kind in KINDS.items():
        hosts = (*((kind.host,) if kind.host else ()), *_MORE.get(name, ()))
        if kind.needs_key:
            owners |= dict.fromkeys(kind.variables, Owner(name, hosts))
    return owners


def owner_of(variable: str) -> Owner | None:
    """Whom a variable is for; None: for nobody in particular, as those of servers that users run themselves.

    Example:
        >>> owner_of("OPENAI_API_KEY"), owner_of("WORK_KEY")
        (Owner(name='openai', hosts=('api.openai.com',)), None)
    """
    return _owners().get(variable)


def require_variables(variables: Iterable[str], destination: Destination, told: Told | None = None) -> None:
    """See that the keys of variables may go where a provider is.

    Args:
        variables: Their names.
        destination: Where the keys would be sent.
        told: Puts on record what is refused.

    Raises:
        CredentialHostError: one may not.
        CredentialStoreError: what its user has chosen cannot be read.
        AuditError: that cannot be put on record.

    Example:
        >>> require_variables(["WORK_KEY"], Destination(("models.example.com",)))
        >>> require_variables(["OPENAI_API_KEY"], Destination(("models.example.com",)))
        Traceback (most recent call last):
        ...
        sentient_cli.errors.CredentialHostError: The key in the variable OPENAI_API_KEY is not sent to models.example...
    """
    for variable in variables:
        owner = owner_of(variable)
        strange = elsewhere(variable, owner, destination) if owner is not None else ()
        if owner is not None and strange:
            if told is not None:
                told(variable, Destination(strange), owner)
            raise variable_refusal(variable, owner, strange)
