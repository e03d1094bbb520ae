"""Hooks: commands of the user's at certain moments of a deployment, at least once each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define

from uno_core.effects.commands import Command
from uno_core.effects.watching import Watch, look
from uno_core.effects.world import Attention, Tell, World
from uno_core.errors import HookFailed
from uno_core.model import Json
from uno_core.rules import protects

GRACE = 2.0
"""Seconds that a command has to end by itself, once it was asked to: the traffic may wait for it."""

POLL = 0.2
"""Seconds between two looks at a command."""


@define
class Hook:
    """One hook, run to its end; health and metrics are watched meanwhile.

    asked: the arguments of its call. told: what it is told in environment variables. left: the process
    of the last hook that a driver before started, this one or the one before it; it is waited for first,
    so that two never run at once.
    """

    world: World
    attention: Attention
    tell: Tell
    asked: Mapping[str, Any]
    told: Mapping[str, str]
    watching: Callable[[], Watch | None]
    left: Json = None

    @property
    def phase(self) -> str:
        return str(self.asked["phase"])

    def run(self) -> Json:
        """Run it. Raises HookFailed where it fails and that is not to be passed over, and Breach and
        Aborted as every wait does: the command is ended then.
        """
        end = self.world.clock.monotonic() + float(self.asked["timeout"])
        self._wait_for_another(end)
        self._say("started", run=list(self.asked["run"]))
        try:
            said = self._once(end)
        except HookFailed as problem:
            self._say("failed", problem=str(problem), goes_on=self._passes)
            if not self._passes:
                raise
            return {"failed": problem.found}
        self._say("done", said=said)
        return {"said": said}

    @property
    def _passes(self) -> bool:
        return bool(self.asked["on_failure"] == "continue")

    def _say(self, state: str, **more: Json) -> None:
        self.tell("hook", {"phase": self.phase, "id": str(self.asked["id"]), "state": state, **more})

    def _once(self, end: float) -> str:
        env = {**self.told, **{name: str(text) for name, text in self.asked.get("env", {}).items()}}
        command = self.world.commands.start(self.asked["run"], env, self.asked.get("secrets", {}))
        try:
            self._say("running", process=command.who())
            self._follow(command, end)
        except BaseException:
            self._end(command)
            raise
        code, said = command.ended(), command.said()
        if code:
            raise self._failed(f"exit code {code}" if code > 0 else f"ended by signal {-code}", said)
        return said

    def _follow(self, command: Command, end: float) -> None:
        clock = self.world.clock
        watch = self.watching() if command.ended() is None else None
        next_look = clock.monotonic()
        while command.ended() is None:
            self.attention.check()
            now = clock.monotonic()
            if now >= end:
                raise self._failed("it did not end in time", command.said())
            if watch is not None and now >= next_look:
                next_look = now + self.world.policy.look_every
                look(self.attention, self.tell, watch, clock.now())
            clock.sleep(min(POLL, end - now))

    @protects("a hook that a dead driver left running is waited for, and never runs beside itself")
    def _wait_for_another(self, end: float) -> None:
        """The command that a dead driver left running: it is run again, but never beside itself."""
        commands = self.world.commands
        if self.left is None or not commands.runs(self.left):
            return
        self._say("left")
        while commands.runs(self.left):
            self.attention.check()
            if self.world.clock.monotonic() >= end:
                commands.end(self.left)
                return
            self.world.clock.sleep(POLL)

    def _end(self, command: Command) -> None:
        """Kindly first."""
        command.end()
        end = self.world.clock.monotonic() + GRACE
        while command.ended() is None:
            if self.world.clock.monotonic() >= end:
                command.end(at_once=True)
                return
            self.world.clock.sleep(0.05)

    def _failed(self, found: str, said: str) -> HookFailed:
        return HookFailed(
            f"the hook {self.phase} failed",
            found=found + (f"; it said: {said}".replace("\n", "\n    ") if said else ""),
            expected=f"exit code 0 within {float(self.asked['timeout']):g} s",
            where=f"hooks.{self.phase}",
            remedy="mend it, or its timeout, and deploy again; with `on_failure: continue` it is only told",
        )
