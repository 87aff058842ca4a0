"""The settings of credentials: which stores there are, and in which order they and the variables are looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from sentient_cli.config.credential_stores import AwsSettings, AzureSettings, VaultSettings
from sentient_cli.config.fields import PositiveSeconds, Seconds, Section
from sentient_cli.config.llm import Variables

__all__ = ["CredentialSettings", "LookUpPlace", "StoreName"]

LookUpPlace: TypeAlias = Literal["given", "variable", "environment", "env-file", "stores"]
StoreName: TypeAlias = Literal["keyring", "encrypted", "aws", "azure", "vault"]


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError("Input should name each one once")
    return names


class CredentialSettings(Section):
    """Where credentials are kept, and how they are found.

    Example:
        >>> CredentialSettings(stores=("keyring", "encrypted")).order[-1], CredentialSettings().stores
        ('stores', ('keyring',))
    """

    stores: Annotated[tuple[StoreName, ...], AfterValidator(_once)] = Field(
        default=("keyring",),
        description="The stores, in the order in which they are asked; new credentials go to the first:"
        " `keyring`, `encrypted`, `vault`, `aws`, `azure`.",
    )
    order: Annotated[tuple[LookUpPlace, ...], AfterValidator(_once)] = Field(
        default=("given", "variable", "environment", "env-file", "stores"),
        description="Where a credential is looked for: what the program was `given`, the `variable` that `api_key_env`"
        " names, that of the provider in the `environment`, then in the `env-file`, the `stores`.",
    )
    default_profile: bool = Field(
        default=False, description="Whether the profile `default` stands in for what the chosen one lacks."
    )
    fallback: bool = Field(
        default=True,
        description="Whether the next store that is as strong takes a new credential while the first one is down.",
    )
    lease: Annotated[PositiveSeconds, Field(le=900)] = Field(
        default=900.0, description="How long a process goes on with what it was told; at most 15 minutes."
    )
    grace: Seconds = Field(
        default=3600.0, description="How long the value before stays after a rotation, for what still uses it."
    )
    watch: PositiveSeconds = Field(
        default=2.0, description="How often `dev` and `serve` look whether a credential was rotated."
    )
    core_dumps: bool = Field(
        default=False, description="Whether the system may write a core dump of a process that holds a credential."
    )
    encrypted_file: Path | None = Field(
        default=None, description="The file of the store `encrypted`; among this user's data if not set."
    )
    passphrase_env: Variables = Field(
        default=(), description="The variable with its passphrase; asked for if neither this nor a file is set."
    )
    passphrase_file: Path | None = Field(
        default=None, description="A file with its passphrase, readable by its owner alone."
    )
    passphrase_keyring: bool = Field(
        default=False,
        description="Whether its passphrase is looked for in the keyring, where `sentient keys unlock --in-keyring`"
        " puts it.",
    )
    vault: VaultSettings = Field(default_factory=VaultSettings.defaults)
    aws: AwsSettings = Field(default_factory=AwsSettings.defaults)
    azure: AzureSettings = Field(default_factory=AzureSettings.defaults)
