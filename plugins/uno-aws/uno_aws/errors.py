"""What AWS refuses, and what it does not answer, as errors of uno."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore import exceptions
from botocore.parsers import ResponseParserError

from uno_core import ConfigError, Forbidden, PlatformError, Throttled, Unanswered, UnoError

DENIED = frozenset(
    {
        "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedAccess",
        "NotAuthorized", "AuthorizationError",
    }
)  # fmt: skip
UNKNOWN = frozenset(
    {
        "ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "InvalidToken",
        "UnrecognizedClientException", "AuthFailure", "InvalidAccessKeyId", "SignatureDoesNotMatch",
        "TokenRefreshRequired", "InvalidSignatureException",
    }
)  # fmt: skip
THROTTLED = frozenset(
    {
        "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "SlowDown",
        "RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
        "PriorRequestNotComplete", "ProvisionedThroughputExceededException", "LimitExceededException",
    }
)  # fmt: skip
UNSENT = (
    exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.CredentialRetrievalError,
    exceptions.SSOTokenLoadError, exceptions.UnauthorizedSSOTokenError, exceptions.TokenRetrievalError,
)  # fmt: skip
"""There is nobody to ask as."""

_RIGHT = re.compile(r"not authorized to perform: (?P<right>\S+)(?: on resource: (?P<resource>\S+))?")


class Refusal(PlatformError):
    """AWS answered with an error of its own. `reason` is its code."""

    def __init__(self, message: str, *, reason: str = "", **more: Any) -> None:
        super().__init__(message, **more)
        self.reason = reason


class Stranger(Forbidden):
    """AWS does not know who asks, or not any more."""


@contextmanager
def translated(service: str, operation: str, prefix: str, *, where: str) -> Iterator[None]:
    """Turn what boto3 raises into errors of uno. prefix: of the service's actions in a policy."""
    right = f"{prefix}:{operation}"
    try:
        yield
    except exceptions.ClientError as problem:
        raise _answered(problem, service, right, where) from problem
    except UNSENT as problem:
        raise Stranger(
            "there are no credentials for AWS", found=str(problem), where=where,
            expected="credentials where boto3 looks for them",
            remedy="aws sso login, AWS_PROFILE, AWS_ACCESS_KEY_ID …, or the profile in the configuration",
        ) from problem  # fmt: skip
    except (exceptions.NoRegionError, exceptions.ProfileNotFound, exceptions.InvalidRegionError) as problem:
        raise ConfigError(
            "it is not clear where to ask AWS", found=str(problem), where=where,
            remedy="set region, or profile, in the configuration",
        ) from problem  # fmt: skip
    except exceptions.ParamValidationError as problem:
        raise PlatformError(f"{right} cannot be asked so", found=str(problem), where=where) from problem
    except (exceptions.HTTPClientError, exceptions.ConnectionError, ResponseParserError) as problem:
        raise Unanswered(
            f"{service} gave no answer to {operation}", found=str(problem), where=where,
            remedy="look at the network between here and AWS",
        ) from problem  # fmt: skip
    except exceptions.BotoCoreError as problem:
        raise PlatformError(f"{right} failed", found=str(problem), where=where) from problem


def _answered(problem: exceptions.ClientError, service: str, right: str, where: str) -> UnoError:
    error = problem.response.get("Error", {})
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    status = int(problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    if code in DENIED or (status == 403 and code not in UNKNOWN):
        return forbidden(right, message, where)
    if code in UNKNOWN:
        return Stranger(
            "AWS does not know who asks, or not any more", found=f"{code}: {message}", where=where,
            expected="credentials that are valid", remedy="log in again, then `uno resume`",
        )  # fmt: skip
    if code in THROTTLED or status == 429:
        return Throttled(
            f"{service} asks for fewer calls", found=f"{code}: {message}", where=where,
            remedy="lower `rate`, or see who else asks: the limit is one for the account and region",
        )  # fmt: skip
    if status >= 500:
        return Unanswered(f"{service} could not answer", found=f"{status} {code}: {message}", where=where)
    return Refusal(f"{right} was refused", reason=code, found=f"{code}: {message}", where=where)


def forbidden(right: str, message: str, where: str) -> Forbidden:
    """Which action on which resource, as the answer says it."""
    named = _RIGHT.search(message)
    action = named["right"] if named else right
    resource = (named["resource"] if named else None) or "the resource that is asked for"
    return Forbidden(
        f"AWS does not permit {action}", found=message, where=where,
        expected=f"a policy that allows {action} on {resource.rstrip('.')}",
        remedy="add it to the policy; the plugin's page in the documentation has the least one",
    )  # fmt: skip
