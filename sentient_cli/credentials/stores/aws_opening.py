"""AWS Secrets Manager as settings and the configuration of AWS describe it: the client is botocore's."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol, cast

from sentient_cli.credentials.stores.aws import AwsStore
from sentient_cli.credentials.stores.aws_errors import told
from sentient_cli.credentials.stores.aws_wire import Client
from sentient_cli.credentials.stores.web_addresses import check_address
from sentient_cli.credentials.stores.web_agreed import CERTIFICATES, Agreement, anywhere, refuse_exported
from sentient_cli.errors import CredentialStoreError

if TYPE_CHECKING:
    from sentient_cli.config.credential_stores import AwsSettings

__all__ = ["open_aws"]

_NAME: Final = "AWS Secrets Manager"
_TRUSTED: Final = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE")
"""Variables by which botocore asks others, or runs programs."""


class _Meta(Protocol):
    endpoint_url: str


class _Made(Client, Protocol):
    meta: _Meta


class _Session(Protocol):
    def create_client(self, name: str, **settings: object) -> _Made: ...


def open_aws(settings: AwsSettings, environment: Mapping[str, str], agreed: Agreement = anywhere) -> AwsStore:
    """The store that settings describe.

    Args:
        settings: Those of this store.
        environment: The variables.
        agreed: Is asked whether requests may be signed for an address that is none of AWS's own.
    """
    # All other clients of AWS know the first of these; botocore reads only the second.
    region = settings.region or environment.get("AWS_REGION") or None

    def connect() -> tuple[Client, str]:
        refuse_exported("AWS", *_TRUSTED, *CERTIFICATES)
        if settings.endpoint is not None:
            check_address(_NAME, settings.endpoint)
            agreed(settings.endpoint)
        return _connect(settings, region)

    return AwsStore(connect, prefix=settings.prefix, kms_key=settings.kms_key or "")


def _connect(settings: AwsSettings, region: str | None) -> tuple[Client, str]:
    try:
        sessions, configs = importlib.import_module("botocore.session"), importlib.import_module("botocore.config")
    except ImportError:
        raise CredentialStoreError(
            "The client of AWS is not installed",
            why="The store `aws` needs the package botocore",
            fix='Run `pip install "sentient-agent-cli[aws]"`',
        ) from None
    session_of = cast("Callable[..., _Session]", sessions.Session)
    config_of = cast("Callable[..., object]", configs.Config)
    config = config_of(
        connect_timeout=settings.timeout,
        read_timeout=settings.timeout,
        retries={"mode": "standard", "total_max_attempts": 3},
        user_agent_appid="sentient-agent-cli",
    )
    try:
        client = session_of(profile=settings.profile).create_client(
            "secretsmanager",
            region_name=region,
            endpoint_url=settings.endpoint,
            verify=str(settings.ca_file) if settings.ca_file is not None else None,
            config=config,
        )
    except Exception as error:  # noqa: BLE001 - whatever a foreign client raises
        raise told(error, settings.endpoint or region or "its region") from None
    address = client.meta.endpoint_url
    try:
        check_address(_NAME, address)
    except CredentialStoreError:
        client.close()
        raise
    return client, address
