"""The metric provider `kubernetes`: CPU and memory of a slot's pods, from metrics.k8s.io.

What is served there are readings of the last moments, by metrics-server for instance, and no history:
https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen
from kubernetes.utils.quantity import parse_quantity

from uno_core import (
    ConfigError,
    Counters,
    Diagnosis,
    Figures,
    Forbidden,
    Instance,
    NoData,
    PlatformError,
    Query,
    Services,
    Throttled,
    Unanswered,
    UnoError,
    Unsupported,
)
from uno_platform_kubernetes.api import Missing
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.objects import name_of
from uno_platform_kubernetes.options import UsageOptions
from uno_platform_kubernetes.permissions import USAGE
from uno_platform_kubernetes.slots import Slots
from uno_platform_kubernetes.workload import KubernetesWorkload

METRICS = "metrics.k8s.io/v1beta1"


SERVER = "v1beta1.metrics.k8s.io"
"""The APIService by which it is served."""


class _Unknown(Exception):
    """Why nothing is known of a pod."""


@frozen
class Reading:
    """What one pod uses: cores, and bytes of its working set; when that was read."""

    at: datetime
    cpu: float
    memory: float


class KubernetesUsage:
    """`cpu` and `memory` are sums over the pods of a slot, `…_per_pod` their means.

    `…_per_pod_max` is what that pod uses that uses most: a leak in one of ten is lost in a mean. Each is of
    whole pods, sidecars included.
    """

    def __init__(self, options: UsageOptions, services: Services) -> None:
        """Keep what is needed; connect at the first use. Raises ConfigError on another platform."""
        what, remedy = "the metrics kubernetes are of pods", "name another provider"
        self._options, self._services = options, services
        self._cluster = Cluster.beside(services, what, where="metrics", remedy=remedy)
        self._workload = KubernetesWorkload(self._cluster, Slots(self._cluster))

    def assure(self) -> None:
        """Raises ConfigError where metrics.k8s.io is not served, Forbidden, PlatformError."""
        self._ask(f"/apis/{METRICS}")  # so told from a right that is missing: anybody may ask that
        self._ask(self._path, limit=1)

    def diagnose(self) -> Sequence[Diagnosis]:
        """Whether there is something to read, and whether it may be read."""
        try:
            self.assure()
        except UnoError as problem:
            found = f"{problem.message} ({problem.found})" if problem.found else problem.message
            forbidden = isinstance(problem, Forbidden)
            return [Diagnosis.error("metrics.k8s.io", found, problem.remedy, forbidden=forbidden)]
        return [Diagnosis.ok("metrics.k8s.io", "is served, and may be read")]

    def window(self, query: Query, start: datetime, end: datetime) -> Figures | NoData:
        raise Unsupported("metrics.k8s.io keeps no history", found=f"{query.slot} from {start} to {end}")

    def sample(self, query: Query) -> Counters | NoData:
        """The present use. A pod without a reading, or with an old one, leaves all of it unknown.

        Raises ConfigError where metrics.k8s.io is not served, Forbidden without the right to read it, and
        PlatformError where it does not answer as it has to.
        """
        pods = self._pods(query)
        if not pods:
            return NoData(f"no pod of {query.version or 'a release'} is ready in {query.slot}")
        samples, objects = self._samples(), {name_of(one): one for one in self._cluster.pods()}
        mine, lacking = [], {}
        for pod in pods:
            try:
                mine.append(self._reading(objects.get(pod.id, {}), samples.get(pod.id)))
            except _Unknown as problem:
                lacking[pod.id] = str(problem)
        if lacking:
            # The sum of some pods is too small, and the mean of those that have been read long ago no mean.
            name, why = next(iter(lacking.items()))
            return NoData(f"no reading of {len(lacking)} of {len(pods)} pods in {query.slot}: {name}: {why}")
        values = {k: v for k, v in _figures(mine) if not query.metrics or k in query.metrics}
        if not values:
            return NoData("nothing of it was asked")
        return Counters(at=min(one.at for one in mine), series=METRICS, figures=Figures(values=values))

    def close(self) -> None:
        self._cluster.close()

    def _pods(self, query: Query) -> Sequence[Instance]:
        """The ready pods of the release in the slot: what starts or fails says nothing of its use."""
        if query.application != self._services.application.name:
            return ()
        state = self._workload.observe().slots.get(query.slot)
        return [
            one
            for one in (state.instances if state else ())
            if one.ready and query.version in ("", one.release.version)
        ]

    # What is served

    @property
    def _path(self) -> str:
        return self._cluster.group(METRICS, "pods")

    def _samples(self) -> Mapping[str, Any]:
        """What is known of each pod, as it is served."""
        labels = ",".join(f"{k}={v}" for k, v in sorted(self._cluster.base_labels().items()))
        found = self._ask(self._path, labelSelector=labels)
        try:
            return {name_of(one): one for one in found["items"]}
        except (KeyError, TypeError) as problem:
            raise PlatformError(
                "what metrics.k8s.io answered cannot be understood", found=f"{found}"[:300], where=self._path,
                expected="a PodMetricsList", remedy=f"see what serves it: kubectl get apiservice {SERVER}",
            ) from problem  # fmt: skip

    def _ask(self, path: str, **query: Any) -> Mapping[str, Any]:
        """Once: whoever judges by it asks again."""
        api, timeout = self._cluster.api, self._options.timeout
        try:
            return self._services.clock.within(timeout, lambda: api.once(path, **query))
        except Missing as problem:
            raise ConfigError(
                "the cluster serves no metrics of pods", found=problem.message, where=path,
                expected="metrics.k8s.io, as metrics-server serves it",
                remedy="install metrics-server, or name another provider under `metrics`",
            ) from None  # fmt: skip
        except Forbidden as problem:
            raise Forbidden(
                "the metrics of pods must not be read", found=problem.found, where=path,
                expected="the right to list pods of metrics.k8s.io",
                remedy=f"add to the role: {USAGE.lacking(['list'])}",
            ) from problem  # fmt: skip
        except (Throttled, Unanswered) as problem:
            raise PlatformError(
                "metrics.k8s.io does not answer", found=problem.found or problem.message, where=path,
                remedy=f"see why: kubectl describe apiservice {SERVER}",
            ) from problem  # fmt: skip

    # What it says

    def _reading(self, pod: Mapping[str, Any], sample: Any) -> Reading:
        if sample is None:
            raise _Unknown("it has none yet")
        try:
            at = datetime.fromisoformat(str(sample["timestamp"]))
            self._check_fresh(pod, at)
            used = {str(one["name"]): one["usage"] for one in sample["containers"]}
            lacking = [c["name"] for c in pod["spec"]["containers"] if c["name"] not in used]
            if lacking:
                raise _Unknown(f"nothing of its container {lacking[0]}")
            cpu, memory = (sum(_amount(one[kind]) for one in used.values()) for kind in ("cpu", "memory"))
        except (KeyError, TypeError, ValueError) as problem:
            raise _Unknown(f"its reading cannot be understood: {type(problem).__name__}: {problem}") from None
        return Reading(at, cpu, memory)

    def _check_fresh(self, pod: Mapping[str, Any], at: datetime) -> None:
        age, stale = (self._services.clock.now() - at).total_seconds(), self._options.stale
        if abs(age) > stale:
            told = f"{age:.0f} s old" if age > 0 else f"of {-age:.0f} s from now"
            raise _Unknown(f"its reading is {told} by the clock of this machine, more than {stale:g} s")
        if (began := (pod.get("status") or {}).get("startTime")) and at < datetime.fromisoformat(began):
            raise _Unknown("its reading is of before it was started")


def _figures(readings: Sequence[Reading]) -> Iterator[tuple[str, float]]:
    for kind in ("cpu", "memory"):
        each = [float(getattr(one, kind)) for one in readings]
        yield kind, sum(each)
        yield f"{kind}_per_pod", sum(each) / len(each)
        yield f"{kind}_per_pod_max", max(each)


def _amount(quantity: Any) -> float:
    """Raises ValueError for what is none: NaN is a number to the parser."""
    amount = float(parse_quantity(str(quantity)))  # type: ignore[no-untyped-call]
    if not 0 <= amount < float("inf"):
        raise ValueError(f"{quantity} is no amount")
    return amount
