"""What is right and wrong with a load balancer and its services for an application."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from uno_core import Diagnosis, Forbidden, GivenWorkload, UnoError
from uno_platform_aws_alb.balancer import Balancer
from uno_platform_aws_alb.router import AlbRouter, told
from uno_platform_aws_alb.services import EcsWorkload


def diagnose(
    balancer: Balancer, workload: EcsWorkload | GivenWorkload | None, router: AlbRouter
) -> Iterator[Diagnosis]:
    """Looks only. What cannot be looked at is a finding, and keeps nothing else from being told."""
    try:
        found = balancer.aws.identity()
    except UnoError as problem:
        yield _told("credentials", problem)
        return
    wanted = balancer.options.account
    if wanted and found["Account"] != wanted:
        yield Diagnosis.error(
            "credentials", f"{found['Arn']} is of the account {found['Account']}, not of {wanted}",
            "choose other credentials: profile, assume_role",
        )  # fmt: skip
        return
    yield Diagnosis.ok("credentials", f"{found['Arn']}, region {balancer.aws.region}")
    yield from _guarded("rule", lambda: _rule(balancer, router))
    yield from _guarded("target groups", lambda: _groups(balancer))
    if workload is not None:
        yield from _guarded("services", lambda: _services(workload))


def _guarded(about: str, look: Callable[[], Iterator[Diagnosis]]) -> Iterator[Diagnosis]:
    try:
        yield from look()
    except UnoError as problem:
        yield _told(about, problem)


def _told(about: str, problem: UnoError) -> Diagnosis:
    found = f"{problem.message} ({problem.found})" if problem.found else problem.message
    remedy = problem.remedy or "look at it in the console of AWS"
    return Diagnosis.error(about, found, remedy, forbidden=isinstance(problem, Forbidden))


def _rule(balancer: Balancer, router: AlbRouter) -> Iterator[Diagnosis]:
    router.refuse()
    actions = balancer.actions(balancer.place)
    yield Diagnosis.ok("rule", f"{balancer.place}: {told(actions, balancer.groups, str(balancer.place))}")


def _groups(balancer: Balancer) -> Iterator[Diagnosis]:
    for slot, arn in balancer.groups.items():
        rows = balancer.health(arn)
        healthy = sum(row["TargetHealth"]["State"] == "healthy" for row in rows)
        yield Diagnosis.ok("target groups", f"{slot}: {healthy} of {len(rows)} targets healthy")
    yield Diagnosis.ok("target groups", f"a target drains for {balancer.draining:g} s")


def _services(workload: EcsWorkload | GivenWorkload) -> Iterator[Diagnosis]:
    workload.check()
    if isinstance(workload, GivenWorkload):
        for slot, state in workload.observe().slots.items():
            told = ", ".join(f"{one.id} {one.reason or 'ready'}" for one in state.instances)
            yield Diagnosis.ok("instances", f"{slot}: {told or 'none in its target group'}")
        return
    for slot, one in workload.services().items():
        found = f"{slot}: {one['serviceName']} runs {one.get('runningCount', 0)} of {one['desiredCount']}"
        yield Diagnosis.ok("services", f"{found} of {workload.definitions.release(one['taskDefinition'])}")
