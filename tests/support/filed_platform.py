"""A platform whose world is one JSON file, so that several processes of uno see the same.

With a strategy, and a state store whose leases expire.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from uno_core import (
    Capabilities,
    ConfigError,
    Context,
    DeploymentResult,
    DeploymentStrategy,
    Drift,
    Driver,
    Forbidden,
    Guide,
    Instance,
    Lease,
    Locked,
    LockLost,
    Logger,
    OnTimeout,
    Platform,
    PlatformError,
    PlatformInfo,
    Release,
    RouterState,
    Services,
    Slot,
    SlotState,
    StateStoreInfo,
    StrategyInfo,
    WorkloadState,
    hookimpl,
    option,
    share,
    whole,
)
from uno_core.builtin import FileOptions
from uno_core.journal.lock import describe
from uno_core.journal.sqlite import FileStore
from uno_core.wire import counts_from_json, counts_to_json, from_json

NOTHING: Mapping[str, Any] = {"slots": {}, "split": {}, "version": 0, "fault": ""}


class World:
    """The file. `fault` is set by a test: `blind` (nothing can be read), `forbidden` (nor written)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Any]:
        return json.loads(self.path.read_text()) if self.path.exists() else dict(NOTHING)

    @contextmanager
    def change(self) -> Iterator[dict[str, Any]]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            world = self.read()
            yield world
            fresh = self.path.with_suffix(".new")
            fresh.write_text(json.dumps(world))
            fresh.rename(self.path)

    def live(self, version: str, size: int = 2, config: str = "0") -> None:
        """Put a version live in blue, as if it had always been there."""
        release = Release(version, f"artifact:{version}", config)
        row = {"counts": counts_to_json({release: size}), "ready_at": 0.0}
        with self.change() as world:
            world["slots"]["blue"] = row
            world["split"] = {"blue": 100.0, "green": 0.0}

    def split(self) -> Mapping[str, float]:
        found: Mapping[str, float] = self.read()["split"]
        return found

    def versions(self, slot: str) -> list[str]:
        rows = self.read()["slots"].get(slot, {"counts": []})["counts"]
        return [row["version"] for row in rows for _ in range(row["count"])]

    def fault(self, name: str) -> None:
        with self.change() as world:
            world["fault"] = name


@frozen(kw_only=True)
class FiledOptions:
    root: Path = option(help="where the file is")
    size: int = option(default=2, ge=1, help="instances when one slot carries everything")
    start: float = option(default=0.0, ge=0, unit="s", help="from the request until an instance is ready")
    broken: tuple[str, ...] = option(default=(), help="versions that never get ready")
    foreign: tuple[str, ...] = option(default=(), help="files of somebody else's, to be taken over")


class Workload:
    def __init__(self, options: FiledOptions) -> None:
        self.options = options
        self.world = World(options.root / "world.json")

    def resolve(self, release: Release) -> Release:
        return Release(release.version, release.artifact or f"artifact:{release.version}", "0")

    def converge(self, slot: Slot, counts: Mapping[Release, int]) -> None:
        with self.world.change() as world:
            if world["fault"] == "forbidden":
                raise Forbidden("the file may not be written", remedy="ask the test")
            ready_at = time.time() + self.options.start
            world["slots"][slot.value] = {"counts": counts_to_json(counts), "ready_at": ready_at}

    def observe(self) -> WorkloadState:
        world = self.world.read()
        if world["fault"] == "blind":
            raise PlatformError("the file cannot be read", where=str(self.world.path), remedy="ask the test")
        slots = {}
        for slot in Slot:
            row = world["slots"].get(slot.value)
            if row is None:
                continue
            counts = {release: n for release, n in counts_from_json(row["counts"]).items() if n}
            late = time.time() < row["ready_at"]
            instances = [
                Instance(
                    id=f"{slot}-{release}-{n}",
                    release=release,
                    ready=not late and release.version not in self.options.broken,
                    reason="starting"
                    if late
                    else ("broken" if release.version in self.options.broken else ""),
                )
                for release, count in counts.items()
                for n in range(count)
            ]
            slots[slot] = SlotState(wanted=counts, instances=instances)
        return WorkloadState(slots=slots, size=self.options.size, captured=world["slots"])

    def restore(self, captured: Any, slot: Slot) -> None:
        row = captured.get(slot.value, {"counts": []})
        self.converge(slot, counts_from_json(row["counts"]))


class Router:
    def __init__(self, world: World) -> None:
        self.world = world

    def write(self, split: Mapping[Slot, float], expect: Any) -> None:
        with self.world.change() as world:
            if world["fault"] == "forbidden":
                raise Forbidden("the file may not be written", remedy="ask the test")
            if expect is not None and expect != world["version"]:
                raise Drift("the split has changed", found=str(world["version"]), expected=str(expect))
            world["split"] = {slot.value: percent for slot, percent in split.items()}
            world["version"] += 1

    def observe(self) -> RouterState:
        world = self.world.read()
        split = {Slot(slot): percent for slot, percent in world["split"].items()}
        return RouterState(split=split, token=world["version"], captured=world["split"])

    def in_force(self) -> Mapping[Slot, float]:
        return self.observe().split

    def restore(self, captured: Any) -> None:
        self.write({Slot(slot): percent for slot, percent in captured.items()}, None)


class Filed(Platform[FiledOptions]):
    def __init__(self, options: FiledOptions, services: Services) -> None:
        super().__init__(options, services)
        self.workload = Workload(options)
        self.router = Router(self.workload.world)

    def remarks(self) -> list[str]:
        return [f"it takes over {name}" for name in self._left()]

    def adopt(self) -> list[str]:
        left = self._left()
        if "guarded" in left:
            raise ConfigError("guarded is kept by somebody", remedy="ask them")
        for name in left:
            (self.options.root / f"{name}.taken").touch()
        return [f"took over {name}" for name in left]

    def _left(self) -> list[str]:
        return [n for n in self.options.foreign if not (self.options.root / f"{n}.taken").exists()]

    def wait_for_change(self, timeout: float) -> None:
        self.services.clock.sleep(min(timeout, 0.05))


@frozen(kw_only=True)
class SwapOptions:
    hold: float = option(default=0.0, ge=0, unit="s", help="how long the share is watched")
    gate: bool = option(default=False, help="whether a person has to promote")
    gates: int = option(default=0, ge=0, help="how many times more a person has to promote")
    share: float = option(default=50.0, gt=0, le=100, unit="%", help="the first share")
    idle: bool = option(default=False, help="do nothing, and report success")
    bug: bool = option(default=False, help="raise an error of its own, once something was started")
    ready_timeout: float = option(default=600.0, gt=0, unit="s", help="how long instances may take")


class Swap(DeploymentStrategy[SwapOptions]):
    """A share, a wait, a gate, the whole."""

    def __init__(self, name: str = "swap", logger: Logger | None = None, **options: Any) -> None:
        super().__init__(name, logger, **options)

    def deploy(self, context: Context[SwapOptions]) -> DeploymentResult:
        options, slot = context.options, context.initial.idle
        if options.idle:
            return DeploymentResult(True, "Deployment succeeded")
        with context.step("start the new release"):
            context.converge(slot, {context.release: context.initial.size}, deadline=options.ready_timeout)
        if options.bug:
            raise ValueError("mine")
        if context.initial.live is not None and options.share < 100:
            with context.step("a share of the traffic"):
                context.set_traffic(share(slot, options.share))
                if options.hold:
                    context.wait(options.hold, slot=slot)
        if options.gate:
            context.pause("look at it first", timeout=3600, on_timeout=OnTimeout.ROLLBACK)
        for number in range(options.gates):
            context.pause(f"gate {number + 1}", timeout=3600, on_timeout=OnTimeout.ROLLBACK)
        with context.step("all of the traffic"):
            context.set_traffic(whole(slot))
        context.promoted()
        return DeploymentResult(True, f"{context.release} serves")


class Leased(FileStore):
    """Leases that expire, as those of a server: their ends stand in a file of their own."""

    def _ends(self) -> World:
        assert self.path is not None
        return World(self.path.with_name("leases.json"))

    def _end(self, key: str, seconds: float) -> datetime:
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        with self._ends().change() as leases:
            leases[key] = end.isoformat()
        return end

    def _take(self, key: str, owner: Driver, *, take_over: bool) -> None:
        held = self.holder(key)
        if held is not None and not take_over:
            raise Locked("another uno holds the lease of this application", found=describe(held.owner))

    def acquire(self, key: str, owner: Driver, *, ttl: float, take_over: bool = False) -> Lease:
        lease = super().acquire(key, owner, ttl=ttl, take_over=take_over)
        return evolve(lease, expires=self._end(key, ttl))

    def renew(self, lease: Lease, *, ttl: float) -> Lease:
        self._check(lease)
        if self.holder(lease.key) is None:
            raise LockLost("the lease has expired", expected=f"epoch {lease.epoch}")
        return evolve(lease, expires=self._end(lease.key, ttl))

    def release(self, lease: Lease) -> None:
        held = self.holder(lease.key)
        if held is not None and held.epoch == lease.epoch:
            self._end(lease.key, 0)

    def holder(self, key: str) -> Lease | None:
        end = self._ends().read().get(key)
        if end is None or datetime.fromisoformat(end) <= datetime.now(UTC):
            return None
        row = self._database.select("select * from lease where key = ?", key)[0]
        return Lease(
            key=key,
            owner=from_json(json.loads(row["owner"]), Driver),
            epoch=row["epoch"],
            since=datetime.fromisoformat(row["since"]),
            expires=datetime.fromisoformat(end),
        )


GUIDE = Guide(
    best_for="tests",
    resources="few",
    complexity="low",
    rollback_speed="immediate",
    environments="every one",
)


@hookimpl
def uno_register_platforms() -> list[PlatformInfo]:
    return [
        PlatformInfo(
            name="filed",
            summary="a world in a file",
            load=lambda: Filed,
            options=lambda: FiledOptions,
            capabilities=Capabilities(granularity=0.01, unroute=True, cas=True, write_horizon=0.2, bound=1.0),
            state_dir=lambda options: options.root / "state",
        )
    ]


@hookimpl
def uno_register_state_stores() -> list[StateStoreInfo]:
    return [
        StateStoreInfo(
            name="leased",
            summary="files, with leases that expire",
            load=lambda: Leased,
            options=lambda: FileOptions,
        )
    ]


@hookimpl
def uno_register_strategies() -> list[StrategyInfo]:
    return [
        StrategyInfo(
            name="swap",
            summary="a share first, then the whole",
            load=lambda: Swap,
            options=lambda: SwapOptions,
            needs=frozenset({"weights"}),
            guide=GUIDE,
        )
    ]
