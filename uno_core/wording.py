"""How values are said to people: splits, durations, evidence, instances, one event in one line."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from uno_core.config.values import write_duration
from uno_core.model import Json, Slot, SlotState, Snapshot, Status

FAIR = frozenset({Status.SUCCESSFUL})
DONE = frozenset({Status.ROLLED_BACK, Status.STOPPED})


def split(value: Mapping[str, Any]) -> str:
    """`blue 90 %, green 10 %`."""
    shares = {str(slot): percent for slot, percent in value.items()}
    return ", ".join(f"{s} {shares.get(s.value, 0.0):.4g} %" for s in Slot) if shares else "no route"


def lasting(seconds: float) -> str:
    """A duration to be read, not to be computed with: `1h30m`, `5m20s`, `0.4s`, `12ms`."""
    if 0 < seconds < 0.1:
        return f"{math.ceil(seconds * 1000)}ms"
    if seconds < 10:
        return f"{seconds:.1f}s".replace(".0s", "s")
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    words = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{rest}s" if rest else ""]
    return "".join(words) or "0s"


def clock(at: datetime | str) -> str:
    """A time in the zone of whoever reads it; with its date where that is not today's."""
    moment = (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone()
    today = moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def day(at: datetime) -> str:
    """Date and time, in the zone of whoever reads it."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def evidence(analysis: Any) -> str:
    """A verdict with the findings that made it: `PASS: error_rate: 0.2% is within bounds`."""
    verdict = analysis["verdict"]
    findings = analysis["findings"]
    deciding = [f["reason"] for f in findings if f["verdict"] == verdict and not f.get("advisory")]
    return f"{verdict.upper()}: {'; '.join(deciding) or 'no evidence was asked for'}"


def findings(analysis: Any) -> Sequence[str]:
    """What every judge found, in one line each, whether or not it decided."""
    return [_finding(found) for found in analysis["findings"]]


def _finding(found: Any) -> str:
    numbers, aside = found.get("numbers") or {}, ", counts for nothing" if found.get("advisory") else ""
    log = f", log e {numbers['log_e']:.2f} of {numbers['limit']:.2f}" if "log_e" in numbers else ""
    return f"{found['verdict']:<12} {first_line(found['reason'])}{log}{aside}"


def counts(rows: Sequence[Any]) -> str:
    """`3 of v2, 1 of v1`."""
    return ", ".join(f"{row['count']} of {row['version']}" for row in rows) or "no instance"


def instances(state: SlotState) -> str:
    """`4 of v1, 4 ready`, with what is not ready and why."""
    wanted = sum(state.wanted.values())
    if not state.instances:
        return f"none of {wanted} instances run" if wanted else "empty"
    words = ", ".join(f"{state.count(r)} of {r}, {state.ready(r)} ready" for r in state.releases)
    return f"{words} ({state.unready()})" if state.unready() else words


def serving(snapshot: Snapshot) -> str:
    """What has traffic now: `v2 serves (blue 0 %, green 100 %)`."""
    shares = split({s.value: percent for s, percent in snapshot.in_force.items()})
    releases = sorted(map(str, snapshot.releases))
    verb = "serve" if len(releases) > 1 else "serves"
    return f"{' and '.join(releases) or 'nothing'} {verb} ({shares})"


def gate(data: Mapping[str, Any]) -> str:
    """A gate: why, until when, what then, and how it is passed."""
    then = "it goes on" if data["on_timeout"] == "promote" else "the traffic goes back"
    if held(data):
        return (
            f"holds, as a person wants; `uno resume` lets it go on, `uno abort` takes it back; "
            f"at {clock(data['until'])} {then}"
        )
    return (
        f"waits for a person: {data['reason']}; `uno promote` lets it go on, `uno abort` takes it back; "
        f"at {clock(data['until'])} {then}"
    )


def held(data: Mapping[str, Any]) -> bool:
    """Whether it is `uno pause` that is waited for, and no gate."""
    return bool(data["reason"] == "held")


def left(seen: Mapping[str, Any]) -> str:
    """Where a driver left its deployment: its last step, and its last split."""
    words = [f"step: {seen['step']['title']}"] if "step" in seen else []
    words += [f"traffic: {split(seen['split']['split'])}"] if "split" in seen else []
    return "it was left at " + ", ".join(words) if words else ""


def first_line(text: str) -> str:
    return text.partition("\n")[0]


def style(status: Status) -> str:
    """The colour of a state."""
    if status in FAIR:
        return "green"
    return "yellow" if status in DONE or not status.final else "red"


def precise(seconds: float) -> str:
    """A duration as it can be written into a configuration."""
    return write_duration(seconds) if seconds else "0s"


def _health(d: Any) -> str:
    return f"{d['slot']}: " + ("healthy" if d["healthy"] else f"not healthy: {d['reason']}")


def _prolonged(d: Any) -> str:
    return f"waiting on for evidence, {round(d['gives_up_in'])} s more at the longest: {d['reason']}"


def _waiting(d: Any) -> str:
    return f"waiting until {clock(d['until'])}, " + ("watched" if d["watched"] else "not watched")


def _retire(d: Any) -> str:
    who = "" if d["by_platform"] else ", by the next deployment"
    return f"{d['slot']} is emptied at {clock(d['at'])}{who}"


def _hook(d: Any) -> str:
    if d["state"] == "failed":
        return first_line(d["problem"]) + (", and it goes on all the same" if d["goes_on"] else "")
    said = d.get("said", "").rpartition("\n")[2]
    told = {
        "left": "one that a driver before started still runs: it is waited for",
        "started": shlex.join(d.get("run", [])),
        "done": f"done{': ' if said else ''}{said}",
    }
    return f"hook {d['phase']}: {told[d['state']]}" if d["state"] in told else ""


def _companion(d: Any) -> str:
    return f"companion {d['name']}: {first_line(d.get('problem', d['state']))}"


_LINES: Mapping[str, Callable[[Any], str]] = {
    "started": lambda d: f"{d['id']}: deploying {d['version']} by {d['strategy']}",
    "resumed": lambda d: f"{d['id']}: going on with {d['version']} by {d['strategy']}",
    "following": lambda d: f"{d['id']} deploys {d['version']} already: following process {d['driver']}",
    "locked": lambda d: f"{d['id']} ({d['version']}) is under way: waiting {lasting(d['seconds'])} for it",
    "left": lambda d: f"left here, to be gone on with: {d['why']}",
    "step": lambda d: f"step: {d['title']}",
    "instances": lambda d: f"{d['slot']}: {d['ready']}/{d['wanted']} ready ({counts(d['counts'])})",
    "health": _health,
    "split_written": lambda d: f"traffic asked for: {split(d['split'])}",
    "split": lambda d: f"traffic: {split(d['split'])}",
    "waiting": _waiting,
    "prolonged": _prolonged,
    "evidence": lambda d: f"evidence: {evidence(d['analysis'])}",
    "paused": gate,
    "continued": lambda d: (
        "goes on" if d["by"] == "resume" else f"goes on, promoted by {d['by'] or 'nobody'}"
    ),
    "hook": _hook,
    "companion": _companion,
    "call": lambda d: f"calling {d['method']}",
    "promoted": lambda d: f"promoted: {d['release']} serves",
    "retire": _retire,
    "verdict": lambda d: f"verdict: {evidence(d['analysis'])}",
    "rollback": lambda d: f"going back: {first_line(d['why'])}",
    "restoring": lambda d: f"going back: {d['now']}",
    "finished": lambda d: f"{d['status']}: {d['message']}",
    "warning": lambda d: f"warning: {d['message']}",
}


def line(kind: str, data: Mapping[str, Json]) -> str:
    """One event in one line; empty for a kind that nobody here knows."""
    say = _LINES.get(kind)
    return say(data) if say else ""


def asked(op: str, arguments: Mapping[str, Any]) -> str:
    """A call of the journal: what was asked for."""
    a = arguments
    match op:
        case "step":
            return f"step: {a['title']}"
        case "converge":
            return f"{a['slot']}: {counts(a['counts'])}"
        case "set_traffic":
            return f"traffic: {split(a['split'])}"
        case "check_health":
            return f"check the health of {a['slot']}"
        case "evaluate":
            return f"judge {a['slot']}"
        case "wait":
            return f"wait {lasting(float(a['seconds']))}" + (", watched" if a["watch"] else "")
        case "pause":
            return f"gate: {a['reason']}"
        case "retire":
            return f"empty {a['slot']} {lasting(float(a['after']))} later"
        case "call":
            return f"call {a['method']}"
        case "hook":
            return f"hook {a['phase']}: {shlex.join(a['run'])}" if a["run"] else f"so far: {a['phase']}"
        case "companions":
            return f"companions: {', '.join(a['names'])}"
        case _:
            return _PLAIN.get(op, op)


_PLAIN: Mapping[str, str] = {
    "observe": "observe",
    "now": "ask for the time",
    "promoted": "verify that the release serves: a success from here on",
    "verify": "verify that the release serves",
    "put_traffic_back": "put the traffic back",
    "note_companions": "note what the companions run",
    "companions_back": "put the companions back",
    "restore": "restore what was there before",
}


def outcome(op: str, value: Any, error: Mapping[str, Any] | None) -> str:
    """What came of a call of the journal; empty where it was done, and there is no more to say."""
    if error is not None:
        found = error.get("found")
        return str(error["message"]) + (f" ({found})" if found else "")
    if not isinstance(value, Mapping):
        return ""
    if op in ("companions", "companions_back") and value.get("failed"):
        return "; ".join(f"{name}: {why}" for name, why in value["failed"].items())
    if op == "hook":
        return str(value.get("failed", ""))
    if "findings" in value:
        return evidence(value)
    if op == "check_health":
        return str(value["verdict"]) + (f", {value['reason']}" if value.get("reason") else "")
    if op == "pause":
        return f"promoted by {value.get('by') or 'nobody'}"
    return ""
