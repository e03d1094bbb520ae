"""Who asks, from where, and for which commit: what stands in the history beside every deployment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from uno_core.journal.lock import this_process
from uno_core.model import Json

GIT = 2.0
"""Seconds that git has to name the commit."""


@frozen(kw_only=True)
class Service:
    """A CI service, by the variables that it sets: `mark` tells it from others."""

    name: str
    mark: str
    actor: str = ""
    commit: str = ""
    ref: str = ""
    job: str = ""


SERVICES = (
    # GitHub's job has no single variable: see `_job`.
    Service(
        name="GitHub Actions",
        mark="GITHUB_ACTIONS",
        actor="GITHUB_ACTOR",
        commit="GITHUB_SHA",
        ref="GITHUB_REF_NAME",
    ),
    Service(
        name="GitLab CI",
        mark="GITLAB_CI",
        actor="GITLAB_USER_LOGIN",
        commit="CI_COMMIT_SHA",
        ref="CI_COMMIT_REF_NAME",
        job="CI_JOB_URL",
    ),
    Service(
        name="Jenkins",
        mark="JENKINS_URL",
        actor="BUILD_USER_ID",
        commit="GIT_COMMIT",
        ref="GIT_BRANCH",
        job="BUILD_URL",
    ),
    Service(
        name="Buildkite",
        mark="BUILDKITE",
        actor="BUILDKITE_BUILD_CREATOR",
        commit="BUILDKITE_COMMIT",
        ref="BUILDKITE_BRANCH",
        job="BUILDKITE_BUILD_URL",
    ),
    Service(
        name="CircleCI",
        mark="CIRCLECI",
        actor="CIRCLE_USERNAME",
        commit="CIRCLE_SHA1",
        ref="CIRCLE_BRANCH",
        job="CIRCLE_BUILD_URL",
    ),
    Service(
        name="Azure Pipelines",
        mark="TF_BUILD",
        actor="BUILD_REQUESTEDFOR",
        commit="BUILD_SOURCEVERSION",
        ref="BUILD_SOURCEBRANCHNAME",
    ),
    Service(
        name="Bitbucket Pipelines",
        mark="BITBUCKET_BUILD_NUMBER",
        actor="BITBUCKET_STEP_TRIGGERER_UUID",
        commit="BITBUCKET_COMMIT",
        ref="BITBUCKET_BRANCH",
    ),
)
"""As each service documents its predefined variables."""

CLOUD = ("AWS_ROLE_ARN", "AWS_PROFILE", "CLOUDSDK_CORE_ACCOUNT", "AZURE_CLIENT_ID")
"""Variables that name a cloud identity, and are no secrets."""


def who(environ: Mapping[str, str] | None = None) -> str:
    """Who asks, for a person: the CI service's user, or the user of this machine at this host."""
    return str(origin(None, environ)["by"])


def origin(folder: Path | None, environ: Mapping[str, str] | None = None) -> Mapping[str, Json]:
    """Who asks, from which host, by which job and for which commit. What is not known is left out.

    folder: where the configuration lies; its commit counts where no service names one.
    """
    environ = os.environ if environ is None else environ
    process = this_process()
    user = f"{process.user}@{process.host}"
    found: dict[str, Json] = {"by": user, "user": process.user, "host": process.host}
    service = next((one for one in SERVICES if environ.get(one.mark)), None)
    if service is not None:
        actor = environ.get(service.actor, "")
        found["by"] = f"{actor} by {service.name}" if actor else f"{service.name} ({user})"
        found["service"] = service.name
        for key in ("actor", "commit", "ref", "job"):
            if text := environ.get(getattr(service, key), ""):
                found[key] = text
        if job := _job(environ):
            found["job"] = job
    identities = [f"{name}={environ[name]}" for name in CLOUD if environ.get(name)]
    if identities:
        found["cloud"] = ", ".join(identities)
    if "commit" not in found and folder is not None and (commit := _commit(folder)):
        found["commit"] = commit
    return found


def _job(environ: Mapping[str, str]) -> str:
    """GitHub gives the address of a run in three parts."""
    parts = [environ.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")]
    return f"{parts[0]}/{parts[1]}/actions/runs/{parts[2]}" if all(parts) else ""


def _commit(folder: Path) -> str:
    """The commit that is checked out there; empty where git does not say."""
    try:
        told = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
            timeout=GIT,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""
