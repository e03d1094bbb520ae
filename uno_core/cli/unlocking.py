"""`uno unlock`: whose the lease of the application is, and how it gets free."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence

import click
from attrs import frozen

from uno_core import wording
from uno_core.cli import printing
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.contracts.state import Lease, Lock
from uno_core.engine.tenure import TTL, next_turn
from uno_core.errors import UnoError
from uno_core.journal.lock import alive, describe, this_process
from uno_core.model import Json
from uno_core.session import Session
from uno_core.wire import to_json

LOCKED = 5


@frozen
class Held:
    """A lease that somebody has, and what holds it."""

    lock: Lock
    lease: Lease
    what: str


@click.command()
@configured()
@click.option(
    "--force",
    is_flag=True,
    help="Take the lease over and free it; the owner until now writes nothing more.",
)
@output("json")
@debug
@click.pass_context
def unlock(ctx: click.Context, request: Request, *, force: bool, output: str) -> None:
    """Explain who holds the lease of the application, and what freeing it means.

    Exits with 0 where nobody holds it, or --force has freed it, otherwise with 5.
    """
    with printing.answering(output), request.open() as session:
        found = list(_held(session))
        lines = [line for held in found for line in _explained(session, held)]
        can = bool(found) and all(held.lease.expires is not None for held in found)
        freed = force and can
        if freed:
            _note(session, found)
            for held in found:
                held.lock.release(held.lock.acquire(held.lease.key, this_process(), ttl=TTL, take_over=True))
        lines += _advice(session, found, can=can, freed=freed)
        if output == "json":
            printing.document(
                {
                    "leases": [_facts(held) for held in found],
                    "can_be_forced": can,
                    "freed": freed,
                    "explained": lines,
                }
            )
        else:
            for line in lines:
                printing.out(line)
    ctx.exit(LOCKED if found and not freed else 0)


def _note(session: Session, found: Sequence[Held]) -> None:
    """That a lease was taken from its owner stands with the deployment that it drove."""
    if session.under_way() is not None:
        owners = ", ".join(dict.fromkeys(describe(held.lease.owner) for held in found))
        session.note_deed(session.last(), "unlocked", from_whom=owners)


def _held(session: Session) -> Iterator[Held]:
    """The leases of the application: the state store's, the reservation of the next turn, the platform's."""
    key = session.config.application.key
    locks: list[tuple[Lock, str, str]] = []
    if session.store.exists():
        locks += [(session.store, key, "lease"), (session.store, next_turn(key), "reservation")]
    locks += [(lock, key, "lease at the platform") for lock in _of_platforms(session)]
    for lock, of, what in locks:
        if (lease := lock.holder(of)) is not None:
            yield Held(lock, lease, what)


def _of_platforms(session: Session) -> Sequence[Lock]:
    try:
        return [platform.lock for platform in session.world.platforms if platform.lock is not None]
    except UnoError as problem:  # a lease must be freed where the platform is broken, too
        printing.err(f"warning: whether the platform holds a lease could not be seen: {problem.message}")
        return []


def _explained(session: Session, held: Held) -> Iterator[str]:
    application, owner = session.config.application, held.lease.owner
    yield f"the {held.what} of {application.name} in {application.environment} is held"
    yield f"  by       process {owner.pid} on {owner.host}, of {owner.user}"
    yield f"  since    {wording.day(held.lease.since)}"
    if held.lease.expires is not None:
        yield f"  expires  {wording.day(held.lease.expires)}, unless its owner renews it"
    else:
        yield "  expires  never: the kernel frees it when its owner ends"
    yield f"  process  {_state(held.lease)}"
    if held.what == "reservation":
        yield "  drives   nothing yet: it waits to supersede what is under way"
        return
    under_way = session.under_way()
    drives = f"{under_way.id} ({under_way.version}), {under_way.status}" if under_way else "no deployment now"
    yield f"  drives   {drives}"


def _state(lease: Lease) -> str:
    if lease.expires is None or alive(lease.owner):
        return "alive"
    if lease.owner.host == socket.gethostname():
        return "gone: nobody renews the lease any more"
    return f"unknown: it can be seen on {lease.owner.host} only"


def _advice(session: Session, found: Sequence[Held], *, can: bool, freed: bool) -> Iterator[str]:
    application = session.config.application
    under_way = session.under_way() if session.store.exists() else None
    if not found:
        yield f"nobody holds the lease of {application.name} in {application.environment}"
    elif freed:
        owners = ", ".join(dict.fromkeys(describe(held.lease.owner) for held in found))
        yield f"freed: {owners} writes nothing more, and ends as lost"
    elif can:
        yield "`uno abort` has its driver take the application back; it is free then"
        yield (
            "`uno unlock --force` takes it over and frees it: its owner writes nothing more, wherever it is,"
            " and what it was doing is left halfway"
        )
    else:
        yield (
            "there is nothing to force: it is free as soon as its owner ends. `uno abort` has it take the"
            " application back; `uno rollback --take-over` ends one that does not answer"
        )
    if under_way is not None and (freed or not found):
        yield (
            f"{under_way.id} ({under_way.version}) is {under_way.status}, and nobody drives it:"
            " `uno resume` goes on with it, `uno rollback` takes the application back"
        )


def _facts(held: Held) -> Json:
    lease: Json = to_json(held.lease)
    return {"what": held.what, **(lease if isinstance(lease, dict) else {})}
