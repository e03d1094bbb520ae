"""The health check `kubernetes`: what the cluster itself says of a slot's pods."""

from __future__ import annotations

from uno_core import Probe, Release, Services, SlotState, Target
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.options import ReadinessOptions
from uno_platform_kubernetes.slots import Slots
from uno_platform_kubernetes.workload import KubernetesWorkload


class KubernetesReadiness:
    """Healthy is a slot whose Deployment asks for pods, which are there, of that release, and ready."""

    per_instance = False

    def __init__(self, options: ReadinessOptions, services: Services) -> None:  # noqa: ARG002 - as the core calls it
        """Keep what is needed; connect at the first use. Raises ConfigError on another platform."""
        what, remedy = "the health check kubernetes looks at pods", "name another check: http, tcp, command"
        self._services = services
        self._cluster = Cluster.beside(services, what, where="health", remedy=remedy)
        self._workload = KubernetesWorkload(self._cluster, Slots(self._cluster))

    def check(self, target: Target, timeout: float) -> Probe:
        """One look, of what the watches have told. Raises Unanswered where the cluster does not answer."""
        seen = self._services.clock.within(timeout, self._workload.observe)
        answer = _complaint(seen.slots.get(target.slot, SlotState()), target)
        return Probe(target=str(target), healthy=not answer, answer=(answer or "every pod is ready")[:400])

    def close(self) -> None:
        self._cluster.close()


def _complaint(state: SlotState, target: Target) -> str:
    """Why the slot is not healthy; empty where it is."""
    if target.instance:
        one = next((each for each in state.instances if each.id == target.instance), None)
        if one is None:
            return "there is no such pod"
        return "" if one.ready else one.reason or "not ready"
    version = target.release.version
    wanted = sum(n for release, n in state.wanted.items() if _is(release, target.release))
    if not wanted:
        asked = ", ".join(str(release) for release in state.wanted) or "nothing"
        asked += " of another configuration" if asked == version else ""
        return f"{asked} is to run in {target.slot}, not {version}"
    ready = sum(i.ready and _is(i.release, target.release) for i in state.instances)
    unready = "; ".join(f"{i.id}: {i.reason}" for i in state.held_to_account if not i.ready)
    if ready < wanted:
        return f"{ready} of {wanted} pods are ready" + (f": {unready}" if unready else "")
    return unready


def _is(release: Release, asked: Release) -> bool:
    """By its whole template where that is known: another configuration of a version is another release."""
    return release == asked if asked.artifact else release.version == asked.version
