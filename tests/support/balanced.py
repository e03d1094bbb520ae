"""An application behind the double of a load balancer, deployed through the command line, under load."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from attrs import define
from shop import Ended, ended, until
from steady import Steady

from tests.aws.applications import Application, credentials

CONFIG = """\
application: shop
environment: prod
platform:
  name: aws-alb
  region: eu-west-1
  account: "123456789012"
  endpoint_url: {url}
  poll: 200ms
  workload: {{cluster: prod, services: {{blue: shop-blue, green: shop-green}}}}
traffic:
  rule: {rule}
  target_groups: {{blue: "{blue}", green: "{green}"}}
  grace: 1s
release: {{image: example.com/shop}}
look_every: 1s
strategies:
  blue-green: {{verify_for: 3s, keep_old_for: 1s, drain: 1s}}
  canary: {{increments: [50, 100], increment_interval: 10s, keep_old_for: 1s, drain: 1s}}
  rolling: {{batch_size: 2}}
"""


@define
class Balanced:
    """The application, with uno as somebody runs it."""

    there: Application
    folder: Path
    key: str = "AKIADEPLOYER"

    def configure(self, more: str = "") -> None:
        groups = self.there.groups
        (self.folder / "uno.yaml").write_text(
            CONFIG.format(url=self.there.aws.url, rule=self.there.rule, **groups) + more
        )

    def serving(self, tag: str = "v1.0.0", count: int = 2) -> None:
        """Blue serves that, as it did before anybody heard of uno."""
        self.there.run("blue", tag, count)
        until(lambda: self.there.healthy("blue") == count)
        until(lambda: self.there.aws.ask(self.there.host)[1].startswith(tag))

    def start(self, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.Popen[str]:
        given = {**os.environ, **credentials(), "HOME": str(self.folder), "XDG_STATE_HOME": ""}
        given |= {"AWS_ACCESS_KEY_ID": self.key, **(environ or {})}
        given.pop("CI", None)
        return subprocess.Popen(
            [sys.executable, "-m", "uno_core", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=given, cwd=self.folder,
        )  # fmt: skip

    def uno(self, *arguments: str, code: int | None = 0, **more: Any) -> Ended:
        return ended(self.start(*arguments, **more), code=code)

    def deploy(self, strategy: str, tag: str, *more: str, code: int | None = 0) -> Ended:
        return self.uno("deploy", "--strategy", strategy, "--version", tag, *more, code=code)

    def load(self, rate: float = 50.0) -> Steady:
        """Requests through the load balancer."""
        return Steady(self.there.aws.data_plane.port, rate, host=self.there.host)


def lost(load: Steady) -> Counter[int]:
    """How many requests were answered otherwise than they should have been, by what came instead."""
    return Counter(answer.status for answer in load.answers if answer.status != 200)
