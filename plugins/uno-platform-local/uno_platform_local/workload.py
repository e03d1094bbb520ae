"""The half that runs releases: what is wanted is written down, what runs is read from the agent's report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve

from uno_core import (
    ConfigError,
    Counts,
    Instance,
    Json,
    PlatformError,
    Release,
    Services,
    Slot,
    SlotState,
    WorkloadState,
)
from uno_platform_local.daemon import running
from uno_platform_local.files import locked, read_json
from uno_platform_local.layout import Layout
from uno_platform_local.options import LocalOptions
from uno_platform_local.specification import Specification, keep, kept, specify
from uno_platform_local.wish import (
    SlotWish,
    counts_from_json,
    counts_to_json,
    read_wish,
    release_from_json,
    write_wish,
)

STALE = 5.0
"""Seconds without a report after which no readiness is believed."""


class LocalWorkload:
    """Writes `desired.json`, reads `status.json`. The agent does the rest."""

    def __init__(self, options: LocalOptions, services: Services) -> None:
        self.options = options
        self.services = services
        self.layout = Layout.of(options.root)

    def resolve(self, release: Release) -> Release:
        return self._specify(release).release

    def _specify(self, release: Release) -> Specification:
        made = specify(self.options, release)
        if made.readiness is None and not self.services.routed:
            return evolve(made, readiness="none")  # nobody connects to it
        return evolve(made, readiness=None) if made.readiness == "tcp" else made

    def recall(self, release: Release) -> None:
        """The specification is kept for good; what it names is the user's, and may be gone."""
        try:
            of_then = kept(self.layout, release)
        except PlatformError as problem:
            raise ConfigError(
                problem.message, expected=problem.expected, where="--to", remedy=problem.remedy
            ) from problem
        program = of_then.command[0]
        there = Path(of_then.directory)
        lost = [str(path) for path in (there, there / program) if not path.exists()]
        if lost:
            raise ConfigError(
                f"version {release.version} cannot be started again",
                found=f"{lost[0]} is gone",
                expected="what it was started from",
                where="--to",
                remedy="unpack the release there again, or name another version",
            )

    def converge(self, slot: Slot, counts: Counts) -> None:
        for release, count in counts.items():
            if count > 0:
                self._keep(release)
        self._ask(slot, counts)

    def _keep(self, release: Release) -> None:
        """Have the specification on disk before anything refers to it.

        A release of another configuration than the present one was deployed before, and is started
        as it was then.
        """
        self.layout.make()
        known = (self.layout.releases / f"{release.id}.json").exists()
        try:
            now = self._specify(release)
        except ConfigError:
            if known:
                return
            raise
        if not release.config or release.config == now.release.config:
            keep(self.layout, now, release)
        else:
            kept(self.layout, release)

    def _ask(self, slot: Slot, counts: Counts) -> None:
        self.layout.make()
        with locked(self.layout.lock):
            before = read_wish(self.layout)
            after = before.asking(slot, counts, self._observed(slot))
            if after != before:
                write_wish(self.layout, after)

    def _observed(self, slot: Slot) -> int:
        status = read_json(self.layout.status) or {}
        return int(status.get("generations", {}).get(slot.value, 0))

    def observe(self) -> WorkloadState:
        status: Mapping[str, Any] = read_json(self.layout.status) or {}
        wish = read_wish(self.layout)
        doubt = self._doubt(status)
        slots = {slot: self._slot(slot, wish.slot(slot), status, doubt) for slot in Slot}
        captured: Json = {slot.value: counts_to_json(wish.slot(slot).counts) for slot in Slot}
        return WorkloadState(slots=slots, size=self.options.instances, captured=captured)

    def _doubt(self, status: Mapping[str, Any]) -> str:
        """Why nothing in the report can be believed; empty where it can."""
        age = time.time() - status.get("at", 0.0)
        if status and age < STALE:
            return ""
        if not running(self.layout):
            return "the supervisor is not running: uno local up"
        return f"the agent has not reported for {age:.0f} s; see {self.layout.logs / 'agent.log'}"

    def _slot(self, slot: Slot, wish: SlotWish, status: Mapping[str, Any], doubt: str) -> SlotState:
        rows = status.get("slots", {}).get(slot.value, [])
        seen = status.get("generations", {}).get(slot.value, 0) >= wish.generation
        problem = status.get("problems", {}).get(slot.value, "")
        believed: Counter[Release] = Counter(wish.counts if seen else wish.floor)
        instances = []
        for row in sorted(rows, key=lambda row: not row["ready"]):
            release = release_from_json(row["release"])
            reason = doubt or row["reason"]
            if not reason and not seen and believed[release] <= 0:
                reason = "the agent has not seen the last request yet"
            believed[release] -= 1
            instances.append(
                Instance(
                    id=row["id"],
                    release=release,
                    ready=row["ready"] and not reason,
                    reason=reason,
                    given_up=row.get("given_up", False),
                    host=row["host"],
                    port=row["port"],
                    restarts=row.get("restarts", 0),
                )
            )
        running_now = Counter(i.release for i in instances)
        lacking = [release for release, n in wish.counts.items() if running_now[release] < n]
        if problem and lacking:
            none = f"{slot.value}-none"
            instances.append(Instance(id=none, release=lacking[0], ready=False, reason=problem))
        return SlotState(wanted=wish.counts, instances=tuple(sorted(instances, key=lambda i: i.port)))

    def restore(self, captured: Json, slot: Slot) -> None:
        if not isinstance(captured, dict) or slot.value not in captured:
            raise PlatformError(
                "that was not captured by this platform",
                found=str(captured)[:200],
                expected=f"what observe() captured, with the key {slot.value}",
            )
        counts = counts_from_json(captured[slot.value])
        for release in counts:
            kept(self.layout, release)
        self._ask(slot, counts)

    def retire(self, slot: Slot, after: float) -> None:
        self.layout.make()
        with locked(self.layout.lock):
            wish = read_wish(self.layout)
            write_wish(self.layout, wish.retiring(slot, time.time() + after))
