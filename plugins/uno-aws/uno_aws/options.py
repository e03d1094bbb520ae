"""Whom AWS is asked as, and where. Imports no SDK: it is read whenever options are checked."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from attrs import evolve, fields, frozen

from uno_core import option

ACCOUNT = re.compile(r"\d{12}")
ROLE = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/\S+")


@frozen(kw_only=True)
class AwsOptions:
    """What every plugin for AWS takes. Without any of it boto3 finds all by itself."""

    region: str = option(default="", help="the region; by default the profile's, or AWS_REGION")
    profile: str = option(default="", help="the profile of ~/.aws; by default AWS_PROFILE")
    account: str = option(
        default="", help="the account that the credentials have to be of: compared before anything is done"
    )
    assume_role: str = option(default="", help="the ARN of a role to act as")
    endpoint_url: str = option(default="", help="where to ask instead of at AWS, for all services")
    rate: float = option(
        default=10.0,
        gt=0,
        help="calls a second at most to each service, by this process; four times as many in a burst",
    )

    def __attrs_post_init__(self) -> None:
        if self.account and not ACCOUNT.fullmatch(self.account):
            raise ValueError(f"account = {self.account}: expected its twelve digits, in quotes")
        if self.assume_role and not ROLE.fullmatch(self.assume_role):
            raise ValueError(
                f"assume_role = {self.assume_role}: expected arn:aws:iam::123456789012:role/deployer"
            )


Options = TypeVar("Options", bound=AwsOptions)


def inherited(options: Options, platform: Any) -> Options:
    """What stands in the options of the configured platform, wherever these say nothing themselves."""
    if not isinstance(platform, AwsOptions):
        return options
    unsaid = {
        one.name: getattr(platform, one.name)
        for one in fields(AwsOptions)
        if getattr(options, one.name) == one.default
    }
    return evolve(options, **unsaid)
