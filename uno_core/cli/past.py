"""`uno history` and `uno show`: what the journal holds, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import click

from uno_core import wording
from uno_core.cli import printing
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.contracts.state import Record
from uno_core.journal.lock import describe
from uno_core.model import Json
from uno_core.story import Story, told
from uno_core.wire import to_json


@click.command()
@configured()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many at most.")
@output("json")
@debug
def history(request: Request, limit: int, output: str) -> None:
    """List the deployments of the application, the newest first."""
    with printing.answering(output), request.open() as session:
        records = session.history(limit=limit)
        application = session.config.application
    if output == "json":
        printing.document({"deployments": [_facts(record) for record in records]})
    elif not records:
        printing.out(f"{application.name} was never deployed in {application.environment}")
    else:
        columns = ("ID", "VERSION", "STRATEGY", "STATUS", "BEGAN", "TOOK", "BY", "MESSAGE")
        printing.table(columns, [_row(record) for record in records])


def _facts(record: Record) -> Mapping[str, Json]:
    whole: Mapping[str, Json] = to_json(record)
    beside = {key: record.params.get(key, "") for key in ("reason", "origin")}
    return {**{k: v for k, v in whole.items() if k != "params"}, **beside}


def _by(record: Record) -> str:
    origin = record.params.get("origin")
    by = str(origin.get("by", "")) if isinstance(origin, Mapping) else ""
    return by or (record.driver.user if record.driver else "")


def _row(record: Record) -> Sequence[str]:
    took = (record.updated - record.created).total_seconds()
    reason = str(record.params.get("reason") or "")
    message = wording.first_line(record.message)
    return (
        record.id,
        record.version,
        record.strategy,
        record.status.value,
        wording.day(record.created),
        wording.lasting(took) if record.status.final else "",
        _by(record),
        f"{message} — {reason}" if reason else message,
    )


@click.command()
@click.argument("id", required=False)
@configured()
@output("json")
@debug
def show(request: Request, id: str | None, output: str) -> None:
    """Show the journal of a deployment: every numbered call, when, how long, and what came of it.

    ID is as in the history, or its number alone; the last deployment where it is left out.
    """
    with printing.answering(output), request.open() as session:
        record = session.named(id) if id else session.last()
        story = told(session, record)
        if output == "json":
            printing.document(
                {
                    "deployment": to_json(record),
                    "journal": [to_json(entry) for entry in session.store.entries(record.id)],
                    "signals": [to_json(signal) for signal in story.signals],
                    "last_seen": session.last_seen(record),
                    "measured": {key: to_json(rows) for key, rows in story.seen.items()},
                    "comparison": [to_json(moment) for moment in story.progress],
                    "why": story.why,
                }
            )
            return
        for line in _lines(story):
            printing.out(line)
        for signal in story.signals:
            reason = signal.payload.get("reason") or "no reason given"
            answer = signal.answer or "not answered"
            printing.out(f"  {wording.clock(signal.at)} {signal.kind} by {signal.by} ({reason}): {answer}")


def _lines(story: Story) -> Iterator[str]:
    record = story.record
    yield f"{record.id}: {record.version} by {record.strategy}, {record.status.value}"
    if record.message:
        yield f"  {record.message}"
    yield f"  began {wording.day(record.created)}, last changed {wording.day(record.updated)}"
    if record.params.get("reason"):
        yield f"  reason: {record.params['reason']}"
    origin = record.params.get("origin")
    if isinstance(origin, Mapping) and origin:
        yield f"  by: {_by(record)} on {origin.get('host')}"
        told = ("commit", "ref", "job", "cloud")
        yield from (f"  {key}: {origin[key]}" for key in told if key in origin)
    if record.driver:
        yield f"  driver: {describe(record.driver)}"
    for name, provider in record.plugins.items():
        yield f"  {name}: {provider}"
    run = ""
    for call in story.calls:
        if call.run != run:
            run = call.run
            yield f"{run}:"
        again = f" (attempt {call.attempt})" if call.attempt > 1 else ""
        came = f": {call.outcome}" if call.outcome else ""
        yield f"  {call.seq:>3} {wording.clock(call.begun)} {call.took:>7}  {call.asked}{again}{came}"
    if story.evidence is not None:
        yield f"evidence: {story.evidence.verdict}"
        yield from (f"  {line}" for line in wording.findings(to_json(story.evidence)))
