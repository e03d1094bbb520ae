"""The notifier `ci`: tells the CI that runs uno, in its own words."""

from __future__ import annotations

import os
from typing import Protocol

from uno_core import Notice, Notifier, Services, UnoError
from uno_notify_ci.github import make as github
from uno_notify_ci.gitlab import GitLab
from uno_notify_ci.options import CiOptions


class Told(Protocol):
    """A CI."""

    def notify(self, notice: Notice) -> None:
        """Tell it. Raises OSError where a file or the log cannot be written."""


class Ci(Notifier):
    """Speaks to the CI that the environment or `format` names; to nobody where there is none."""

    options: CiOptions

    def __init__(self, options: CiOptions, services: Services) -> None:
        super().__init__(options, services)
        self._told = _told(options)

    def notify(self, notice: Notice, timeout: float) -> None:
        """Tell it. Raises UnoError where a file of the runner, or its log, cannot be written."""
        del timeout  # files and stderr of this machine
        if self._told is None:
            return
        try:
            self._told.notify(notice)
        except OSError as problem:
            raise UnoError(
                "the CI could not be told",
                found=problem.strerror or str(problem),
                where=str(problem.filename or "stderr"),
                remedy="the deployment is not touched by this; look at the runner's disk and environment",
            ) from None


def _told(options: CiOptions) -> Told | None:
    name = options.format
    if name == "auto":
        name = _detected()
    if name == "github":
        return github(options)
    return GitLab(options) if name == "gitlab" else None


def _detected() -> str:
    if os.environ.get("GITHUB_ACTIONS") == "true":
        return "github"
    return "gitlab" if os.environ.get("GITLAB_CI") == "true" else ""
