"""The router `gateway-api`: the weights of an HTTPRoute, and what stands beside them while it lasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from uno_core import Capabilities, ConfigError, Json, PlatformError, Slot, Split
from uno_platform_kubernetes.objects import ADOPTED, annotations_of, name_of
from uno_platform_kubernetes.options import header
from uno_platform_kubernetes.routes import WeightedRouter

Object = Mapping[str, Any]

GATEWAY = "gateway.networking.k8s.io/v1"

DOUBT = 10.0
"""Seconds that a route may be refused by its gateway before that is told as a failure: it may not know the
Services yet."""

TESTERS = "uno.dev/testers"
"""Annotation of a route that has rules for testers: the header that they go by."""

MOST = 16
"""Rules of an HTTPRoute, as the Gateway API limits them."""


class GatewayRouter(WeightedRouter):
    """An HTTPRoute. In force when every gateway has accepted this very generation of it.

    While a deployment is under way, requests with the header of `traffic.testers` go to the new release, by a
    rule of their own beside each that splits, and `traffic.mirror` has it get copies of what others ask.
    """

    kind, group, plural, field = "HTTPRoute", GATEWAY, "httproutes", "rules"
    whole_weight = 10_000
    capabilities = Capabilities(
        granularity=0.01, unroute=True, marks=True, cas=True, bound=10.0, least_ready=1.0, recalls=True
    )
    _refused: float | None = None
    _told = 0
    """The generation whose refusal was told: once, so that a way back is not ended by it too."""

    def refs(self, rule: Object) -> Sequence[Object]:
        return rule.get("backendRefs") or ()

    def put(self, rule: dict[str, Any], refs: Sequence[Object]) -> None:
        rule["backendRefs"] = list(refs)

    def target(self, ref: Object) -> str:
        mine = ref.get("kind", "Service") == "Service" and ref.get("group", "") == ""
        here = ref.get("namespace", self.cluster.namespace) == self.cluster.namespace
        return str(ref["name"]) if mine and here else ""

    def named(self, like: Object, service: str) -> Object:
        return {**{k: v for k, v in like.items() if k != "weight"}, "name": service}

    def followed(self) -> Split:
        thing = self.object()
        generation = int(thing["metadata"].get("generation", 0))
        parents = (thing.get("status") or {}).get("parents") or ()
        if not parents:
            return {}
        clock = self.cluster.services.clock
        for parent in parents:
            for kind in ("Accepted", "ResolvedRefs"):
                found = next((c for c in parent.get("conditions") or () if c["type"] == kind), None)
                if found is None or int(found.get("observedGeneration", 0)) < generation:
                    return {}
                if found["status"] != "True":
                    self._refused = self._refused or clock.monotonic()
                    if clock.monotonic() - self._refused < DOUBT or self._told == generation:
                        return {}
                    self._told = generation
                    raise PlatformError(
                        f"the gateway refuses the HTTPRoute {name_of(thing)}",
                        found=f"{kind}: {found.get('reason', '')}: {found.get('message', '')}",
                        expected="Accepted and ResolvedRefs", where=self.path(),
                        remedy="a share that leads nowhere is answered with 500: look at its backends",
                    )  # fmt: skip
        self._refused = None
        return self.split(thing)

    # Beside the split

    def rules(self, thing: Object) -> Sequence[dict[str, Any]]:
        """Without what stands there for as long as a deployment is under way."""
        kept = [rule for rule in super().rules(thing) if not self._for_testers(rule, thing)]
        return [self._without_mirror(rule) for rule in kept]

    def body(self, thing: Object, split: Split) -> Object:
        return self._beside(thing, split, self._new())

    def mark(self, value: Json) -> None:
        """What stands beside the split comes after the mark and goes before it: no crash leaves it behind."""
        if value is not None:
            super().mark(value)
        if self._wanted or TESTERS in annotations_of(self.object()):
            thing = self.object()
            split = self.split(thing)
            body = self._beside(thing, split, self._new() if value is not None else None)
            if body["spec"][self.field] != super().rules(thing):
                force = self.taken in annotations_of(thing).get(ADOPTED, "")
                self.keep(self.cluster.api.apply(self.path(), body, force=force))
        if value is None:
            super().mark(value)

    @property
    def _wanted(self) -> bool:
        traffic = self.cluster.options.traffic
        return bool(traffic.testers or traffic.mirror)

    def _new(self) -> Slot | None:
        """The slot of the release that is under way; None where none is."""
        mark = self.marked() or {}
        split: Mapping[str, float] = mark.get("split") or {}
        return Slot(max(split, key=lambda slot: split[slot])).other if any(split.values()) else None

    def _beside(self, thing: Object, split: Split, slot: Slot | None) -> Object:
        plain = super().body(thing, split)
        traffic = self.cluster.options.traffic
        rules: list[dict[str, Any]] = plain["spec"][self.field]
        made = dict(plain["metadata"])
        if slot is not None and traffic.mirror and split.get(slot, 0.0) < 100:
            rules = [self._mirrored(rule, slot, traffic.mirror) for rule in rules]
        if slot is not None and traffic.testers:
            first = [self._testing(rule, slot) for rule in rules if self._split_there(rule)]
            rules = [*first, *rules]
            made["annotations"] = {TESTERS: traffic.testers}
            if len(rules) > MOST:
                raise ConfigError(
                    f"the HTTPRoute {self._name()} has no room for testers", found=f"{len(rules)} rules",
                    expected=f"{MOST} at the most, of which testers take one for each that splits",
                    where="traffic.testers", remedy="take it out, or give uno a route of its own",
                )  # fmt: skip
        return {**plain, "metadata": made, "spec": {self.field: rules}}

    def _split_there(self, rule: Object) -> bool:
        return any(self._is_ours(ref) for ref in self.refs(rule))

    def _testing(self, rule: dict[str, Any], slot: Slot) -> dict[str, Any]:
        """The same rule, for requests with the header, and to one slot."""
        name, value = header(self.cluster.options.traffic.testers)
        like = next(ref for ref in self.refs(rule) if self._is_ours(ref))
        before: Sequence[dict[str, Any]] = rule.get("matches") or ({},)
        matches = [
            {**match, "headers": [*(match.get("headers") or ()), {"name": name, "value": value}]}
            for match in before
        ]
        kept = {k: v for k, v in self._without_mirror(rule).items() if k != "name"}
        ref = {**self.named(like, self.slots.service_of(slot)), "weight": 1}
        return {**kept, "matches": matches, "backendRefs": [ref]}

    def _for_testers(self, rule: Object, thing: Object) -> bool:
        """Whether uno put it there: one slot's own Service, and nothing but requests with the header."""
        written = annotations_of(thing).get(TESTERS)
        refs = self.refs(rule)
        if not written or len(refs) != 1 or self._slot(refs[0]) is None:
            return False
        name, value = header(written)
        matches = rule.get("matches") or ()
        named = [
            any(
                (row["name"].lower(), row["value"]) == (name.lower(), value) for row in m.get("headers") or ()
            )
            for m in matches
        ]
        return bool(named) and all(named)

    def _mirrored(self, rule: dict[str, Any], slot: Slot, percent: float) -> dict[str, Any]:
        if not self._split_there(rule):
            return rule
        like = next(ref for ref in self.refs(rule) if self._is_ours(ref))
        mirror: dict[str, Any] = {"backendRef": self.named(like, self.slots.service_of(slot))}
        if percent < 100:
            mirror["percent"] = round(percent)
        filters = [*(rule.get("filters") or ()), {"type": "RequestMirror", "requestMirror": mirror}]
        return {**rule, "filters": filters}

    def _without_mirror(self, rule: dict[str, Any]) -> dict[str, Any]:
        filters = rule.get("filters") or ()
        kept = [
            one
            for one in filters
            if one.get("type") != "RequestMirror" or self._slot(one["requestMirror"]["backendRef"]) is None
        ]
        if len(kept) == len(filters):
            return rule
        return {**{k: v for k, v in rule.items() if k != "filters"}, **({"filters": kept} if kept else {})}

    def remarks(self, size: int) -> Iterator[str]:
        yield from super().remarks(size)
        traffic = self.cluster.options.traffic
        if traffic.testers:
            yield f"requests with the header {traffic.testers} get the new release from the beginning"
        if traffic.mirror:
            yield (
                f"{traffic.mirror:g} % of the requests are sent to the new release once more: what they"
                " change is changed twice, and its metrics count them"
            )
