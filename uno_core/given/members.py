"""What is known of given instances: which there are, and which of them take part in a slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import frozen

from uno_core.config.options import option
from uno_core.model import Slot


@frozen(kw_only=True)
class Member:
    """One of the given instances that takes part in its slot.

    reason: why it gets no requests, in words; empty where it may. leaving: it drains.
    """

    reason: str = ""
    leaving: bool = False


class Members(Protocol):
    """Which of the given instances take part in a slot, and what stands in front of them says of each.

    Kept where every machine sees it: who takes part is what the slot is asked to run, and nothing else
    is remembered. Each method returns at once, and raises UnoErrors only.
    """

    def of(self, slot: Slot) -> Mapping[str, Member]:
        """Those that take part, by how they are named in the options; those that drain too."""

    def join(self, slot: Slot, targets: Sequence[str]) -> None:
        """Have these take part. Once more is the same."""

    def leave(self, slot: Slot, targets: Sequence[str]) -> None:
        """Have these take part no more, drained. Once more is the same."""

    def address(self, target: str) -> str:
        """Where one listens: `{host}` of the command and of `version_url`."""


@frozen(kw_only=True)
class GivenOptions:
    """The instances of each slot, and how a release gets onto one of them."""

    targets: Mapping[str, Sequence[str]] = option(
        factory=dict,
        help="the given instances of each slot, by address: {blue: [10.0.1.5], green: [10.0.1.6]}",
    )
    command: Sequence[str] = option(
        default=(), help="what puts a release on one of them; {host}, {id}, {slot}, {version} are filled in"
    )
    version_url: str = option(
        default="", help="where one of them says which version runs, as http://{host}:8080/version"
    )
    port: int = option(default=0, ge=0, le=65535, help="their port; 0: the one that the platform knows")

    def __attrs_post_init__(self) -> None:
        if self.version_url and not self.version_url.lower().startswith(("http://", "https://")):
            raise ValueError(f"version_url = {self.version_url}: expected http://… or https://…")
        if not self.targets:
            return
        if sorted(self.targets) != sorted(slot.value for slot in Slot):
            raise ValueError(
                f"targets: found {', '.join(self.targets)}; expected one of its own for blue and for green"
            )
        named = [one for found in self.targets.values() for one in found]
        if len(set(named)) != len(named) or not all(self.targets.values()):
            raise ValueError("targets: expected some for each slot, and none in both")
