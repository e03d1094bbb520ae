"""What is configured, probed part by part: does it load, does it answer, is anything left undone?

The order is that of a deployment. What needs a part that is broken is not asked: one cause is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from attrs import define, field

from uno_core.config import sections
from uno_core.config.document import Choice as Section
from uno_core.contracts.diagnosis import Condition, Diagnosing, Diagnosis
from uno_core.contracts.metrics import Counters, Figures, NoData, Query
from uno_core.contracts.platform import Companions
from uno_core.diagnosis import standing
from uno_core.diagnosis.commands import commands
from uno_core.diagnosis.probing import LIMIT, Found, probe
from uno_core.diagnosis.secrets import secrets
from uno_core.effects.watching import probe as ask
from uno_core.model import Slot, Snapshot, Verdict
from uno_core.session import Session
from uno_core.targeting import thresholds, urls

RECENT = timedelta(minutes=1)
"""The window in which a metric provider with a memory is asked."""


def examine(session: Session) -> Iterator[Found]:
    """Everything that is configured, as it is found. Writes nothing; each probe ends within 5 s."""
    try:
        yield from _Examination(session).all()
    finally:
        # What hung before may hang again; nobody waits for it then.
        probe("close", partial(_close, session), session.clock)


@define(slots=False)
class _Examination:
    session: Session
    _snapshot: Snapshot | None = field(init=False, default=None)
    _options: Any = field(init=False, default=None)

    def all(self) -> Iterator[Found]:
        """Probe after probe; of those that need another one's answer only where there is one."""
        session = self.session
        platform = yield from self._probe("platform", self._platform)
        yield from self._probe("strategy", self._strategy)
        yield from self._probe("secrets", partial(secrets, session))
        yield from self._probe("hooks", partial(commands, session))
        for section in session.config.notify:
            yield from self._probe(f"notifier {section.name}", partial(self._notifier, section))
        store = yield from self._probe("state", self._store)
        if store:
            yield from self._probe("deployments", partial(standing.records, session))
        if platform:
            if (yield from self._probe("serving", self._serving)):
                yield from self._evidence()
            yield from self._companions()

    def _probe(self, about: str, look: Callable[[], Iterable[Diagnosis]]) -> Generator[Found, None, bool]:
        """What a probe finds; returns whether nothing of it is broken."""
        found = probe(about, look, self.session.clock)
        yield from found
        return all(one.condition is not Condition.ERROR for one in found)

    # The parts

    def _platform(self) -> Iterator[Diagnosis]:
        session = self.session
        info, own = session.platform_info, session.platform
        yield Diagnosis.ok("platform", f"{info.name}, of {session.registry.provider(info)}")
        well = True
        for one in own.diagnose():
            yield one
            well = well and one.condition is not Condition.ERROR
        # The world may not come to be for the very reason that was told by now.
        if well or session.config.router is not None:
            for platform in session.world.platforms:
                yield from platform.diagnose() if platform is not own else ()

    def _strategy(self) -> Iterator[Diagnosis]:
        session = self.session
        choice = session.choose()
        self._options = sections.strategy_options(session.config, choice.info, session.registry)
        session.registry.strategy(choice.info, self._options, session.logger)
        yield Diagnosis.ok("strategy", f"{choice.info.name}, {choice.why}")
        if not any(thresholds(self._options)) and not session.gathering.compares:
            yield Diagnosis.warning(
                "metrics",
                "no metric is looked at: waits are timed, and only health is watched",
                f"set bounds: strategies: {{{choice.info.name}: {{metrics_threshold: {{error_rate: 1%}}}}}}",
            )

    def _notifier(self, section: Section) -> Iterator[Diagnosis]:
        yield from _own(self.session.notifier(section))
        yield Diagnosis.ok(f"notifier {section.name}", "is configured as it has to be")

    def _store(self) -> Iterator[Diagnosis]:
        session = self.session
        store = session.store
        yield from _own(store)
        if store.exists():
            session.history(limit=1)
            yield Diagnosis.ok("state", f"{session.store_info.name} answers")
        else:
            yield Diagnosis.ok("state", "nothing was kept there yet")

    def _serving(self) -> Iterator[Diagnosis]:
        self._snapshot = self.session.world.observe()
        driven = self.session.driven() if self.session.store.exists() else False
        yield from standing.serving(self._snapshot, driven=driven)

    def _companions(self) -> Iterator[Found]:
        names = self.session.config.settings.companions
        companions = self.session.platform.companions
        if not names:
            return
        if companions is None:
            remedy = "take `companions` out, or deploy them by themselves"
            yield Found(Diagnosis.error("companions", "the platform has none", remedy))
            return
        for name in names:
            yield from self._probe(f"companion {name}", partial(self._companion, companions, name))
        yield from self._probe("companions", partial(_own, companions))

    @staticmethod
    def _companion(companions: Companions, name: str) -> Iterator[Diagnosis]:
        state = companions.observe(name)
        if state.ready:
            yield Diagnosis.ok(f"companion {name}", f"runs {state.release or 'nothing'}")
        else:
            yield Diagnosis.warning(
                f"companion {name}", state.reason or "is not ready", f"see why {name} is not ready"
            )

    # The evidence

    def _evidence(self) -> Iterator[Found]:
        live = self._snapshot.live if self._snapshot else None
        if self._snapshot is None or live is None:
            return
        version = next((release.version for release in self._snapshot.slot(live).releases), "")
        for url in (None, *(urls(self._options) if self._options else ())):
            yield from self._probe("health", partial(self._health, live, url))
        yield from self._probe("metrics", partial(self._metrics, live, version))

    def _health(self, live: Slot, url: str | None) -> Iterator[Diagnosis]:
        session = self.session
        check = session.check(url)
        if check is None:
            if self._options is None or not list(urls(self._options)):
                yield Diagnosis.warning(
                    "health",
                    "no check is configured: an instance counts as healthy when it is ready",
                    'health: {name: http, url: "http://{host}:{port}/health"}',
                )
            return
        yield from _own(check)
        report = ask(session.world, check, live, min(session.config.settings.health_timeout, LIMIT * 0.8))
        if report.verdict is Verdict.PASS:
            yield Diagnosis.ok("health", f"{len(report.probes)} of {live} answer, and are well")
        else:
            yield Diagnosis.error(
                "health",
                f"{live}, which serves: {report.reason}",
                "if clients are served well, the check is wrong; otherwise `uno rollback`, or deploy anew",
            )

    def _metrics(self, live: Slot, version: str) -> Iterator[Diagnosis]:
        session, gathering = self.session, self.session.gathering
        wanted = {name: one for bounds in thresholds(self._options or {}) for name, one in bounds.items()}
        measured = {name: gathering.measures(name, one) for name, one in wanted.items()}
        now = session.clock.now()
        for provided in gathering.providers:
            yield from _own(provided.provider)
            names = tuple(name for name, by in measured.items() if by is provided)
            query = Query(
                application=session.config.application.name,
                environment=session.config.application.environment,
                slot=live,
                version=version,
                metrics=names,
            )
            answer: Figures | Counters | NoData
            if provided.info.history:
                end = now - timedelta(seconds=provided.reads.lag)
                answer = provided.provider.window(query, end - RECENT, end)
            else:
                answer = provided.provider.sample(query)
            yield _told(provided.info.name, names, answer)


def _told(provider: str, names: tuple[str, ...], answer: Figures | Counters | NoData) -> Diagnosis:
    if isinstance(answer, NoData):
        return Diagnosis.warning(
            "metrics",
            f"{provider} answers, and has nothing: {answer.reason}",
            "without evidence nothing is promoted: see that requests come, and that they are counted",
        )
    figures = answer.figures if isinstance(answer, Counters) else answer
    missing = [name for name in names if not _gives(figures, name)]
    if missing and not figures.requests:
        return Diagnosis.warning(
            "metrics",
            f"{provider} counted no request of the release that serves",
            "without requests there is no evidence, and a canary waits for it",
        )
    if missing:
        return Diagnosis.error(
            "metrics",
            f"{provider} does not give {', '.join(missing)}",
            "correct metrics_threshold, or have the provider measure it",
        )
    # Who counts nothing has not counted zero.
    counted = [f"{figures.requests:g} requests"] if figures.requests or not figures.values else []
    told = ", ".join([*counted, *(names or ["no bounds are set"])])
    return Diagnosis.ok("metrics", f"{provider} answers: {told}")


def _gives(figures: Figures, name: str) -> bool:
    if name in ("requests", "error_rate"):
        return figures.requests > 0 or name == "requests"
    return name in figures.values or (name.startswith("latency_p") and any(figures.latency.values()))


def _close(session: Session) -> Iterable[Diagnosis]:
    session.close()
    return ()


def _own(part: object) -> Iterable[Diagnosis]:
    """What a part says of itself, where it can."""
    return part.diagnose() if isinstance(part, Diagnosing) else ()
