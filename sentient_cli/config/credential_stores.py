"""The settings of credential stores that are services: where each is, and as whom it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from sentient_cli.config.fields import PositiveSeconds, Section, Text
from sentient_cli.config.llm import Url, Variables

__all__ = ["AwsSettings", "AzureSettings", "VaultSettings"]

_FOLDER: Final = r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$"
Folder = Annotated[str, Field(pattern=_FOLDER, max_length=128)]
Label = Annotated[str, Field(pattern=r"^[a-z0-9]+$", max_length=20)]
Wait = Annotated[PositiveSeconds, Field(le=60)]


class VaultSettings(Section):
    """OpenBao or HashiCorp Vault.

    Example:
        >>> VaultSettings(address="https://vault.example.com:8200").mount
        'secret'
    """

    address: Url | None = Field(default=None, description="Where it is; what BAO_ADDR or VAULT_ADDR says if not set.")
    mount: Folder = Field(default="secret", description="Where its KV engine of version 2 is mounted.")
    prefix: Folder = Field(default="sentient", description="The folder in it that credentials are kept in.")
    namespace: Text | None = Field(default=None, description="The namespace; that of BAO_NAMESPACE if not set.")
    token_env: Variables = Field(
        default=(), description="The variable with the token; BAO_TOKEN or VAULT_TOKEN if not set."
    )
    token_file: Path | None = Field(default=None, description="A file with the token, readable by its owner alone.")
    ca_file: Path | None = Field(
        default=None, description="The certificates that it is trusted by, in PEM; those of the system if not set."
    )
    timeout: Wait = Field(default=10.0, description="How long it may be silent; at most a minute.")


class AwsSettings(Section):
    """AWS Secrets Manager.

    Example:
        >>> AwsSettings(region="eu-central-1").prefix
        'sentient'
    """

    region: Text | None = Field(default=None, description="The region; that of the AWS configuration if not set.")
    profile: Text | None = Field(default=None, description="The profile of the AWS configuration to sign in with.")
    prefix: Folder = Field(default="sentient", description="What the names of its secrets begin with.")
    kms_key: Text | None = Field(
        default=None, description="The key that new secrets are encrypted with; AWS's if not set."
    )
    endpoint: Url | None = Field(default=None, description="Another address of the service, such as a private one.")
    ca_file: Path | None = Field(
        default=None, description="The certificates that it is trusted by, in PEM; those of AWS's client if not set."
    )
    timeout: Wait = Field(default=10.0, description="How long it may be silent; at most a minute.")


class AzureSettings(Section):
    """Azure Key Vault.

    Example:
        >>> AzureSettings(address="https://mine.vault.azure.net").prefix
        'sentient'
    """

    address: Url | None = Field(default=None, description="The vault, such as `https://NAME.vault.azure.net`.")
    prefix: Label = Field(default="sentient", description="What the names of its secrets begin with.")
    token_env: Variables = Field(
        default=(), description="A variable with an access token; signed in with azure-identity if not set."
    )
    ca_file: Path | None = Field(
        default=None, description="The certificates that it is trusted by, in PEM; those of the system if not set."
    )
    timeout: Wait = Field(default=10.0, description="How long it may be silent; at most a minute.")
