"""The half that splits traffic: by the selector of a Service, or by the weights of a route."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve

from uno_core import (
    Capabilities,
    Json,
    PlatformError,
    RouterState,
    Slot,
    Split,
    Unsupported,
    same_split,
    whole,
)
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.objects import ADOPTED, MARK, NOBODY, SLOT, SPLIT, annotations_of, owner_of
from uno_platform_kubernetes.slots import Slots

Object = Mapping[str, Any]


class ObjectRouter(ABC):
    """A router whose routing stands in one object, which is written only as it was read."""

    capabilities: Capabilities
    taken: str
    """The field that is uno's."""

    def __init__(self, cluster: Cluster, slots: Slots) -> None:
        self.cluster, self.slots = cluster, slots
        self._since: tuple[Split, float] | None = None
        self._untouched = True

    @abstractmethod
    def path(self) -> str:
        """Where the object lies."""

    @abstractmethod
    def object(self) -> Object:
        """The object. Raises PlatformError where there is none."""

    @abstractmethod
    def keep(self, thing: Object) -> None:
        """Take in what a write answered."""

    @abstractmethod
    def split(self, thing: Object) -> Split:
        """The split that stands in it."""

    @abstractmethod
    def body(self, thing: Object, split: Split) -> Object:
        """What is applied for a split: uno's fields alone."""

    @abstractmethod
    def followed(self) -> Split:
        """What the traffic follows, as far as the cluster tells."""

    @abstractmethod
    def prepare(self) -> str:
        """Make ready for the first write; returns what that was, in words, where something was written."""

    def remarks(self, size: int) -> Iterator[str]:  # noqa: ARG002 - what it is for a router by numbers
        """What a plan tells of how it splits. size: pods of a slot that carries everything."""
        yield (
            "a share is one of new connections: streams and websockets that are open stay with the old"
            " release until its pods end"
        )

    # The contract

    def observe(self) -> RouterState:
        """By a read of its own: what a watch has told may be a moment old, and this is for comparing."""
        thing = self.object()  # says what is missing
        if "uid" in thing["metadata"]:  # else it is still to be made
            thing = self.cluster.api.get(self.path())
            self.keep(thing)
        mark, split = annotations_of(thing).get(MARK), self.split(thing)
        return RouterState(
            split=split,
            token=str(thing["metadata"].get("resourceVersion", "")),
            captured={slot.value: percent for slot, percent in split.items()},
            mark=json.loads(mark) if mark else None,
        )

    def write(self, split: Split, expect: Json) -> None:
        self._check(split)
        thing = self.object()
        body = self.body(thing, split)
        metadata = {**body["metadata"], **({"resourceVersion": str(expect)} if expect is not None else {})}
        if not same_split(self.split(thing), split):
            self._since, self._untouched = None, False
        force = self.taken in annotations_of(thing).get(ADOPTED, "")
        self.keep(self.cluster.api.apply(self.path(), {**body, "metadata": metadata}, force=force))

    def restore(self, captured: Json) -> None:
        try:
            split = {Slot(slot): float(percent) for slot, percent in captured.items()}  # type: ignore[union-attr, arg-type]
        except (AttributeError, ValueError, TypeError) as problem:
            raise PlatformError(
                "that was not captured by this platform", found=str(captured)[:200]
            ) from problem
        self.write(split, None)

    def marked(self) -> Any:
        """The mark that stands there, as far as the watch has told; None where there is none."""
        mark = annotations_of(self.object()).get(MARK)
        return json.loads(mark) if mark else None

    def mark(self, value: Json) -> None:
        written = None if value is None else json.dumps(value)
        self.keep(self.cluster.api.patch(self.path(), {"metadata": {"annotations": {MARK: written}}}))

    def in_force(self) -> Split:
        """What the traffic follows, for `grace` seconds already: proxies hear of it a little later."""
        now, clock = self.followed(), self.cluster.services.clock
        grace = self.cluster.options.traffic.grace
        if self._since is None or not same_split(self._since[0], now):
            # Found so by a process that has not written yet, it has been so for a while.
            settled = self._untouched and same_split(now, self.split(self.object()))
            self._since = (now, clock.monotonic() - (grace if settled else 0.0))
        return now if clock.monotonic() - self._since[1] >= grace else {}

    def ends_in(self) -> float:
        """Seconds until the grace of what is followed now is over; infinite where none is waited out."""
        if self._since is None:
            return math.inf
        left = self._since[1] + self.cluster.options.traffic.grace - self.cluster.services.clock.monotonic()
        return left if left > 0 else math.inf

    def _check(self, split: Split) -> None:
        finest = self.capabilities.granularity
        for slot, percent in split.items():
            if abs(percent / finest - round(percent / finest)) > 1e-6:
                raise Unsupported(
                    f"{slot} cannot have {percent:g} % of the traffic here",
                    expected=f"a multiple of {finest:g} %",
                    remedy="choose the router gateway-api or istio, which split by weights",
                )  # fmt: skip
        if not split and not self.capabilities.unroute:
            raise Unsupported("the routing cannot be taken away", expected="a split that sums to 100")


class ServiceRouter(ObjectRouter):
    """The selector of the application's Service: one atomic write, and EndpointSlices that follow it."""

    taken = "spec.selector"
    capabilities = Capabilities(
        granularity=100.0, unroute=True, marks=True, cas=True, bound=10.0, least_ready=1.0, recalls=True
    )

    def path(self) -> str:
        return self.cluster.core("services", self.cluster.service)

    def object(self) -> Object:
        return self.slots.service()

    def keep(self, thing: Object) -> None:
        self.cluster.before.keep(thing)

    def split(self, thing: Object) -> Split:
        selector = thing["spec"].get("selector") or {}
        slot = self.slots.slot_of(selector)
        if slot is not None:
            return whole(slot)
        # Both, by a hand that is not uno's; or there is nothing yet that it could lead to.
        running = [s for s, one in self.cluster.deployments().items() if one["spec"].get("replicas", 1)]
        return dict.fromkeys(Slot, 50.0) if len(running) > 1 and selector.get(SLOT) != NOBODY else {}

    def body(self, thing: Object, split: Split) -> Object:  # noqa: ARG002 - a route's is made from what is there
        slots = [slot for slot, percent in split.items() if percent == 100]
        selector = self.slots.selector(slots[0]) if slots else {**self.slots.both(), SLOT: NOBODY}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": self.cluster.service},
            "spec": {"selector": dict(selector)},
        }

    def prepare(self) -> str:
        """Pin a Service that never heard of uno to the pods that it has: the same endpoints as before.

        Where it has none, to none: what is started gets no request before it is routed to.
        """
        self.slots.ensure_services(pinned=True)
        service = self.object()
        split = self._unpinned(service)
        if split is None:
            return ""
        pinned = self.body(service, split)["spec"]["selector"]
        self.write(split, service["metadata"]["resourceVersion"])
        self._untouched = True  # the same endpoints as before
        return _pinning("is", self.cluster.service, pinned)

    def remarks(self, size: int) -> Iterator[str]:
        service = self.object()
        if "uid" in service["metadata"] and (split := self._unpinned(service)) is not None:
            yield _pinning("will be", self.cluster.service, self.body(service, split)["spec"]["selector"])
        yield from super().remarks(size)

    def _unpinned(self, service: Object) -> Split | None:
        """What a Service that never heard of uno leads to; None where it is pinned."""
        selector = dict(service["spec"].get("selector") or {})
        slot = self.slots.slot_of(selector)
        split = whole(slot) if slot is not None else self.split(service)
        pinned = split != {} or selector.get(SLOT) == NOBODY
        unlike = slot is not None and selector != dict(self.slots.selector(slot))
        return split if unlike or not pinned else None

    def followed(self) -> Split:
        ready = self.cluster.endpoints(self.cluster.service)
        if not ready:
            return {}
        slots = self._slots_of_pods()
        mine = [slots[uid] for uid in set(ready) if uid in slots]
        if not mine:
            return {}
        green = 100.0 * sum(slot is Slot.GREEN for slot in mine) / len(mine)
        return {Slot.BLUE: 100.0 - green, Slot.GREEN: green}

    def _slots_of_pods(self) -> Mapping[str, Slot]:
        deployments = {one["metadata"]["uid"]: slot for slot, one in self.cluster.deployments().items()}
        sets = {
            one["metadata"]["uid"]: deployments[owner_of(one)]
            for one in self.cluster.replica_sets()
            if owner_of(one) in deployments
        }
        return {
            pod["metadata"]["uid"]: sets[owner_of(pod)]
            for pod in self.cluster.pods()
            if owner_of(pod) in sets
        }


class ReplicasRouter(ServiceRouter):
    """A Service that selects the pods of both slots: shares by the number of pods, about what is asked.

    A whole switch is as exact as with the selector of one slot.
    """

    capabilities = evolve(ServiceRouter.capabilities, granularity=0.01)

    def split(self, thing: Object) -> Split:
        asked = annotations_of(thing).get(SPLIT)
        selector = thing["spec"].get("selector") or {}
        if asked and self.slots.slot_of(selector) is None and SLOT not in selector:
            return {Slot(slot): float(percent) for slot, percent in json.loads(asked).items()}
        return super().split(thing)

    def body(self, thing: Object, split: Split) -> Object:
        if not split or any(percent == 100 for percent in split.values()):
            return super().body(thing, split)
        asked = json.dumps({slot.value: percent for slot, percent in split.items()})
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": self.cluster.service, "annotations": {SPLIT: asked}},
            "spec": {"selector": dict(self.slots.both())},
        }

    def remarks(self, size: int) -> Iterator[str]:
        yield from super().remarks(size)
        least = 100 / (size + 1)
        yield (
            f"shares are those of the numbers of pods, about what is asked for: beside {size} pods of the old"
            f" release one of the new one gets {least:.3g} %. traffic.router: gateway-api splits exactly"
        )

    def followed(self) -> Split:
        """The shares that were asked for, once pods of each slot that has one take requests."""
        found, asked = super().followed(), self.split(self.object())
        named = {slot for slot, percent in asked.items() if percent > 0}
        taking = {slot for slot, percent in found.items() if percent > 0}
        return asked if named == taking else found


def _pinning(verb: str, service: str, selector: Mapping[str, str]) -> str:
    told = ",".join(f"{k}={v}" for k, v in sorted(selector.items()))
    return f"the selector of the Service {service} {verb} {told}: the endpoints stay the same"
