"""The part of AWS Secrets Manager that is used: what is called, and what its errors mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.stores.aws_errors import code_of, told
from sentient_cli.errors import CredentialStoreError

__all__ = ["Client", "SecretsManager", "State"]

Arguments: TypeAlias = "str | int | bool | list[str] | Sequence[Mapping[str, Sequence[str]]]"
Operation: TypeAlias = Callable[..., Mapping[str, object]]
_CURRENT: Final = "AWSCURRENT"
_GONE: Final = "sentient: removed"
_PAGES: Final = 1000


class Client(Protocol):
    """What is used of a client of botocore."""

    def close(self) -> None:
        """Give its connections back."""
        ...


class _Value(msgspec.Struct, frozen=True):
    ARN: str
    VersionId: str
    SecretString: str | None = None


class _Created(msgspec.Struct, frozen=True):
    ARN: str


class _Listed(msgspec.Struct, frozen=True):
    Name: str


class _Page(msgspec.Struct, frozen=True):
    SecretList: list[_Listed]
    NextToken: str | None = None


class _Done(msgspec.Struct, frozen=True):
    pass


_Shape = TypeVar("_Shape", _Value, _Created, _Page, _Done)


class State(NamedTuple):
    """What there is under a name.

    Args:
        text: The text; None: nothing.
        version: The version that is current.
        arn: Which secret of this name it is: one that is made anew has another one. Empty: there is none.
    """

    text: Secret | None = None
    version: str = ""
    arn: str = ""

    @property
    def revision(self) -> str:
        """What a change has to name."""
        return "" if self.text is None else self.version


class SecretsManager:
    """Calls the service.

    Args:
        client: Signs and sends.
        where: Where the service is, for errors.
    """

    def __init__(self, client: Client, where: str) -> None:
        self._client = client
        self._where = where

    def read(self, name: str, version: str = "") -> State:
        """What there is under a name.

        Args:
            name: The name, or the ARN.
            version: Which version; empty: the current one.

        Raises:
            CredentialStoreError: it cannot be read.
        """
        more = {"VersionId": version} if version else {"VersionStage": _CURRENT}
        # The second one is that of a secret that is being deleted, or is kept to be restored.
        absent = ("ResourceNotFoundException", "InvalidRequestException")
        found, code = self._call("get_secret_value", _Value, absent, SecretId=name, **more)
        if found is None or code:
            return State()
        if found.SecretString is None:
            raise CredentialStoreError(
                f"What is at {name} was not put there by this program",
                why="It is no text",
                fix="Choose another `prefix` in [credentials.aws], or remove what is there",
            )
        text = None if found.SecretString == _GONE else Secret(found.SecretString)
        return State(text, found.VersionId, found.ARN)

    def create(self, name: str, text: str, change: str, key: str) -> str:
        """Have a secret made where there is none.

        Returns:
            What stands in the way: the code of the error; empty: nothing does.

        Raises:
            CredentialStoreError: it cannot be made.
        """
        more = {"KmsKeyId": key} if key else {}
        allowed = ("ResourceExistsException", "InvalidRequestException")
        _, code = self._call(
            "create_secret", _Created, allowed, Name=name, SecretString=text, ClientRequestToken=change, **more
        )
        return code

    def add(self, arn: str, text: str | None, change: str) -> None:
        """Make a version that nobody reads yet.

        Args:
            arn: Of the secret.
            text: What it holds; None: it says that nothing is there any more.
            change: What to call the version.

        Raises:
            CredentialStoreError: it cannot be made.
        """
        self._call(
            "put_secret_value",
            _Done,
            (),
            SecretId=arn,
            SecretString=_GONE if text is None else text,
            ClientRequestToken=change,
            VersionStages=[_label(change)],
        )

    def make_current(self, arn: str, change: str, before: str) -> bool:
        """Have a version be the current one, if another one is so until now.

        Returns:
            Whether it is; if not, most often because another version is the current one.

        Raises:
            CredentialStoreError: it cannot be done, or this is not known.
        """
        allowed = ("InvalidParameterException", "ResourceNotFoundException", "InvalidRequestException")
        _, code = self._call(
            "update_secret_version_stage",
            _Done,
            allowed,
            SecretId=arn,
            VersionStage=_CURRENT,
            RemoveFromVersionId=before,
            MoveToVersionId=change,
        )
        return not code

    def forget(self, arn: str, change: str) -> None:
        """Take the label of a change from its version; one that has none left is removed by the service in time."""
        allowed = ("InvalidParameterException", "ResourceNotFoundException", "InvalidRequestException")
        self._call(
            "update_secret_version_stage",
            _Done,
            allowed,
            SecretId=arn,
            VersionStage=_label(change),
            RemoveFromVersionId=change,
        )

    def remove(self, arn: str) -> None:
        """Remove a secret with all its versions. One that is made anew under its name is another, and stays."""
        self._call(
            "delete_secret", _Done, ("ResourceNotFoundException",), SecretId=arn, ForceDeleteWithoutRecovery=True
        )

    def names(self, prefix: str) -> Iterator[str]:
        """The names that begin so.

        Raises:
            CredentialStoreError: they cannot be listed.
        """
        more: dict[str, Arguments] = {}
        for _ in range(_PAGES):
            page, _ = self._call(
                "list_secrets", _Page, (), MaxResults=100, Filters=[{"Key": "name", "Values": [prefix]}], **more
            )
            if page is None:
                return
            yield from (each.Name for each in page.SecretList if each.Name.startswith(prefix))
            if page.NextToken is None:
                return
            more = {"NextToken": page.NextToken}

    def _call(
        self, name: str, shape: type[_Shape], allowed: tuple[str, ...], **arguments: Arguments
    ) -> tuple[_Shape | None, str]:
        operation: Operation = getattr(self._client, name)
        try:
            answer = operation(**arguments)
        except Exception as error:  # noqa: BLE001 - whatever a foreign client raises
            code = code_of(error)
            if code in allowed:
                return None, code
            raise told(error, self._where) from None
        try:
            return msgspec.convert({key: answer[key] for key in shape.__struct_fields__ if key in answer}, shape), ""
        except msgspec.ValidationError:
            raise CredentialStoreError(
                f"AWS Secrets Manager at {self._where} answers something else",
                why="It is not what was asked for",
                fix="Check `endpoint` in [credentials.aws]: something else may be there",
            ) from None


def _label(change: str) -> str:
    return f"sentient-{change}"
