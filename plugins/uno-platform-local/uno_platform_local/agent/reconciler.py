"""From what is wanted to what runs, a step at a time; every step may be the last one of its process."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from attrs import evolve

from uno_core import PlatformError, Release, Slot
from uno_platform_local import launch, orphans, ports
from uno_platform_local.agent.instance import Running
from uno_platform_local.agent.usage import Usage
from uno_platform_local.daemon import Settings, read_settings
from uno_platform_local.files import locked, read_json, write_json, write_text
from uno_platform_local.layout import Layout
from uno_platform_local.proxy import Admin, Endpoint, Unreachable, endpoints, split_of
from uno_platform_local.records import Record, read_records, write_record
from uno_platform_local.specification import kept
from uno_platform_local.supervisor import Process, Supervisor, quoted, section
from uno_platform_local.wish import Wish, read_wish, release_to_json, write_wish

log = logging.getLogger("uno.agent")

HEARTBEAT = 1.0
SOON, PATIENT, CALM = 0.02, 0.2, 1.0
EAGER_FOR = 10.0
"""Seconds of unreadiness after which looking fifty times a second only costs."""
RESTART_AFTER = 10.0
"""Seconds from the supervisor's giving up on an instance to the next attempt."""
REPLACEMENTS = 5
"""How often a release gets another port before the reason is left to stand."""
LOGS_KEPT = 30


class Reconciler:
    """Holds the instances of one root. `step` is called again and again and waits for nothing."""

    def __init__(self, layout: Layout) -> None:
        run = read_json(layout.run)
        settings = read_settings(layout)
        if not run or settings is None:
            raise PlatformError("nothing was prepared here", where=str(layout.root), remedy="uno local up")
        self.layout = layout
        self.settings: Settings = settings
        self.token = str(run["token"])
        self.supervisor = Supervisor(run["socket"])
        self.admin = Admin(run["admin"], timeout=1.0)
        self.pool = ThreadPoolExecutor(8, thread_name_prefix="probe")
        self.usage = Usage()
        self.dead: set[int] = set()
        """Pids that were seen to end, which the supervisor may not have noticed yet."""
        self.running: dict[str, Running] = {}
        self.problems: dict[Slot, str] = {}
        self._replaced: Counter[str] = Counter()
        self._written: dict[Slot, Sequence[Endpoint]] = {}
        self._version = time.time_ns()
        self._status: Any = None
        self._reported = 0.0
        self._remember()

    def _remember(self) -> None:
        """Take up where an earlier agent ended: an instance stays ready while its process is the same."""
        before = read_json(self.layout.status) or {}
        rows = {row["id"]: row for rows in before.get("slots", {}).values() for row in rows}
        listed = {slot: self._listed(slot) for slot in Slot}
        for record in read_records(self.layout):
            one = self._take_up(record)
            row = rows.get(record.id)
            if row and row["pid"]:
                one.pid, one.started, one.since = row["pid"], row["started"], time.monotonic()
                one.ready = one.admitted = row["ready"] and not one.draining
                one.restarts = row.get("restarts", 0)
                one.reason, one.given_up = row["reason"], row.get("given_up", False)
            one.listed = record.port in listed[record.slot]

    def _listed(self, slot: Slot) -> set[int]:
        value = read_json(self.layout.endpoints(slot)) or {"resources": []}
        groups = [g for resource in value["resources"] for g in resource["endpoints"]]
        rows = [e for group in groups for e in group["lb_endpoints"]]
        return {e["endpoint"]["address"]["socket_address"]["port_value"] for e in rows}

    def _take_up(self, record: Record) -> Running:
        log_file = self.layout.logs / f"{record.id}.log"
        one = Running(record=record, log=log_file, born=time.monotonic())
        self.running[record.id] = one
        return one

    @property
    def pause(self) -> float:
        """Seconds to the next step: few while something is under way, more where it has long been."""
        now = time.monotonic()
        under_way = [one for one in self.running.values() if not one.admitted or one.draining]
        if not under_way:
            return CALM
        return SOON if any(now - max(one.since, one.born) < EAGER_FOR for one in under_way) else PATIENT

    def step(self) -> None:
        """One pass. Raises PlatformError where the supervisor or the disk refuses; the next tries again."""
        self.settings = read_settings(self.layout) or self.settings
        self._retire()
        wish = read_wish(self.layout)
        processes = self.supervisor.processes()
        now = time.monotonic()
        for one in self.running.values():
            process = processes.get(one.record.id)
            gone = process is not None and process.pid in self.dead
            one.see(None if gone else process, now)
            if not one.draining:
                one.look(self.pool, now)
        self.dead &= {p.pid for p in processes.values()}
        self._replace_stolen(now)
        self._match(wish)
        self._start(processes, now)
        self._route()
        self._admit()
        self._drain(processes, now)
        self._remove_strays(processes)
        if (envoy := processes.get("envoy")) and envoy.state in {"FATAL", "EXITED"}:
            self.supervisor.start("envoy")
        self._report(wish, processes, now)

    # -- wanted ----------------------------------------------------------------------------------

    def _retire(self) -> None:
        now = time.time()
        due = [s for s, row in read_wish(self.layout).slots.items() if row.retire_at and row.retire_at <= now]
        if not due:
            return
        with locked(self.layout.lock):
            wish = read_wish(self.layout)
            value = read_json(self.layout.routes)
            split = split_of(value["resources"][0]) if value else {}
            for slot in due:
                row = wish.slot(slot)
                if row.retire_at is None or row.retire_at > now:
                    continue
                if split.get(slot, 0.0) > 0:
                    log.info("%s carries traffic: it is not retired", slot)
                    wish = wish.retiring(slot, None)
                else:
                    log.info("%s is retired", slot)
                    wish = wish.asking(slot, {}, row.generation).retiring(slot, None)
            write_wish(self.layout, wish)

    def _match(self, wish: Wish) -> None:
        """Make the records say what is wanted: more of a release, or some of it draining."""
        for slot in Slot:
            counts = wish.slot(slot).counts
            self.problems.pop(slot, None)
            here = [o for o in self.running.values() if o.record.slot is slot and not o.draining]
            for release in {*counts, *(o.record.release for o in here)}:
                mine = [o for o in here if o.record.release == release]
                surplus = len(mine) - counts.get(release, 0)
                for one in sorted(mine, key=lambda o: o.ready)[: max(0, surplus)]:
                    self._dismiss(one)
                try:
                    for _ in range(-surplus):
                        self._create(slot, release)
                except PlatformError as error:
                    self.problems[slot] = str(error)

    def _dismiss(self, one: Running) -> None:
        one.record = evolve(one.record, draining=time.time())
        one.born = time.monotonic()
        one.confirmed = None
        write_record(self.layout, one.record)

    def _create(self, slot: Slot, release: Release) -> None:
        what = kept(self.layout, release)
        port = ports.free({one.record.port for one in self.running.values()})
        name = f"{slot.value}-{port}"
        own = {
            "PORT": str(port),
            "UNO_SLOT": slot.value,
            "UNO_VERSION": release.version,
            "UNO_INSTANCE": name,
        }
        env = {key: what.fill(value, slot, port) for key, value in what.env.items()}
        record = Record(
            id=name,
            slot=slot,
            release=release,
            port=port,
            argv=tuple(what.fill(argument, slot, port) for argument in what.command),
            env={**_inherited(), **own, **env, orphans.TOKEN: self.token},
            directory=what.directory,
            readiness=what.readiness,
            grace=what.grace,
        )
        # whatever an earlier instance of that name left in its log would explain the wrong failure
        for old in self.layout.logs.glob(f"{name}.log*"):
            old.unlink(missing_ok=True)
        write_record(self.layout, record)
        self._take_up(record)

    def _replace_stolen(self, now: float) -> None:
        """Give another port to what cannot have its own."""
        for one in list(self.running.values()):
            release = one.record.release.id
            if one.ready:
                self._replaced.pop(release, None)
            elif not one.draining and one.reason and now >= one.retry_at and one.in_use:
                one.retry_at = now + 1.0
                if self._replaced[release] < REPLACEMENTS:
                    self._replaced[release] += 1
                    log.warning("%s: %s; another port is tried", one.record.id, one.reason)
                    self._dismiss(one)

    # -- processes -------------------------------------------------------------------------------

    def _start(self, processes: Mapping[str, Process], now: float) -> None:
        missing = [o.record for o in self.running.values() if not o.draining and o.record.id not in processes]
        for record in missing:
            write_text(self.layout.programs / f"{record.id}.conf", self._program(record), durable=False)
        if missing:
            self.supervisor.reread()
            for record in missing:
                self.supervisor.add(record.id)
        for one in self.running.values():
            process = processes.get(one.record.id)
            if one.draining or process is None or not process.down:
                continue
            if process.state == "EXITED" or not one.retry_at or now >= one.retry_at:
                first = process.state == "FATAL" and not one.retry_at
                one.retry_at = now + RESTART_AFTER
                if not first:
                    self.supervisor.start(one.record.id)

    def _program(self, record: Record) -> str:
        launcher = Path(launch.__file__)
        return section(
            record.id,
            quoted(sys.executable, "-I", "-S", launcher, self.layout.instances / f"{record.id}.json"),
            autorestart=True,
            startretries=4,
            stopwaitsecs=record.grace,
            stopasgroup=True,
            killasgroup=True,
            redirect_stderr=True,
            stdout_logfile=str(self.layout.logs / f"{record.id}.log").replace("%", "%%"),
            stdout_logfile_maxbytes=self.settings.log_size,
            stdout_logfile_backups=self.settings.log_backups,
        )

    def _drain(self, processes: Mapping[str, Process], now: float) -> None:
        leaving = [one for one in self.running.values() if one.draining]
        if not leaving:
            return
        hosts = self._hosts() if any(o.listed and not o.stopping for o in leaving) else None
        for one in leaving:
            process = processes.get(one.record.id)
            if process is None or process.down:
                self._forget(one, process)
            elif not one.stopping and (not one.listed or not process.alive or self._drained(one, hosts, now)):
                one.stopping = True
                self.supervisor.stop(one.record.id)

    def _remove_strays(self, processes: Mapping[str, Process]) -> None:
        """End programs without a record: its file was lost, so nobody else would ever stop them."""
        for name, process in processes.items():
            path = self.layout.programs / f"{name}.conf"
            if name in self.running or name in {"agent", "envoy"} or not path.exists():
                continue
            if process.down:
                self.supervisor.remove(name)
                path.unlink(missing_ok=True)
            elif process.state != "STOPPING":
                self.supervisor.stop(name)

    def _hosts(self) -> Mapping[Slot, Mapping[str, tuple[bool, int]]] | None:
        """What Envoy sends where; empty where it does not run, so sends nothing; None where it is silent."""
        if not self.settings.listen:
            return {}
        try:
            return self.admin.hosts()
        except Unreachable as error:
            return {} if isinstance(error.__cause__, ConnectionRefusedError) else None
        except (PlatformError, ValueError, KeyError):
            return None

    def _drained(
        self, one: Running, hosts: Mapping[Slot, Mapping[str, tuple[bool, int]]] | None, now: float
    ) -> bool:
        """Whether nothing new comes since `drain` seconds, and nothing is under way."""
        patience = self.settings.drain_timeout + self.settings.drain
        overdue = time.time() - (one.record.draining or 0.0) > patience
        if hosts is None:
            return overdue
        takes, active = hosts.get(one.record.slot, {}).get(one.endpoint.name, (False, 0))
        if takes:
            one.confirmed = None
            return overdue
        if one.confirmed is None:
            one.confirmed = now
        waited = now - one.confirmed
        return waited >= self.settings.drain and (active == 0 or overdue)

    def _forget(self, one: Running, process: Process | None) -> None:
        if process is not None:
            self.supervisor.remove(one.record.id)
        (self.layout.programs / f"{one.record.id}.conf").unlink(missing_ok=True)
        (self.layout.instances / f"{one.record.id}.json").unlink(missing_ok=True)
        del self.running[one.record.id]
        logs = self.layout.logs.glob("*-*.log*")
        gone = [path for path in logs if path.name.partition(".log")[0] not in self.running]
        for path in sorted(gone, key=lambda p: p.stat().st_mtime)[:-LOGS_KEPT]:
            path.unlink(missing_ok=True)

    # -- traffic ---------------------------------------------------------------------------------

    def _route(self) -> None:
        """Tell Envoy who takes requests: who is ready, and who drains and was ready before."""
        for slot in Slot:
            here = [o for o in self.running.values() if o.record.slot is slot]
            told = [o.endpoint for o in here if o.ready or (o.draining and o.listed)]
            want = sorted(told, key=lambda endpoint: endpoint.port)
            if want != self._written.get(slot):
                self._version += 1
                path = self.layout.endpoints(slot)
                write_json(path, endpoints(slot, want, str(self._version)), durable=False)
                self._written[slot] = want
            for one in here:
                one.listed = one.ready or (one.draining and one.listed)

    def _admit(self) -> None:
        """Call ready only what Envoy sends requests to: a split written a moment later finds it there."""
        waiting = [one for one in self.running.values() if one.ready and not one.admitted]
        if not waiting:
            return
        hosts = self._hosts() or {}
        for one in waiting:
            takes, _ = hosts.get(one.record.slot, {}).get(one.endpoint.name, (False, 0))
            one.admitted = takes or not self.settings.listen
            one.reason = "" if one.admitted else "the proxy has not taken it up yet"

    # -- told ------------------------------------------------------------------------------------

    def _report(self, wish: Wish, processes: Mapping[str, Process], now: float) -> None:
        envoy = processes.get("envoy")
        rest = [envoy.pid] if envoy and envoy.pid else []
        slots = {slot.value: self._rows(slot) for slot in Slot}
        value: dict[str, Any] = {
            "generations": {slot.value: wish.slot(slot).generation for slot in Slot},
            "problems": {slot.value: text for slot, text in self.problems.items()},
            "slots": slots,
            "draining": sorted(one.record.id for one in self.running.values() if one.draining),
            "processes": self._identities(rest),
            "envoy": orphans.identity(rest[0]) if rest else None,
        }
        if value == self._status and now - self._reported < HEARTBEAT:
            return
        usage = self.usage.of([o.pid for o in self.running.values() if o.pid and not o.draining], now)
        used = {name: [{**row, **usage.get(row["pid"], {})} for row in rows] for name, rows in slots.items()}
        write_json(self.layout.status, {**value, "slots": used, "at": time.time()}, durable=False)
        self._reported, self._status = now, value

    def _rows(self, slot: Slot) -> list[dict[str, Any]]:
        rows = [o for o in self.running.values() if o.record.slot is slot and not o.draining]
        return [
            {
                "id": o.record.id,
                "release": release_to_json(o.record.release),
                "ready": o.admitted,
                "reason": o.reason,
                "given_up": o.given_up,
                "host": o.endpoint.host,
                "port": o.record.port,
                "pid": o.pid,
                "started": o.started,
                "restarts": o.restarts,
            }
            for o in sorted(rows, key=lambda o: o.record.port)
        ]

    def _identities(self, pids: Iterable[int]) -> list[Sequence[float]]:
        own = [(o.pid, o.started) for o in self.running.values() if o.pid]
        return [list(pair) for pair in (*own, *filter(None, map(orphans.identity, pids)))]


def _inherited() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("SUPERVISOR_", "UNO_"))}
