"""Small doubles that do what the contracts ask, built so that each can be made wrong in one place."""

from datetime import UTC, datetime, timedelta
from math import inf

from attrs import define, evolve, field

from uno_core import (
    Capabilities,
    ConfigError,
    Counters,
    Drift,
    Figures,
    Finding,
    Instance,
    NoData,
    Platform,
    Probe,
    RouterState,
    Slot,
    SlotState,
    UnoError,
    Unsupported,
    Verdict,
    WorkloadState,
)
from uno_core.wire import counts_from_json, counts_to_json

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


class VirtualClock:
    def __init__(self):
        self.time = 1000.0

    def now(self):
        return EPOCH + timedelta(seconds=self.time)

    def monotonic(self):
        return self.time

    def sleep(self, seconds, wake=None):
        self.time += seconds


@define
class Row:
    id: str
    release: object
    born: float
    spoiled: bool = False


@define
class Memory:
    rows: dict = field(factory=lambda: {slot: [] for slot in Slot})
    wanted: dict = field(factory=lambda: {slot: {} for slot in Slot})


class MemoryWorkload:
    versions = ("1.0.0", "2.0.0", "broken")
    startup = 0.3

    def __init__(self, clock):
        self.clock = clock
        self.memory = Memory()
        self.number = 0
        self.retiring = {}

    def resolve(self, release):
        if release.version not in self.versions:
            raise ConfigError(f"there is no {release}")
        return type(release)(release.version, f"sha256:{release.version}", "c0ffee")

    def converge(self, slot, counts):
        self.retiring.pop(slot, None)
        self.memory.wanted[slot] = {r: n for r, n in counts.items() if n}
        rows = []
        for release, count in self.memory.wanted[slot].items():
            rows += self.pick([r for r in self.memory.rows[slot] if r.release == release], count)
            while sum(r.release == release for r in rows) < count:
                rows.append(self.start(release))
        self.memory.rows[slot] = rows

    def pick(self, rows, count):
        return sorted(rows, key=lambda row: not self.ready(row))[:count]

    def start(self, release):
        self.number += 1
        return Row(f"i-{self.number}", release, self.clock.monotonic())

    def ready(self, row):
        return not self.reason(row)

    def reason(self, row):
        if row.release.version not in self.versions:
            return "there is no such version"
        if row.release.version == "broken":
            return "exits with 1"
        if row.spoiled:
            return "answers 503"
        return "starting" if self.clock.monotonic() < row.born + self.startup else ""

    def observe(self):
        for slot, at in list(self.retiring.items()):
            if self.clock.monotonic() >= at:
                self.converge(slot, {})
        slots = {}
        for slot in Slot:
            seen = [
                Instance(id=r.id, release=r.release, ready=self.ready(r), reason=self.reason(r))
                for r in self.memory.rows[slot]
            ]
            slots[slot] = SlotState(wanted=dict(self.memory.wanted[slot]), instances=tuple(seen))
        return WorkloadState(slots=slots, size=2, captured=self.capture())

    def capture(self):
        return {slot.value: counts_to_json(self.memory.wanted[slot]) for slot in Slot}

    def restore(self, captured, slot):
        self.converge(slot, counts_from_json(captured[slot.value]))

    def retire(self, slot, after):
        self.retiring[slot] = self.clock.monotonic() + after

    def hold(self, slot, count):
        for release, wanted in self.memory.wanted[slot].items():
            if wanted < count:
                self.converge(slot, {release: count})

    def let_go(self, slot):
        pass

    def spoil(self, instance):
        for rows in self.memory.rows.values():
            for row in rows:
                row.spoiled = row.spoiled or row.id == instance.id


class SteppingWorkload(MemoryWorkload):
    """Starts nothing but by a step."""

    def start(self, release):
        return evolve(super().start(release), born=inf)

    def step(self, slot):
        for row in self.memory.rows[slot]:
            row.born = min(row.born, self.clock.monotonic())


class MemoryRouter:
    lag = 1.0
    granularity = 1.0

    def __init__(self, clock):
        self.clock = clock
        self.version = 0
        self.split = {}
        self.before = {}
        self.since = 0.0
        self.kept = {"mark": None}

    def write(self, split, expect):
        if expect is not None and expect != self.version:
            raise Drift("somebody else wrote")
        rest = split.get(Slot.GREEN, 0.0) % self.granularity
        if min(rest, self.granularity - rest) > 1e-6:
            raise Unsupported("too fine")
        self.put(split)

    def put(self, split):
        if dict(split) == self.split:
            return
        self.before, self.split = self.in_force(), dict(split)
        self.since = self.clock.monotonic()
        self.version += 1

    def unfit(self, slot):
        return "" if self.workload.observe().slots[slot].ready() else "nobody is there"

    def observe(self):
        captured = {slot.value: percent for slot, percent in self.split.items()}
        return RouterState(
            split=dict(self.split), token=self.version, captured=captured, mark=self.kept["mark"]
        )

    def mark(self, value):
        self.kept["mark"] = value

    def in_force(self):
        return dict(self.split if self.clock.monotonic() >= self.since + self.lag else self.before)

    def restore(self, captured):
        self.put({Slot(slot): percent for slot, percent in captured.items()})


class MemoryPlatform(Platform):
    declared = Capabilities(
        mixed=True,
        granularity=1.0,
        unroute=True,
        marks=True,
        retires=True,
        cas=True,
        elastic=True,
        bound=2.0,
        vouches=True,
    )
    workload_class = MemoryWorkload
    router_class = MemoryRouter

    def __init__(self, services):
        super().__init__({}, services)
        self.workload = self.workload_class(services.clock)
        self.router = self.router_class(services.clock)
        self.router.workload = self.workload


class SteppingPlatform(MemoryPlatform):
    declared = evolve(MemoryPlatform.declared, steps=True)
    workload_class = SteppingWorkload


class MemoryCheck:
    per_instance = True

    def check(self, target, timeout):
        healthy = target.host == "up"
        return Probe(
            target=str(target), healthy=healthy, answer=f"{target.host}: {'fine' if healthy else 'no'}"
        )


class MemoryCounters:
    """Counts as they stand now. ailment: how the source answers badly, if it does."""

    def __init__(self, ailment=""):
        self.requests = 100.0
        self.started = 1
        self.ailment = ailment

    def figures(self):
        return Figures(
            requests=self.requests, errors=1.0, latency={0.1: self.requests - 5, float("inf"): 5.0}
        )

    def at(self):
        return datetime.now(UTC)

    def series(self):
        return f"start-{self.started}"

    def nobody(self):
        return NoData("nobody of that name")

    def ailing(self):
        if self.ailment in ("refused", "error", "slow"):
            raise UnoError("the source does not answer", found=self.ailment)
        return NoData(f"the source answers nothing of use: {self.ailment}")

    def sample(self, query):
        if self.ailment:
            return self.ailing()
        if query.application != "shop":
            return self.nobody()
        return Counters(at=self.at(), series=self.series(), figures=self.figures())

    def window(self, query, start, end):
        raise Unsupported("no history is kept")


class MemoryHistory(MemoryCounters):
    """The same, for a provider that keeps history."""

    def sample(self, query):
        raise Unsupported("there is a history")

    def window(self, query, start, end):
        if self.ailment:
            return self.ailing()
        return self.figures() if query.application == "shop" else self.nobody()


class MemoryJudge:
    """The mean of a value, the share of errors, and a latency that no request may exceed."""

    def judge(self, windows, bounds):
        return [self.finding(metric, windows, bounds[metric]) for metric in bounds]

    def finding(self, metric, windows, bound):
        value = self.measure(metric, windows)
        if value is None or value != value:  # noqa: PLR0124 - not a number
            return Finding(verdict=self.silent(), metric=metric, reason=f"nothing is known of {metric}")
        within = bound.max is None or value <= bound.max
        return Finding(
            verdict=Verdict.PASS if within else Verdict.FAIL,
            metric=metric,
            reason=f"{metric} is {value:g}, at most {bound.max} is allowed",
            numbers={"value": value},
        )

    def silent(self):
        return Verdict.INCONCLUSIVE

    def measure(self, metric, windows):
        figures = [w.candidate for w in windows]
        requests = sum(f.requests for f in figures)
        if metric == "error_rate":
            return sum(f.errors for f in figures) / requests if requests else None
        if metric == "latency_p95":
            return max((edge for f in figures for edge in f.latency), default=None)
        values = [f.values[metric] for f in figures if metric in f.values]
        return sum(values) / len(values) if values else None
