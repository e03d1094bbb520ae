"""What happens between the calls of a strategy: hooks at their moments, companions after promotion.

Every one of them is a numbered call itself, so that a replay meets them where the first run did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from uno_core.context import Calls, Port
from uno_core.contracts.engine import ON_ROLLBACK, PHASES, Order
from uno_core.engine.recorded import forbidden
from uno_core.errors import HookFailed
from uno_core.model import Json, Slot, Snapshot
from uno_core.wire import counts_from_json


class Between(Calls):
    """The calls of the way forward. `left_behind`: companions that did not follow, and why."""

    def __init__(
        self,
        port: Port,
        *,
        order: Order,
        initial: Snapshot,
        deployment: str,
        forbid: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`forbid` is told why nothing may be taken back, once that is so."""
        super().__init__(port)
        self._forbid = forbid
        self._order = order
        self._live = initial.live
        self._slot = initial.idle
        self._id = deployment
        self._due = [p for p in PHASES if p in order.hooks or p == order.forbid_after]
        self._accompanied = not order.companions
        self.left_behind: Mapping[str, str] = {}

    def __call__(self, op: str, **arguments: Json) -> Any:
        if self._reaches_people(op, arguments):
            self.reach("before_traffic")
        if op in ("promoted", "verify"):
            self.reach("before_finish")
        answer = super().__call__(op, **arguments)
        if op == "set_traffic" and _share(arguments, self._slot) == 100:
            self.reach("after_traffic")
        if op in ("promoted", "verify") and not self._accompanied:
            self._accompanied = True
            came = super().__call__("companions", names=list(self._order.companions))
            self.left_behind = dict(came.get("failed", {}))
        return answer

    def begin(self) -> None:
        """What comes before anything that the strategy does."""
        if self._order.companions:
            super().__call__("note_companions", names=list(self._order.companions))
        self.reach("before_deploy")

    def reach(self, phase: str) -> None:
        """Run what is due up to this moment, in order, once. Its failure ends the strategy."""
        while self._due and PHASES.index(self._due[0]) <= PHASES.index(phase):
            due = self._due.pop(0)
            if due == self._order.forbid_after:
                self._forbid(forbidden(due))
            try:
                super().__call__("hook", **asked(self._order, due, self._id, self._slot))
            except HookFailed as problem:
                self.unwound = problem  # whatever the strategy's `except` makes of it
                raise

    def _reaches_people(self, op: str, arguments: Mapping[str, Json]) -> bool:
        """Whether the call lets the first request go to the new release."""
        if op == "set_traffic":
            return _share(arguments, self._slot) > 0
        in_place = op == "converge" and arguments["slot"] == self._live and self._wants(arguments)
        if in_place and self._live is not None:
            self._slot = self._live
        return in_place

    def _wants(self, arguments: Mapping[str, Json]) -> bool:
        return counts_from_json(arguments["counts"]).get(self._order.release, 0) > 0


def asked(order: Order, phase: str, deployment: str, slot: Slot) -> Mapping[str, Json]:
    """The arguments of the call that runs the hook of a moment."""
    hook = order.hooks.get(phase, {"run": [], "timeout": 0.0, "on_failure": "rollback"})
    return {"phase": phase, "id": f"{deployment}/{phase}", "slot": slot.value, **hook}


def back(order: Order, deployment: str, initial: Snapshot) -> Mapping[str, Json] | None:
    """The arguments of the call that runs the hook of the way back; None where there is none."""
    if ON_ROLLBACK not in order.hooks:
        return None
    return asked(order, ON_ROLLBACK, deployment, initial.live or initial.idle)


def told(order: Order, initial: Snapshot, deployment: str) -> Mapping[str, str]:
    """What hooks are told of a deployment, in environment variables."""
    return {
        "UNO_DEPLOYMENT": deployment,
        "UNO_APPLICATION": order.application.name,
        "UNO_ENVIRONMENT": order.application.environment,
        "UNO_STRATEGY": order.strategy_name,
        "UNO_VERSION": order.release.version,
        "UNO_PREVIOUS_VERSION": ", ".join(map(str, initial.releases)),
        "UNO_LIVE_SLOT": initial.live.value if initial.live else "",
        "UNO_REASON": order.reason,
    }


def _share(arguments: Mapping[str, Json], slot: Slot) -> float:
    split: Any = arguments["split"]
    return float(split.get(slot.value, 0.0))
