"""The half that runs releases where the instances are given: a command puts a release on each of them.

What is in its target group is what a slot is asked to run, so that another process finds it there. A target
that gets another release is deregistered first, drains, is given the release by the command, says by its
`version_url` that it runs it, and is registered again. Each look goes one step on; nothing is waited for.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
from attrs import define

from uno_core import (
    ConfigError,
    Counts,
    Instance,
    Json,
    PlatformError,
    Release,
    Slot,
    SlotState,
    WorkloadState,
)
from uno_platform_aws_alb.balancer import Balancer, why
from uno_platform_aws_alb.looks import Looks

PATIENCE = 2.0
"""Seconds that an instance has to say which version it runs."""


ENDING = 5.0
"""Seconds that a command has to end when it is told to."""


@define
class Placing:
    """One run of the command. said: the file that its output goes to."""

    release: Release
    process: subprocess.Popen[bytes]
    said: Path

    @classmethod
    def begin(cls, release: Release, command: Sequence[str]) -> Placing:
        """Raises OSError where it cannot be started."""
        number, name = tempfile.mkstemp(prefix="uno-command-")
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=number, stderr=number)
        finally:
            os.close(number)
        return cls(release, process, Path(name))

    def ended(self) -> int | None:
        return self.process.poll()

    def last_words(self) -> str:
        text = self.said.read_text(errors="replace")[-2000:] if self.said.exists() else ""
        lines = [one.strip() for one in text.splitlines() if one.strip()]
        return lines[-1] if lines else "it said nothing"

    def forget(self) -> None:
        """Whoever goes on begins it anew: two of them at one instance would be in each other's way."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(ENDING)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.said.unlink(missing_ok=True)


class GivenWorkload:
    """Puts releases on given addresses or EC2 instances, and has them in their target group or not."""

    def __init__(self, balancer: Balancer) -> None:
        self.balancer, self.aws = balancer, balancer.aws
        self.options = balancer.options.workload
        self._asked: dict[Slot, Counts] = {}
        self._placing: dict[str, Placing] = {}
        self._failed: dict[str, tuple[Release, str]] = {}
        self._versions: dict[str, str] = {}
        self._looks = Looks(balancer.options.healthy_looks)

    @cached_property
    def targets(self) -> Mapping[Slot, Sequence[str]]:
        """Those of each slot. Raises ConfigError where they are not named, or nothing tells what they run."""
        named = self.options.targets
        lacking = [
            f"platform.workload.{name}"
            for name in ("targets", "command", "version_url")
            if not getattr(self.options, name)
        ]
        if lacking:
            raise ConfigError(
                "given instances need more than this to be deployed to", found=f"no {', no '.join(lacking)}",
                expected="targets: {blue: […], green: […]}, command: […] and version_url",
                where="platform.workload",
                remedy="without version_url nobody could verify what runs there",
            )  # fmt: skip
        return {slot: tuple(named[slot.value]) for slot in Slot}

    def check(self) -> None:
        """Raises ConfigError where it cannot work."""
        _ = self.targets

    # What is to run

    def resolve(self, release: Release) -> Release:
        """A version is all that is known of it: the instances tell no more."""
        if not release.version.strip() or any(one.isspace() for one in release.version):
            raise ConfigError(
                "that cannot be a version", found=repr(release.version), expected="one word",
                where="--version", remedy="name what version_url answers with once it runs",
            )  # fmt: skip
        return Release(release.version, release.version)

    def converge(self, slot: Slot, counts: Counts) -> None:
        wanted = {self.resolve(release): count for release, count in counts.items() if count > 0}
        if len(wanted) > 1:
            raise ConfigError(
                f"{slot} holds one release", found=", ".join(map(str, wanted)), expected="one release a slot"
            )
        if sum(wanted.values()) > len(self.targets[slot]):
            raise ConfigError(
                f"{sum(wanted.values())} instances are more than {slot} has",
                found=f"{len(self.targets[slot])} targets", expected="as many as are asked for, or fewer",
                where=f"platform.workload.targets.{slot}",
                remedy="name more of them, or set platform.instances lower",
            )  # fmt: skip
        for target in self.targets[slot]:
            self._failed.pop(target, None)  # whoever asks again has it tried again
        self._asked[slot] = wanted
        self._go_on(slot, self._rows(slot))

    def restore(self, captured: Json, slot: Slot) -> None:
        if not isinstance(captured, Mapping) or slot.value not in captured:
            raise PlatformError(
                "that was not captured by this platform", found=str(captured)[:200],
                expected=f"what observe() captured, with the key {slot.value}",
            )  # fmt: skip
        before: Any = captured[slot.value]
        self.converge(slot, {Release(version, version): int(n) for version, n in before.items()})

    # What runs

    def observe(self) -> WorkloadState:
        slots = {slot: self._slot(slot) for slot in Slot}
        captured: Json = {
            slot.value: {release.version: n for release, n in state.wanted.items()}
            for slot, state in slots.items()
        }
        least = min(len(targets) for targets in self.targets.values())
        return WorkloadState(
            slots=slots, size=self.balancer.options.instances or max(1, least), captured=captured
        )

    def _slot(self, slot: Slot) -> SlotState:
        rows = self._rows(slot)
        if slot in self._asked:
            self._go_on(slot, rows)
            rows = self._rows(slot)
        there = [target for target in self.targets[slot] if _in(rows, target)]
        first = self._looks.first(slot.value)
        instances = [self._registered(target, rows[target], first=first) for target in there]
        if (asked := self._asked.get(slot)) is not None:
            instances += self._coming(slot, rows)
            wanted = dict(asked)
        else:
            found = [one.release for one in instances]
            wanted = {release: found.count(release) for release in dict.fromkeys(found)}
        return SlotState(wanted=wanted, instances=tuple(sorted(instances, key=lambda one: one.id)))

    def _rows(self, slot: Slot) -> dict[str, Mapping[str, Any]]:
        """The health of the slot's targets that are in its group, those that drain too."""
        rows = self.balancer.health(self.balancer.groups[slot])
        mine = set(self.targets[slot])
        return {str(row["Target"]["Id"]): row["TargetHealth"] for row in rows if row["Target"]["Id"] in mine}

    def _registered(self, target: str, health: Mapping[str, Any], *, first: bool) -> Instance:
        version = self._version(target)
        reason = why(health) if version else f"{self._url(target)} does not say which version runs"
        known = version or self._versions.get(target, "unknown")
        reason = self._looks.why(target, reason, first=first)
        return Instance(
            id=f"{target}@{known}", release=Release(known, known), ready=not reason, reason=reason,
            host=self._address(target), port=self.options.port,
        )  # fmt: skip

    def _coming(self, slot: Slot, rows: Mapping[str, Mapping[str, Any]]) -> list[Instance]:
        """Those that are to get the release and are not in the group yet, with what they wait for."""
        made = []
        for target, release in self._chosen(slot, rows):
            failed = self._failed.get(target)
            if failed is not None:
                reason = failed[1]
            elif target in self._placing:
                reason = "the command runs"
            elif target in rows:
                reason = "it drains before it is given the release"
            else:
                reason = f"{self._url(target)} does not tell {release} yet"
            made.append(
                Instance(
                    id=f"{target}@{release.version}",
                    release=release,
                    ready=False,
                    reason=reason,
                    given_up=failed is not None,
                )
            )
        return made

    def close(self) -> None:
        """End what is under way."""
        for one in self._placing.values():
            one.forget()
        self._placing.clear()

    # Going on, a step at a time

    def _chosen(self, slot: Slot, rows: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Release]]:
        """The targets that still have to get the release: those that are nearest to it first."""
        ((release, count),) = self._asked[slot].items() or [(Release(""), 0)]
        staying = self._staying(slot, rows)
        left = [target for target in self.targets[slot] if target not in staying]

        def far(target: str) -> tuple[bool, bool, bool]:
            busy = target in self._placing and self._placing[target].release == release
            return (not busy, self._version(target) != release.version, _in(rows, target))

        return [(target, release) for target in sorted(left, key=far)[: max(0, count - len(staying))]]

    def _staying(self, slot: Slot, rows: Mapping[str, Mapping[str, Any]]) -> set[str]:
        """Those in the group that run the release already, as many as are wanted; the healthy ones first."""
        wanted = next(iter(self._asked[slot].items()), None)
        if wanted is None:
            return set()
        fit = [
            target
            for target in self.targets[slot]
            if _in(rows, target) and self._held(target, rows[target], wanted[0]) == wanted[0].version
        ]
        fit.sort(key=lambda target: rows[target]["State"] != "healthy")
        return set(fit[: wanted[1]])

    def _held(self, target: str, health: Mapping[str, Any], wanted: Release) -> str:
        """What a target in the group runs. One that does not say so this once is not taken out for it."""
        unsaid = wanted.version if health["State"] == "healthy" else ""
        return self._version(target) or self._versions.get(target) or unsaid

    def _go_on(self, slot: Slot, rows: Mapping[str, Mapping[str, Any]]) -> None:
        staying = self._staying(slot, rows)
        out = [target for target in self.targets[slot] if _in(rows, target) and target not in staying]
        if out:
            self._change(slot, "deregister_targets", out)
        into = []
        for target, release in self._chosen(slot, rows):
            if target in rows or target in self._failed:
                continue  # it has just been taken out, or drains; or nobody knows how to go on
            if not self._placed(target, release):
                continue
            if self._version(target) == release.version:
                into.append(target)
        if into:
            self._change(slot, "register_targets", into)

    def _placed(self, target: str, release: Release) -> bool:
        """Whether the command need not run, or has run; begins it where it has not."""
        running = self._placing.get(target)
        if running is None:
            if self._version(target) == release.version:
                return True
            self._begin(target, release)
            return False
        code = running.ended()
        if code is None:
            return False
        if running.release != release:
            self._placing.pop(target).forget()
            return False
        if code:
            told = f"the command ended with {code}: {running.last_words()}"
            self._failed[target] = (release, told)
            self._placing.pop(target).forget()
            return False
        if self._version(target) == release.version:
            self._placing.pop(target).forget()
        return True

    def _begin(self, target: str, release: Release) -> None:
        slot = next(slot for slot, targets in self.targets.items() if target in targets)
        values = {"slot": slot.value, "version": release.version, "host": self._address(target), "id": target}
        command = [_filled(part, values) for part in self.options.command]
        try:
            self._placing[target] = Placing.begin(release, command)
        except OSError as problem:
            self._failed[target] = (release, f"the command cannot be started: {problem}")

    def _change(self, slot: Slot, operation: str, targets: Sequence[str]) -> None:
        port = {"Port": self.options.port} if self.options.port else {}
        rows = [{"Id": target, **port} for target in targets]
        # Once more is the same.
        self.aws.read("elbv2", operation, TargetGroupArn=self.balancer.groups[slot], Targets=rows)

    # What an instance says

    def _url(self, target: str) -> str:
        return _filled(self.options.version_url, {"host": self._address(target), "id": target})

    def _version(self, target: str) -> str:
        """What it runs, by its own word; empty where it does not say."""
        try:
            answer = requests.get(self._url(target), timeout=PATIENCE, allow_redirects=False)
        except requests.RequestException:
            return ""
        if answer.status_code != 200:
            return ""
        version = _read(answer.text)
        if version:
            self._versions[target] = version
        return version

    def _address(self, target: str) -> str:
        if not target.startswith("i-"):
            return target
        if target not in self._addresses:
            answer = self.aws.read("ec2", "describe_instances", InstanceIds=[target])
            self._addresses[target] = str(answer["Reservations"][0]["Instances"][0]["PrivateIpAddress"])
        return self._addresses[target]

    @cached_property
    def _addresses(self) -> dict[str, str]:
        return {}


def _in(rows: Mapping[str, Mapping[str, Any]], target: str) -> bool:
    """Whether a target is in its group, and does not drain away."""
    return target in rows and rows[target]["State"] != "draining"


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _read(text: str) -> str:
    """A version: `version` of a JSON object, else the first word."""
    try:
        value = json.loads(text)
    except ValueError:
        return next(iter(text.split()), "")
    return str(value.get("version", "")) if isinstance(value, dict) else str(value)
