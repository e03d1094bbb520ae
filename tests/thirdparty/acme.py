"""A package of somebody else's with a plugin of every kind. Built into a wheel by the tests.

Its platform keeps everything in one JSON file: instances are lines in it, and ready at once.
"""

import json
from pathlib import Path

from attrs import frozen

from uno_core import (
    Capabilities,
    Counters,
    DeploymentResult,
    DeploymentStrategy,
    Drift,
    Figures,
    Finding,
    HealthCheckInfo,
    Instance,
    JudgeInfo,
    MetricProviderInfo,
    Platform,
    PlatformInfo,
    Probe,
    Release,
    RouterState,
    Slot,
    SlotState,
    StrategyInfo,
    Unsupported,
    Verdict,
    WorkloadState,
    hookimpl,
    option,
    share,
    whole,
)


@frozen(kw_only=True)
class PaperOptions:
    file: str = option(help="the file that holds the world")
    size: int = option(default=2, ge=1, help="instances when one slot carries everything")


class Paper(Platform):
    def __init__(self, options, services):
        super().__init__(options, services)
        self.workload = self.router = self
        self._file = Path(options.file)

    def _read(self):
        empty = {"split": {}, "version": 0, "slots": {slot.value: [] for slot in Slot}}
        return json.loads(self._file.read_text()) if self._file.exists() else empty

    def resolve(self, release):
        return Release(release.version, "paper", "1")

    def converge(self, slot, counts):
        world = self._read()
        world["slots"][slot.value] = [[r.version, n] for r, n in counts.items() if n]
        self._file.write_text(json.dumps(world))

    def write(self, split, expect):
        world = self._read()
        if expect is not None and expect != world["version"]:
            raise Drift("the paper was changed", found=str(world["version"]), expected=str(expect))
        world["split"] = {slot.value: percent for slot, percent in split.items()}
        world["version"] += 1
        self._file.write_text(json.dumps(world))

    def in_force(self):
        return {Slot(slot): percent for slot, percent in self._read()["split"].items()}

    def restore(self, captured, slot=None):
        raise Unsupported("nobody asks for it here")


class PaperPlatform(Paper):
    def __init__(self, options, services):
        super().__init__(options, services)
        self.workload, self.router = _Instances(options, services), _Split(options, services)


class _Instances(Paper):
    def observe(self):
        slots = {}
        for slot, rows in self._read()["slots"].items():
            wanted = {self.resolve(Release(version)): n for version, n in rows}
            instances = [
                Instance(id=f"{slot}-{r.version}-{i}", release=r, ready=True)
                for r, n in wanted.items()
                for i in range(n)
            ]
            slots[Slot(slot)] = SlotState(wanted=wanted, instances=instances)
        return WorkloadState(slots=slots, size=self.options.size)


class _Split(Paper):
    def observe(self):
        return RouterState(split=self.in_force(), token=self._read()["version"])


class Ink:
    per_instance = True

    def __init__(self, options, services):
        self.options = options

    def check(self, target, timeout):
        return Probe(target=str(target), healthy=True, answer=self.options.get("word", "wet"))


class Tally:
    requests = 0

    def __init__(self, options, services):
        self._clock = services.clock

    def sample(self, query):
        Tally.requests += 100
        return Counters(at=self._clock.now(), series="tally", figures=Figures(requests=Tally.requests))

    def window(self, query, start, end):
        raise Unsupported("only counters")


class Kind:
    def __init__(self, options, services):
        pass

    def judge(self, windows, bounds):
        return [Finding(verdict=Verdict.PASS, metric=m, reason=f"{m}: kindly judged") for m in bounds]


@frozen(kw_only=True)
class HalvesOptions:
    metrics_threshold: dict | None = option(default=None, help="not looked at here")
    pause: float = option(default=0.2, unit="s", ge=0, help="how long half of the traffic is watched")


class Halves(DeploymentStrategy):
    def __init__(self, name="halves", logger=None, **options):
        super().__init__(name, logger, **options)

    def deploy(self, context):
        slot, live = context.initial.idle, context.initial.live
        context.deploy(slot, context.release, context.initial.size)
        context.require_health(slot)
        if live:
            context.set_traffic(share(slot, 50))
            context.wait(context.options.pause, slot=slot)
        context.set_traffic(whole(slot))
        context.promoted()
        return DeploymentResult(True, "both halves")


@hookimpl
def uno_register_strategies():
    return [
        StrategyInfo(
            name="halves", summary="Half, then all", load=lambda: Halves, options=lambda: HalvesOptions
        )
    ]


@hookimpl
def uno_register_platforms():
    capabilities = Capabilities(mixed=True, granularity=50, unroute=True, cas=True, bound=0.1)
    return [
        PlatformInfo(
            name="paper",
            summary="A file",
            load=lambda: PaperPlatform,
            options=lambda: PaperOptions,
            capabilities=capabilities,
            state_dir=lambda options: Path(options.file).parent / "state",
        )
    ]


@hookimpl
def uno_register_health_checks():
    return [HealthCheckInfo(name="ink", summary="Wet or dry", load=lambda: Ink)]


@hookimpl
def uno_register_metric_providers():
    return [MetricProviderInfo(name="tally", summary="Counts", load=lambda: Tally)]


@hookimpl
def uno_register_judges():
    return [JudgeInfo(name="kind", summary="Passes all", load=lambda: Kind)]
