"""Routers by weights: the backendRefs of an HTTPRoute, the destinations of a VirtualService."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from uno_core import Capabilities, Json, PlatformError, Slot, Split, Throttled, same_split
from uno_platform_kubernetes.routers import ObjectRouter

Object = Mapping[str, Any]

ISTIO = "networking.istio.io/v1"

PATIENCE = 30.0
"""Seconds in which the cluster fills a Service with its endpoints."""

MOMENT = 2.0
"""Seconds that a write waits for the endpoints of pods that are ready already."""


class WeightedRouter(ObjectRouter):
    """Weights among two Services, one before each slot."""

    kind: str
    group: str
    plural: str
    whole_weight: int
    """What the weights of both slots sum to."""

    def path(self) -> str:
        return self.cluster.group(self.group, self.plural, self._name())

    def _name(self) -> str:
        return self.cluster.options.traffic.route or self.cluster.service

    def _mirror(self) -> Any:
        return self.cluster.mirror(self.cluster.group(self.group, self.plural), name=self._name())

    def object(self) -> Object:
        found: Object | None = self._mirror().get(self._name())
        if found is None:
            raise PlatformError(
                f"there is no {self.kind} {self._name()} in the namespace {self.cluster.namespace}",
                expected=f"a {self.kind} with a backend {self.cluster.service}",
                remedy="set traffic.route, or create it",
            )
        return found

    def keep(self, thing: Object) -> None:
        self._mirror().keep(thing)

    def prepare(self) -> str:
        self.slots.ensure_services()
        thing = self.object()
        if self._led_already(thing):
            return ""
        # As before, by way of the slot's own Service.
        split = self.split(thing)
        if not split and not self.capabilities.unroute:
            return ""
        self._led(split)
        self.write(split, thing["metadata"]["resourceVersion"])
        self._untouched = True
        return f"the {self.kind} {self._name()} leads {self._ways}: the pods stay the same"

    def remarks(self, size: int) -> Iterator[str]:
        if not self._led_already(self.object()):
            yield f"the {self.kind} {self._name()} will lead {self._ways}: the pods stay the same"
        yield from super().remarks(size)

    @property
    def _ways(self) -> str:
        ways = " and ".join(self.slots.service_of(slot) for slot in Slot)
        return f"to {ways} in place of {self.cluster.service}"

    def _led_already(self, thing: Object) -> bool:
        """Whether it names a slot's own Service."""
        return any(self._slot(ref) is not None for refs in self._ours(thing) for ref in refs)

    def _led(self, split: Split) -> None:
        """Wait until the new Services lead where the old one does: else a route is answered with 503."""
        clock = self.cluster.services.clock
        end = clock.monotonic() + PATIENCE
        while missing := self._leading_nowhere(split):
            if clock.monotonic() > end:
                raise PlatformError(
                    "the cluster does not fill the new Services",
                    found=f"no endpoints of {', '.join(missing)}",
                    expected=f"those of {self.cluster.service}",
                    remedy="look at the EndpointSlice controller",
                )  # fmt: skip
            self.cluster.changes.looking()
            self.cluster.changes.wait(0.5)
        if split:
            clock.sleep(self.cluster.options.traffic.grace)  # proxies hear of it a little later

    def _leading_nowhere(self, split: Split) -> Sequence[str]:
        named = [self.slots.service_of(slot) for slot, percent in split.items() if percent > 0]
        return [name for name in named if not self.cluster.endpoints(name)]

    def write(self, split: Split, expect: Json) -> None:
        """Raises Throttled for a share of a slot whose Service leads nowhere yet, where another one leads."""
        clock = self.cluster.services.clock
        end = clock.monotonic() + MOMENT
        while (missing := self._leading_nowhere(split)) and clock.monotonic() < end:
            self.cluster.changes.looking()
            self.cluster.changes.wait(0.1)
        if missing and len(missing) < sum(percent > 0 for percent in split.values()):
            raise Throttled(
                "pods are ready, and their Service does not lead to them yet", found=", ".join(missing),
                expected="endpoints",
            )  # fmt: skip
        super().write(split, expect)

    def split(self, thing: Object) -> Split:
        splits = [self._of(refs) for refs in self._ours(thing)]
        if not splits:
            raise PlatformError(
                f"the {self.kind} {self._name()} does not lead to this application",
                expected=f"a backend {self.cluster.service}, or the Services of its slots",
                remedy="set traffic.route, or add the backend",
            )
        for other in splits[1:]:
            if not same_split(splits[0], other):
                raise PlatformError(
                    f"the rules of the {self.kind} {self._name()} do not agree on the split",
                    found=" and ".join(str(dict(one)) for one in splits), expected="the same weights in each",
                    remedy="set them by hand to what they should be",
                )  # fmt: skip
        return splits[0]

    def _of(self, refs: Sequence[Object]) -> Split:
        weights = dict.fromkeys(Slot, 0)
        for ref in refs:
            slot = self._slot(ref)
            if slot is None:  # the application's own Service: as its selector says
                slot = self.slots.slot_of(self.slots.service()["spec"].get("selector") or {})
            if slot is None:
                continue
            weights[slot] += int(ref.get("weight", 1 if len(refs) > 1 or self.kind == "HTTPRoute" else 100))
        total = sum(weights.values())
        return {slot: 100.0 * weight / total for slot, weight in weights.items()} if total else {}

    def body(self, thing: Object, split: Split) -> Object:
        rules = copy.deepcopy(self.rules(thing))
        for rule in rules:
            refs = self.refs(rule)
            mine = [ref for ref in refs if self._is_ours(ref)]
            if mine:
                others = [ref for ref in refs if not self._is_ours(ref)]
                self.put(rule, [*others, *(self._weighted(mine[0], slot, split) for slot in Slot)])
        return {
            "apiVersion": self.group,
            "kind": self.kind,
            "metadata": {"name": self._name()},
            "spec": {self.field: rules},
        }

    def _weighted(self, like: Object, slot: Slot, split: Split) -> Object:
        weight = round(split.get(slot, 0.0) * self.whole_weight / 100)
        return {**self.named(like, self.slots.service_of(slot)), "weight": weight}

    def _ours(self, thing: Object) -> Iterator[Sequence[Object]]:
        for rule in self.rules(thing):
            mine = [ref for ref in self.refs(rule) if self._is_ours(ref)]
            if mine:
                yield mine

    def _is_ours(self, ref: Object) -> bool:
        return self.target(ref) in {self.cluster.service, *(self.slots.service_of(slot) for slot in Slot)}

    def _slot(self, ref: Object) -> Slot | None:
        return next((slot for slot in Slot if self.target(ref) == self.slots.service_of(slot)), None)

    # What the two kinds differ in

    field: str

    @property
    def taken(self) -> str:  # type: ignore[override]
        return f"spec.{self.field}"

    def rules(self, thing: Object) -> Sequence[dict[str, Any]]:
        found: Sequence[dict[str, Any]] = thing["spec"].get(self.field) or ()
        return found

    @abstractmethod
    def refs(self, rule: Object) -> Sequence[Object]:
        """Where a rule leads."""

    @abstractmethod
    def put(self, rule: dict[str, Any], refs: Sequence[Object]) -> None:
        """Have it lead there."""

    @abstractmethod
    def target(self, ref: Object) -> str:
        """The Service of this namespace that it names; empty where it is another's."""

    @abstractmethod
    def named(self, like: Object, service: str) -> Object:
        """The same with another Service."""


class IstioRouter(WeightedRouter):
    """A VirtualService. Nobody says when the proxies have heard of it, so it counts after `traffic.grace`."""

    kind, group, plural, field = "VirtualService", ISTIO, "virtualservices", "http"
    whole_weight = 100
    capabilities = Capabilities(
        granularity=1.0, marks=True, cas=True, bound=15.0, least_ready=1.0, recalls=True
    )

    def refs(self, rule: Object) -> Sequence[Object]:
        return rule.get("route") or ()

    def put(self, rule: dict[str, Any], refs: Sequence[Object]) -> None:
        rule["route"] = list(refs)

    def target(self, ref: Object) -> str:
        host = str((ref.get("destination") or {}).get("host", ""))
        name, _, rest = host.partition(".")
        here = rest.split(".")[0] if rest else self.cluster.namespace
        return name if here == self.cluster.namespace else ""

    def named(self, like: Object, service: str) -> Object:
        destination = {k: v for k, v in like["destination"].items() if k != "subset"}
        host = str(destination.get("host", ""))
        _, dot, rest = host.partition(".")
        return {**like, "destination": {**destination, "host": f"{service}{dot}{rest}"}}

    def followed(self) -> Split:
        return self.split(self.object())
