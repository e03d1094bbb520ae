"""Where the application stands: what serves, what is under way, who holds the lock."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

from uno_core.contracts.diagnosis import Diagnosis
from uno_core.contracts.state import Driver, Lease
from uno_core.journal.lock import alive, describe
from uno_core.model import Snapshot, Split, Status, same_split
from uno_core.session import Session

_CALLS: dict[Status, str] = {
    Status.ROLLBACK_FAILED: "`uno status` shows what serves; `uno rollback` tries again",
    Status.HALTED: "`uno status` shows what serves; `uno rollback` writes over what somebody else wrote",
    Status.LOST: "`uno status` shows who took it over; `uno rollback` goes back once nobody drives it",
    Status.STOPPED: "`uno rollback` takes the application back; `uno deploy --stable SLOT` begins from here",
}


def serving(snapshot: Snapshot, *, driven: bool) -> Iterator[Diagnosis]:
    """What serves, and whether it is a place to start from. driven: a deployment is at work on it."""
    if not snapshot.serving and snapshot.mark is None:
        yield Diagnosis.ok("serving", "nothing is routed: the next deployment is the first one")
        return
    versions = ", ".join(map(str, snapshot.releases)) or "nothing"
    told = f"{versions} serves ({_split(snapshot.split)})"
    if snapshot.settled:
        yield Diagnosis.ok("serving", f"{told}, settled")
    elif driven:
        yield Diagnosis.ok("serving", f"{told}; a deployment is under way")
    else:
        yield Diagnosis.error(
            "serving",
            f"{told}, and is not settled: {_why(snapshot)}",
            "`uno rollback` takes the last deployment back, `uno resume` goes on with it;"
            " `uno deploy --stable SLOT` says which slot counts as live",
        )
    if not same_split(snapshot.split, snapshot.in_force):
        yield Diagnosis.warning(
            "traffic",
            f"asked for is {_split(snapshot.split)}, in force is {_split(snapshot.in_force)}",
            "look again in a moment; if it stays so, the router does not follow: see its log",
        )


def _split(split: Split) -> str:
    return ", ".join(f"{slot} {percent:g} %" for slot, percent in split.items()) or "no route"


def _why(snapshot: Snapshot) -> str:
    if len(snapshot.serving) > 1:
        return "two slots have traffic"
    unready = "; ".join(filter(None, (snapshot.slot(slot).unready() for slot in snapshot.serving)))
    if unready:
        return f"not ready: {unready}"
    if snapshot.mark is not None:
        return "a deployment began and has not ended"
    return "other instances run than are wanted"


def records(session: Session) -> Iterator[Diagnosis]:
    """The lock, and the last deployment."""
    if not session.store.exists():
        return
    lease = session.holder()
    yield _lock(lease)
    record = session.last_changed()
    if record is None:
        yield Diagnosis.ok("deployments", "none so far")
        return
    told = f"{record.id}: {record.version}, {record.status.value}"
    if not record.status.final and lease is None:
        who = describe(record.driver) if record.driver else "unknown"
        yield Diagnosis.error(
            "deployments",
            f"{told}, and nobody drives it; its driver was {who}",
            "`uno resume` goes on from there, `uno rollback` takes the application back",
        )
    elif record.status in _CALLS:
        yield Diagnosis.warning("deployments", f"{told}: {record.message}", _CALLS[record.status])
    else:
        yield Diagnosis.ok("deployments", told)


def _lock(lease: Lease | None) -> Diagnosis:
    if lease is None:
        return Diagnosis.ok("lock", "nobody holds it")
    owner = lease.owner
    told = f"held by {describe(owner)}"
    if owner.host != socket.gethostname():
        until = f", until {lease.expires:%H:%M:%S} UTC unless it is renewed" if lease.expires else ""
        return Diagnosis.ok("lock", f"{told}{until}")
    if not alive(owner):
        return Diagnosis.error(
            "lock", f"{told}, which is dead", "it expires by itself; `uno unlock --force` frees it at once"
        )
    if _stopped(owner):
        return Diagnosis.warning(
            "lock",
            f"{told}, which stands still (stopped by a signal)",
            f"`kill -CONT {owner.pid}` lets it go on, `uno rollback --take-over` ends it and goes back",
        )
    return Diagnosis.ok("lock", f"{told}, alive")


def _stopped(owner: Driver) -> bool:
    """By SIGSTOP or a debugger; only Linux says so."""
    try:
        # The state is the first word behind the name, which may hold brackets itself.
        return Path(f"/proc/{owner.pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] in "Tt"
    except (OSError, IndexError):
        return False
