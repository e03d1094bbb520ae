"""Whether the split is still uno's own, or somebody else's by now."""

from __future__ import annotations

from collections.abc import Sequence

from uno_core.errors import Drift
from uno_core.model import Slot, Split, same_split
from uno_core.rules import protects


def show(split: Split) -> str:
    """A split for a person: `blue 90 %, green 10 %`."""
    return ", ".join(f"{slot} {split.get(slot, 0.0):g} %" for slot in Slot) if split else "no route"


@protects("a split that somebody else wrote stops the deployment, and is not overwritten")
def check_drift(held: Split, own: Sequence[Split]) -> None:
    """Raises Drift where the control plane holds none of uno's own splits.

    `own` is what uno last saw in force, and what it has asked for since without an answer.
    """
    if own and not any(same_split(held, one) for one in own):
        raise drift(own[0], held)


def drift(expected: Split, found: Split) -> Drift:
    """Somebody else wrote the split: both sides."""
    return Drift(
        "somebody else changed the split",
        found=show(found),
        expected=show(expected),
        remedy="find out who did; then `uno resume --reassert` writes uno's own again, or `uno rollback`"
        " takes the application back",
    )


@protects("what uno itself asked for without an answer is not taken for somebody else's", otherwise=())
def unanswered(asked: Sequence[Split]) -> Sequence[Split]:
    """The splits that were asked for and never seen in force: each of them may be there now."""
    return asked
