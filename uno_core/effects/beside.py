"""What runs beside the slots: hooks of the user's, the strategy's own methods, and companions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define

from uno_core.contracts.platform import CompanionState
from uno_core.effects.hooking import Hook
from uno_core.effects.watching import Watch
from uno_core.effects.world import BRIEF, Attention, Tell, World
from uno_core.errors import ConfigError, HookFailed, LockLost, NotReady, UnoError
from uno_core.model import Json, Release, Slot

Arguments = Mapping[str, Any]

READY = 600.0
"""Seconds that a companion has to run its release."""


@define
class Beside:
    """Performs the calls of one run that are about neither slot.

    told: what hooks are told of the deployment, as environment variables. left: the hook that a
    driver before left running. watching: how the traffic of the release is watched meanwhile.
    """

    world: World
    attention: Attention
    tell: Tell
    strategy: object
    release: Release
    told: Mapping[str, str]
    left: Json
    watching: Callable[[], Watch | None]

    @property
    def operations(self) -> Mapping[str, Callable[[Arguments], Json]]:
        """What it performs, by name."""
        return {
            "call": self.call,
            "hook": self.hook,
            "note_companions": self.note_companions,
            "companions": self.companions,
            "companions_back": self.companions_back,
        }

    def call(self, a: Arguments) -> Json:
        """A method of the strategy's own."""
        self.tell("call", {"method": a["method"]})
        if self.world.dry:
            return None
        method = getattr(self.strategy, a["method"])
        try:
            answer: Json = method(**a["arguments"])
        except UnoError:
            raise
        except Exception as problem:
            raise HookFailed(
                f"{type(self.strategy).__name__}.{a['method']} failed",
                found=f"{type(problem).__name__}: {problem}",
            ) from problem
        return answer

    def hook(self, a: Arguments) -> Json:
        """Run a command; without one it is only noted that the deployment came so far."""
        if self.world.dry or not a["run"]:
            return None
        left = self.left if isinstance(self.left, Mapping) else {}
        return Hook(
            world=self.world,
            attention=self.attention,
            tell=self.tell,
            asked=a,
            told={**self._told_now(str(a["slot"])), "UNO_HOOK": a["phase"], "UNO_HOOK_ID": a["id"]},
            watching=self.watching,
            left=left.get("process"),
        ).run()

    def _told_now(self, slot: str) -> Mapping[str, str]:
        """The facts, and the addresses of the release's instances as they are now."""
        told = {**self.told, "UNO_SLOT": slot, "UNO_URLS": ""}
        try:
            state = self.world.clock.within(BRIEF, self.world.observe).slot(Slot(slot))
        except UnoError as problem:
            self.world.logger.warning("a hook is not told where its release runs", problem=str(problem))
            return told
        urls = [f"http://{i.host}:{i.port}" for i in state.instances if i.host and i.release == self.release]
        return {**told, "UNO_URLS": " ".join(urls)}

    def note_companions(self, a: Arguments) -> Json:
        """What they run before anything is changed: for the way back. Raises ConfigError for unknown ones."""
        if self.world.dry:
            return {}
        return {name: self._known.observe(name).captured for name in a["names"]}

    def companions(self, a: Arguments) -> Json:
        """Ask every one for the release. The application serves already: a failure is told, no more."""
        if self.world.dry:
            return {}
        failed = self._each(a["names"], lambda name: self.world.accompany(name, self.release))
        failed |= self._settle([name for name in a["names"] if name not in failed], self.release)
        return {"failed": dict(failed)}

    def companions_back(self, a: Arguments) -> Json:
        """Put every one back to what was noted of it."""
        noted: Mapping[str, Json] = a["noted"]
        failed = self._each(list(noted), lambda name: self.world.unaccompany(name, noted[name]))
        failed |= self._settle([name for name in noted if name not in failed], None)
        return {"failed": dict(failed)}

    @property
    def _known(self) -> Any:
        if self.world.companions is None:
            raise ConfigError(
                "this platform has no companions",
                where="companions",
                remedy="take `companions` out, or deploy them as applications of their own",
            )
        return self.world.companions

    def _each(self, names: Sequence[str], ask: Callable[[str], None]) -> dict[str, Json]:
        failed: dict[str, Json] = {}
        for name in names:
            try:
                ask(name)
            except LockLost:
                raise
            except UnoError as problem:
                failed[name] = self._failed(name, problem)
        return failed

    def _settle(self, names: Sequence[str], release: Release | None) -> dict[str, Json]:
        """Wait until each runs the release, or whatever it was put back to; what did not come about."""
        clock, failed, left = self.world.clock, dict[str, Json](), list(names)
        end = clock.monotonic() + READY
        while left:
            waits: dict[str, str] = {}
            for name in left:
                try:
                    state = self._known.observe(name)
                except UnoError as problem:
                    waits[name] = problem.message
                    continue
                if state.given_up:
                    failed[name] = self._failed(name, NotReady("it does not get ready", found=state.reason))
                elif not state.ready or (release is not None and _version(state) != release.version):
                    waits[name] = state.reason or f"it runs {state.release or 'nothing'}"
                else:
                    self.tell("companion", {"name": name, "state": "ready"})
            left = list(waits)
            if left and (clock.monotonic() >= end or self.attention.waiting()):
                for name, reason in waits.items():
                    failed[name] = self._failed(name, NotReady("it is not ready", found=reason))
                break
            if left:
                clock.sleep(1.0, self.attention.waiting)
        return failed

    def _failed(self, name: str, problem: UnoError) -> str:
        self.world.logger.warning("a companion could not be updated", companion=name, problem=str(problem))
        self.tell("companion", {"name": name, "state": "failed", "problem": str(problem)})
        return problem.message + (f": {problem.found}" if problem.found else "")


def _version(state: CompanionState) -> str:
    return state.release.version if state.release else ""
