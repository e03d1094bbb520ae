"""One run of a deployment (`deploy`, `rollback 1`, ...): the port that its context calls through.

This is the single way in which an effect reaches the world: a numbered call; its fingerprint
compared with what the journal holds; the intent on the disk; the effect; the result or the error
on the disk. What was recorded is answered from the record, and never performed again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from uno_core.clock import Clock
from uno_core.contracts.services import Logger
from uno_core.contracts.state import Entry, Lease, Mark, StateStore
from uno_core.effects.perform import Effects
from uno_core.errors import (
    Aborted,
    Breach,
    Nondeterminism,
    PluginError,
    StateError,
    UnoError,
    error_from_json,
)
from uno_core.model import Analysis, Json
from uno_core.wire import fingerprint, from_json, to_json

PATIENCE = 20.0
"""Seconds for which a journal that cannot be written is tried again, before the way forward ends."""

QUIET = ("wait", "pause")
"""What sends nothing: to go on with it is no new attempt, however often it is woken."""

AGAIN = ("drift", "lock-lost", "state", "nondeterminism")
"""Codes of errors that end a drive and not the deployment: what they ended is done again by a resume."""


class Run:
    """A port over the journal."""

    def __init__(
        self,
        store: StateStore,
        deployment: str,
        name: str,
        *,
        effects: Effects,
        clock: Clock,
        logger: Logger,
        lease: Callable[[], Lease | None] = lambda: None,
        way_back: bool = False,
    ) -> None:
        """`way_back`: a run that goes on without a journal that cannot be written, rather than not at all."""
        self._store = store
        self._deployment = deployment
        self._name = name
        self._effects = effects
        self._clock = clock
        self._logger = logger
        self._lease = lease
        self._way_back = way_back
        self._patience = 0.0 if way_back else PATIENCE
        self._recorded: dict[int, dict[Mark, Entry]] = {}
        # A way back is never replayed: what it restores may differ again since.
        for entry in () if way_back else self._read():
            self._recorded.setdefault(entry.seq, {})[entry.mark] = entry

    def call(self, seq: int, op: str, arguments: Mapping[str, Json]) -> Json:
        """Answer call number `seq` from the journal, or perform it."""
        fp = fingerprint(op, arguments)
        recorded = self._recorded.get(seq, {})
        for entry in recorded.values():
            if entry.fingerprint != fp:
                raise self._differs(seq, entry, op, arguments)
        begun, result = recorded.get(Mark.INTENT), recorded.get(Mark.RESULT)
        if begun is not None:
            self._effects.begin(op, begun.value)  # type: ignore[arg-type]  # intents are mappings
        if begun is not None and result is not None:
            return self._replayed(op, begun, result)
        self._effects.before(op)
        attempt = begun.attempt + (op not in QUIET) if begun else 1
        # A wait that was begun before keeps the end that it had then.
        intent = begun.value if begun else self._effects.intent(op, arguments)
        if not (begun and op in QUIET):
            self._append(seq, Mark.INTENT, attempt, op, fp, value=intent)
        try:
            value = self._effects.perform(op, intent)  # type: ignore[arg-type]  # intents are mappings
        except (Breach, Aborted) as ended:
            # It goes back whether that can be written or not: nobody waits for the store with a bad release.
            self._patience = 0.0
            try:
                self._append(seq, Mark.RESULT, attempt, op, fp, error=_ended(ended))
            except StateError as problem:
                self._logger.warning("what ended it goes unrecorded", op=op, problem=str(problem))
            raise
        except UnoError as problem:
            if problem.code not in AGAIN:
                self._append(seq, Mark.RESULT, attempt, op, fp, error=problem.as_json())
            raise
        except Exception as problem:
            # Only UnoErrors cross a contract: what else came out of a plugin is wrapped here.
            wrapped = PluginError(
                f"{op} failed with an error that is not uno's",
                found=f"{type(problem).__name__}: {problem}",
                where=type(problem).__module__,
                remedy="tell the plugin's author; --debug shows the traceback",
            )
            self._append(seq, Mark.RESULT, attempt, op, fp, error=wrapped.as_json())
            raise wrapped from problem
        self._append(seq, Mark.RESULT, attempt, op, fp, value=value)
        self._effects.attention.recorded()
        return value

    def _replayed(self, op: str, begun: Entry, result: Entry) -> Json:
        """What is recorded, once more: returned, or raised."""
        if result.error is not None:
            raise _again(result.error)
        self._effects.finish(op, begun.value, result.value)  # type: ignore[arg-type]  # intents are mappings
        if op == "pause":
            self._effects.attention.passed(result.at)
        return result.value

    def _read(self) -> Sequence[Entry]:
        try:
            return self._store.entries(self._deployment, self._name)
        except StateError:
            if not self._way_back:
                raise
            return ()

    def _append(
        self,
        seq: int,
        mark: Mark,
        attempt: int,
        op: str,
        fp: str,
        *,
        value: Json = None,
        error: Mapping[str, Json] | None = None,
    ) -> None:
        entry = Entry(
            run=self._name,
            seq=seq,
            mark=mark,
            attempt=attempt,
            op=op,
            fingerprint=fp,
            value=value,
            error=error,
            at=self._clock.now(),
        )
        try:
            self._write(entry)
        except StateError as problem:
            if not self._way_back:
                raise
            # A full disk must not keep the traffic at a bad release.
            self._logger.warning("the way back goes on unrecorded", op=op, problem=str(problem))
        self._logger.debug("journal", run=self._name, seq=seq, mark=mark.value, op=op)

    def _write(self, entry: Entry) -> None:
        """Write it; forward, a store that cannot be used is tried again for a while: it may be restarted."""
        end = self._clock.monotonic() + self._patience
        while True:
            try:
                self._store.append(self._deployment, entry, lease=self._lease())
            except StateError as problem:
                if self._clock.monotonic() >= end:
                    raise
                self._logger.warning("the journal cannot be written, again soon", problem=str(problem))
                self._clock.sleep(1.0)
            else:
                return

    def _differs(self, seq: int, entry: Entry, op: str, arguments: Mapping[str, Json]) -> Nondeterminism:
        return Nondeterminism(
            f"the strategy asks for something else than its journal holds, at call {seq} of {self._name}",
            found=f"{op} {dict(arguments)}",
            expected=f"{entry.op} {entry.value}",
            where=self._deployment,
            remedy="its code or its options changed since, or it is not deterministic: `uno rollback` takes"
            " the application back; or install what it was begun with, and `uno resume` again",
        )


def _ended(ended: Breach | Aborted) -> Mapping[str, Json]:
    """A verdict or an abort that ended a call, as JSON."""
    if isinstance(ended, Breach):
        return {"code": "breach", "message": str(ended), "analysis": to_json(ended.analysis)}
    return {"code": "aborted", "message": ended.reason, "by": ended.by}


def _again(error: Mapping[str, Json]) -> BaseException:
    """What ended a call, once more, on a replay."""
    if error["code"] == "breach":
        return Breach(from_json(error["analysis"], Analysis))
    if error["code"] == "aborted":
        return Aborted(str(error["message"]), str(error.get("by", "")))
    return error_from_json(error)
