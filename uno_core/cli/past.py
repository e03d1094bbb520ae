"""`uno history` and `uno show`: what the journal holds, in words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from uno_core.cli import printing, wording
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.contracts.state import Entry, Mark, Record
from uno_core.journal.lock import describe
from uno_core.model import Json
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
        entries = session.store.entries(record.id)
        signals = session.store.signals(record.id, unanswered=False)
        if output == "json":
            printing.document(
                {
                    "deployment": to_json(record),
                    "journal": [to_json(entry) for entry in entries],
                    "signals": [to_json(signal) for signal in signals],
                    "last_seen": session.last_seen(record),
                }
            )
            return
        for line in _lines(record, entries):
            printing.out(line)
        for signal in signals:
            reason = signal.payload.get("reason") or "no reason given"
            answer = signal.answer or "not answered"
            printing.out(f"  {wording.clock(signal.at)} {signal.kind} by {signal.by} ({reason}): {answer}")


def _lines(record: Record, entries: Sequence[Entry]) -> Iterator[str]:
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
    for intent, result in _calls(entries):
        if intent.run != run:
            run = intent.run
            yield f"{run}:"
        took = f"{wording.lasting((result.at - intent.at).total_seconds()):>7}" if result else "      …"
        again = f" (attempt {intent.attempt})" if intent.attempt > 1 else ""
        said = f"{_asked(intent)}{again}{_came(intent, result)}"
        yield f"  {intent.seq:>3} {wording.clock(intent.at)} {took}  {said}"


def _calls(entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry | None]]:
    """Each call as its last intent, and its result where there is one."""
    calls: dict[tuple[str, int], dict[Mark, Entry]] = {}
    for entry in entries:
        calls.setdefault((entry.run, entry.seq), {})[entry.mark] = entry
    for marks in calls.values():
        if Mark.INTENT in marks:
            yield marks[Mark.INTENT], marks.get(Mark.RESULT)


def _asked(intent: Entry) -> str:
    a: Any = intent.value
    match intent.op:
        case "step":
            return f"step: {a['title']}"
        case "converge":
            return f"{a['slot']}: {wording.counts(a['counts'])}"
        case "set_traffic":
            return f"traffic: {wording.split(a['split'])}"
        case "check_health":
            return f"check the health of {a['slot']}"
        case "evaluate":
            return f"judge {a['slot']}"
        case "wait":
            return f"wait {wording.lasting(float(a['seconds']))}" + (", watched" if a["watch"] else "")
        case "pause":
            return f"gate: {a['reason']}"
        case "retire":
            return f"empty {a['slot']} {wording.lasting(float(a['after']))} later"
        case "call":
            return f"call {a['method']}"
        case "hook":
            return f"hook {a['phase']}: {shlex.join(a['run'])}" if a["run"] else f"so far: {a['phase']}"
        case "companions":
            return f"companions: {', '.join(a['names'])}"
        case _:
            return _PLAIN.get(intent.op, intent.op)


_PLAIN = {
    "observe": "observe",
    "now": "ask for the time",
    "promoted": "verify that the release serves: a success from here on",
    "verify": "verify that the release serves",
    "put_traffic_back": "put the traffic back",
    "note_companions": "note what the companions run",
    "companions_back": "put the companions back",
    "restore": "restore what was there before",
}


def _came(intent: Entry, result: Entry | None) -> str:
    if result is None:
        return ": no answer in the journal"
    if result.error is not None:
        found = result.error.get("found")
        return f": {result.error['message']}" + (f" ({found})" if found else "")
    value: Any = result.value
    if not isinstance(value, Mapping):
        return ""
    if intent.op in ("companions", "companions_back") and value.get("failed"):
        return ": " + "; ".join(f"{name}: {why}" for name, why in value["failed"].items())
    if intent.op == "hook":
        return f": {value['failed']}" if "failed" in value else ""
    if "findings" in value:
        return f": {wording.evidence(value)}"
    if intent.op == "check_health":
        return f": {value['verdict']}" + (f", {value['reason']}" if value.get("reason") else "")
    if intent.op == "pause":
        return f": promoted by {value.get('by') or 'nobody'}"
    return ""
