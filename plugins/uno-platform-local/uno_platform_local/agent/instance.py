"""One instance as the agent sees it while it runs."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from pathlib import Path

from attrs import define

from uno_platform_local import orphans, ports
from uno_platform_local.agent.endings import last_end
from uno_platform_local.agent.probes import HOST, foreign, probe
from uno_platform_local.daemon import tail
from uno_platform_local.proxy import Endpoint
from uno_platform_local.records import Record
from uno_platform_local.supervisor import Process

EAGER, SLOW, CALM = 0.05, 0.5, 2.0
"""Seconds between probes: at first, after five seconds without readiness, and once ready."""
TOLERATED = 3
"""Probes in a row that a ready instance may fail."""


@define(kw_only=True)
class Running:
    """The changing side of a record. Ready belongs to one process: another pid starts unready."""

    record: Record
    log: Path
    born: float
    """Since when it is under way: taken up, or told to go."""
    pid: int = 0
    started: float = 0.0
    since: float = 0.0
    ready: bool = False
    reason: str = "is being started"
    failures: int = 0
    restarts: int = 0
    """How often it ended by itself and was started again."""
    admitted: bool = False
    """Whether Envoy was seen to send it requests since it got ready; before that it is not called ready."""
    listed: bool = False
    """Whether Envoy has it, so that it must be drained before it is stopped."""
    confirmed: float | None = None
    """Since when Envoy is known to send it nothing new."""
    stopping: bool = False
    given_up: bool = False
    """Whether the supervisor gave up: it ended at once, again and again, and was never ready since."""
    retry_at: float = 0.0
    next_probe: float = 0.0
    pending: Future[str] | None = None
    told: tuple[str, int, int] | None = None
    """The end that `reason` tells of."""

    @property
    def draining(self) -> bool:
        return self.record.draining is not None

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(HOST, self.record.port, self.draining)

    def see(self, process: Process | None, now: float) -> None:
        """Take in what the supervisor tells; a process that is gone is unready at once."""
        if process is None or not process.alive:
            self.pid, self.ready, self.admitted, self.pending = 0, False, False, None
            key = (process.state, process.started, process.stopped) if process else None
            if process is not None and process.state == "FATAL":
                self.given_up = True
            if process is not None and key != self.told and (process.stopped or process.error):
                self.reason, self.told = self._ended(process), key
            return
        if process.pid != self.pid:
            self.restarts += bool(self.started)
            found = orphans.identity(process.pid)
            self.pid, self.started = process.pid, found[1] if found else 0.0
            self.since, self.next_probe, self.failures = now, now, 0
            self.ready, self.admitted, self.pending = False, False, None
            if not process.stopped:
                self.reason = "is being started"

    def _ended(self, process: Process) -> str:
        lines = tail(self.log)
        if process.error and not process.started:
            return process.error
        how = last_end(self.log.with_name("supervisord.log"), self.record.id) or "exited"
        return f"{how}{f': {lines}' if lines else ''}"

    @property
    def in_use(self) -> bool:
        """Whether it ended because somebody took its port after it was chosen."""
        if self.pid or self.ready:
            return self.reason.startswith("address in use")
        text = self.reason.lower()
        said = "address already in use" in text or "eaddrinuse" in text or "address in use" in text
        return said or bool("exited" in text and ports.taken(HOST, self.record.port))

    def look(self, pool: Executor, now: float) -> None:
        """Take the answer of a probe that ended, and start the next one when it is time."""
        if self.pending is not None and self.pending.done():
            self._take(self.pending, now)
        if self.pid and self.pending is None and now >= self.next_probe:
            age = now - self.since
            self.pending = pool.submit(probe, self.record, self.pid, age, first=not self.ready)

    def _take(self, answer: Future[str], now: float) -> None:
        self.pending = None
        error = answer.exception()
        reason = f"the probe failed: {error}" if error else answer.result()
        if not reason:
            self.ready, self.reason, self.failures, self.given_up = True, "", 0, False
            self.next_probe = now + CALM
            return
        self.failures += 1
        if self.ready and self.failures < TOLERATED:
            self.next_probe = now + SLOW
            return
        self.ready = self.admitted = False
        # why it ended last time says more than that it does not listen yet
        if not (self.reason.startswith(("exited", "terminated")) and "does not listen" in reason):
            self.reason = reason
        self.next_probe = now + (EAGER if now - self.since < 5 else SLOW)

    def stolen(self) -> str:
        return foreign(self.record.port, self.pid) if self.pid else ""
