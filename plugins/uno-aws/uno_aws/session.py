"""AWS, asked through boto3: as whom the options say, no faster than they say, refusals as errors of uno."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

from uno_aws.bucket import bucket
from uno_aws.errors import Stranger, translated
from uno_aws.options import AwsOptions
from uno_core import Clock, ConfigError, Throttled

CONNECT, READ = 5.0, 15.0
"""Seconds for a connection, and for an answer."""

TRIES = 5
"""So often what may be asked again is asked, by boto3, slower each time and slower for all (adaptive)."""

PAUSES = (0.5, 1.0, 2.0)
"""Seconds between the tries of a write that is throttled. Together they are well within what HORIZON adds."""

HORIZON = CONNECT + READ + 10.0
"""Seconds that a call whose answer was lost may still take effect in."""

PREFIXES = {"elbv2": "elasticloadbalancing", "cloudwatch": "cloudwatch"}
"""What a policy calls the actions of a service, where boto3 calls it otherwise."""

SESSION = "uno"
"""The name by which an assumed role is seen in CloudTrail."""


class Aws:
    """One account and region, as one user. Making it touches nothing; safe for several threads."""

    def __init__(self, options: AwsOptions, clock: Clock) -> None:
        self.options, self.clock = options, clock
        self._clients: dict[tuple[str, bool], Any] = {}
        self._session: boto3.Session | None = None
        self._checked = False
        self._guard = threading.RLock()

    @property
    def where(self) -> str:
        """For a person."""
        account = f"account {self.options.account}, " if self.options.account else ""
        return f"{account}region {self.region or '(none)'}"

    @property
    def region(self) -> str:
        return self.options.region or str(self._made().region_name or "")

    # Asking

    def read(self, service: str, operation: str, /, **arguments: Any) -> Mapping[str, Any]:
        """A call that may be made twice: asked again where it was throttled or not answered.

        Raises Forbidden, Throttled, Unanswered, Refusal, ConfigError.
        """
        return self._call(service, operation, arguments, again=True)

    def write(self, service: str, operation: str, /, **arguments: Any) -> Mapping[str, Any]:
        """A call that takes effect once: where its answer is lost, Unanswered says that nobody knows.

        One that was throttled did nothing and is made again, though not for long: what it was decided by
        gets old. Given up at once it would hardly ever get through, for the looks before it have taken what
        there was of the limit, and so would those before the next one.
        """
        for pause in PAUSES:
            try:
                return self._call(service, operation, arguments, again=False)
            except Throttled:
                self.clock.sleep(pause)
        return self._call(service, operation, arguments, again=False)

    def pages(self, service: str, operation: str, key: str, /, **arguments: Any) -> Iterator[Any]:
        """Everything under `key`, page after page."""
        with self._guard:
            self._check()
            client = self._client(service, again=True)
        paginator = client.get_paginator(operation)
        with self._translated(service, operation):
            for page in paginator.paginate(**arguments):
                yield from page.get(key) or ()

    def _call(self, service: str, operation: str, arguments: Any, *, again: bool) -> Mapping[str, Any]:
        with self._guard:
            self._check()
        try:
            return self._once(service, operation, arguments, again=again)
        except Stranger:
            # What this process was given at first may have run out, and be there anew.
            with self._guard:
                self._forget()
            return self._once(service, operation, arguments, again=again)

    def _once(self, service: str, operation: str, arguments: Any, *, again: bool) -> Mapping[str, Any]:
        with self._translated(service, operation):
            with self._guard:
                client = self._client(service, again=again)
            answer: Mapping[str, Any] = getattr(client, operation)(**arguments)
            return answer

    def _translated(self, service: str, operation: str) -> Any:
        name = "".join(part.capitalize() for part in operation.split("_"))
        return translated(service, name, PREFIXES.get(service, service), where=self.where)

    # Who asks

    def identity(self) -> Mapping[str, Any]:
        """Account and ARN of the credentials: needs no permission."""
        return self._once("sts", "get_caller_identity", {}, again=True)

    def _check(self) -> None:
        """Raises ConfigError where the credentials are of another account than the configured one."""
        if self._checked or not self.options.account:
            return
        found = self.identity()
        if found["Account"] != self.options.account:
            raise ConfigError(
                "these credentials are of another account",
                found=f"{found['Account']} ({found['Arn']})", expected=self.options.account, where="account",
                remedy="choose other credentials (profile, assume_role), or another environment",
            )  # fmt: skip
        self._checked = True

    def _forget(self) -> None:
        self._clients.clear()
        self._session, self._checked = None, False
        self._check()

    def _made(self) -> boto3.Session:
        with self._guard:
            if self._session is None:
                with translated("sts", "AssumeRole", "sts", where="the configuration"):
                    self._session = session(self.options)
            return self._session

    def _client(self, service: str, *, again: bool) -> Any:
        if (service, again) not in self._clients:
            many = {"mode": "adaptive", "total_max_attempts": TRIES}
            tries = many if again else {"total_max_attempts": 1}
            config = Config(connect_timeout=CONNECT, read_timeout=READ, retries=tries, user_agent_extra="uno")
            made = self._made().client(service, endpoint_url=self.options.endpoint_url or None, config=config)
            # AWS counts each service by itself.
            limit = bucket(self.clock, self.options.rate, service, self.options.endpoint_url, self.region)
            made.meta.events.register("before-send", lambda **_: limit.take())
            self._clients[service, again] = made
        return self._clients[service, again]

    def close(self) -> None:
        with self._guard:
            for client in self._clients.values():
                client.close()
            self._clients.clear()


def session(options: AwsOptions) -> boto3.Session:
    """By boto3's own chain of credentials; as another role where one is named, renewed as it runs out."""
    source = boto3.Session(profile_name=options.profile or None, region_name=options.region or None)
    if not options.assume_role:
        return source
    core = botocore.session.Session(profile=options.profile or None)
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=partial(
            core.create_client, region_name=source.region_name, endpoint_url=options.endpoint_url or None
        ),
        source_credentials=source.get_credentials(),
        role_arn=options.assume_role,
        extra_args={"RoleSessionName": SESSION},
    )
    assumed = botocore.session.Session(profile=options.profile or None)
    # As botocore itself does for a profile with role_arn: there is no public way to hand it credentials
    # that renew themselves.
    assumed._credentials = DeferredRefreshableCredentials(  # noqa: SLF001
        method="assume-role", refresh_using=fetcher.fetch_credentials
    )
    return boto3.Session(botocore_session=assumed, region_name=source.region_name)
