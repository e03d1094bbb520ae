"""Whether a release serves, as it was observed: the only success there is."""

from __future__ import annotations

from uno_core.errors import NotServing
from uno_core.model import Release, Snapshot, needed, same_split, whole
from uno_core.rules import protects


@protects("success means that the release was seen to serve, whatever the strategy says", otherwise="")
def not_serving(snapshot: Snapshot, release: Release) -> str:
    """Why the release cannot be said to serve; empty where it does."""
    live = snapshot.live
    if live is None:
        return "nothing is routed"
    state = snapshot.slot(live)
    if not same_split(snapshot.split, whole(live)) or not same_split(snapshot.in_force, whole(live)):
        return f"{live} has {snapshot.in_force.get(live, 0.0):g} % of the traffic"
    if strangers := [r for r in state.releases if r != release]:
        return f"{', '.join(map(str, strangers))} runs in {live}"
    if state.ready() < needed(snapshot.size, 100):
        why = f" ({state.unready()})" if state.unready() else ""
        return f"{state.ready()} of {snapshot.size} instances are ready in {live}{why}"
    return ""


def check_serving(snapshot: Snapshot, release: Release) -> None:
    """Raises NotServing where the strategy says that the release serves, and it does not."""
    if complaint := not_serving(snapshot, release):
        serving = ", ".join(map(str, snapshot.releases)) or "nothing"
        if release in snapshot.releases:
            serving = f"not all that {release} needs"
        raise NotServing(
            f"the strategy reported success, but {serving} serves",
            found=complaint,
            expected=f"all traffic at ready instances of {release}, and of nothing else",
        )
