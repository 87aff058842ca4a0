"""What errors of botocore mean. They are told by the names of their classes: nothing is imported for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from sentient_cli.errors import CredentialStoreError
from sentient_cli.sanitize import sanitize_line

__all__ = ["code_of", "told"]

_LONGEST: Final = 300
_ACTIONS: Final = (
    "GetSecretValue, CreateSecret, PutSecretValue, UpdateSecretVersionStage, DeleteSecret and ListSecrets of"
    " `secretsmanager`"
)
_SIGN_IN: Final = (
    "Sign in with `aws sso login`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a `profile`"
)
_DENIED: Final = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "OptInRequired"})
_EXPIRED: Final = frozenset({"ExpiredTokenException", "ExpiredToken", "RequestExpired"})
_UNKNOWN: Final = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "IncompleteSignature",
        "AuthFailure",
    }
)
_THROTTLED: Final = frozenset(
    {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}
)
_KEYS: Final = frozenset({"DecryptionFailure", "DecryptionFailureException", "EncryptionFailure"})
_KINDS: Final = (
    (_DENIED, "AWS Secrets Manager does not allow this", f"Allow {_ACTIONS} for the secrets with this prefix"),
    (_EXPIRED, "The sign-in to AWS has expired", _SIGN_IN),
    (_UNKNOWN, "AWS does not take this sign-in", _SIGN_IN),
    (_THROTTLED, "AWS Secrets Manager gets too many requests", "Wait a moment, then try again"),
    (_KEYS, "The key of AWS KMS cannot be used", "Check the key, and who may use it: `kms_key`"),
)
_NOBODY: Final = frozenset(
    {
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "TokenRetrievalError",
        "SSOError",
        "NoAuthTokenError",
        "RefreshWithMFAUnsupportedError",
        "LoginError",
    }
)
_SILENT: Final = frozenset({"HTTPClientError", "ConnectionError", "OSError"})
_SETTINGS: Final = frozenset({"NoRegionError", "InvalidRegionError", "ProfileNotFound", "ConfigParseError"})


def code_of(error: Exception) -> str:
    """The code that the service gave an error; empty: it is none of the service."""
    return _text(error, "Code")


def told(error: Exception, where: str) -> CredentialStoreError:
    """An error of ours for one of botocore, without anything that was sent.

    Args:
        error: What it raised.
        where: Where the service is.
    """
    code = code_of(error)
    if not code:
        return _unsent(error, where)
    message = sanitize_line(_text(error, "Message"))[:_LONGEST].rstrip(". ")
    why = f"{code}: {message}" if message else code
    for codes, what, fix in _KINDS:
        if code in codes:
            return CredentialStoreError(what, why=why, fix=fix)
    return CredentialStoreError("AWS Secrets Manager refuses this", why=why, fix="Do what it says, then try again")


def _unsent(error: Exception, where: str) -> CredentialStoreError:
    names = {kind.__name__ for kind in type(error).__mro__}
    kind = type(error).__name__
    if names & _NOBODY:
        return CredentialStoreError("Nobody is signed in to AWS", why=f"No credentials: {kind}", fix=_SIGN_IN)
    if names & _SETTINGS:
        return CredentialStoreError(
            "The configuration of AWS is not complete",
            why=sanitize_line(str(error))[:_LONGEST].rstrip(". "),
            fix="Set `region` in [credentials.aws] or AWS_REGION, and check the `profile`",
        )
    if "SSLError" in names:
        return CredentialStoreError(
            f"AWS Secrets Manager at {where} does not answer",
            why="Its certificate is not trusted",
            fix="If its certificates are your own, name the file of their authority with `ca_file`",
        )
    if names & _SILENT:
        return CredentialStoreError(
            f"AWS Secrets Manager at {where} does not answer",
            why=kind,
            fix="Check the network and the region, and that a firewall or proxy lets it through",
        )
    # What it says may have the arguments in it.
    return CredentialStoreError("AWS Secrets Manager cannot be asked", why=kind, fix="Check the configuration of AWS")


def _text(error: Exception, field: str) -> str:
    response = getattr(error, "response", None)
    if not isinstance(response, Mapping):
        return ""
    details = cast("Mapping[str, object]", response).get("Error")
    if not isinstance(details, Mapping):
        return ""
    value = cast("Mapping[str, object]", details).get(field)
    return value if isinstance(value, str) else ""
