"""What a GitOps manager does all day: applies what is in git again, and deletes what is there no longer."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import Any, Self

from attrs import define, field

from tests.cluster.api import Object
from tests.cluster.namespaced import Namespaced

TRACKING = "argocd.argoproj.io/tracking-id"


@define
class Reconciler:
    """Self-heals and prunes, as Argo CD with these ignore rules does; `healed` and `pruned` tell what it did.

    What is in git is compared with what is there, field by field, but for the fields that are ignored.
    """

    there: Namespaced
    git: Sequence[Object]
    ignored: Sequence[str] = ()
    every: float = 0.3
    healed: list[str] = field(factory=list)
    pruned: list[str] = field(factory=list)
    _leave: threading.Event = field(init=False, factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        self._thread.join()

    def _work(self) -> None:
        while True:
            self.reconcile()
            if self._leave.wait(self.every):
                return

    def reconcile(self) -> None:
        api, names = self.there.cluster.api, set()
        for thing in self.git:
            wanted = self._tracked(thing)
            path = f"{self._folder(thing)}/{wanted['metadata']['name']}"
            names.add(path)
            found = next((o for o in self._tracked_there(thing) if _name(o) == _name(wanted)), None)
            if found is None or _differs(wanted, found):
                api.call("PATCH", path, wanted, kind="application/apply-patch+yaml",
                         query={"fieldManager": "argocd-controller", "force": "true"})  # fmt: skip
                self.healed.append(f"{thing['kind']} {_name(thing)}")
        for thing in {one["kind"]: one for one in self.git}.values():
            for one in self._tracked_there(thing):
                path = f"{self._folder(thing)}/{_name(one)}"
                if path not in names:
                    api.call("DELETE", path)
                    self.pruned.append(f"{thing['kind']} {_name(one)}")

    def _tracked(self, thing: Object) -> Object:
        made = copy.deepcopy(thing)
        made["metadata"].setdefault("annotations", {})[TRACKING] = f"my-app:{thing['kind']}:{_name(thing)}"
        for rule in self.ignored:
            kind, _, path = rule.partition(" ")
            if kind == thing["kind"]:
                *outer, last = path.split(".")
                inner: Any = made
                for key in outer:
                    inner = inner[key]
                inner.pop(last, None)
        return made

    def _tracked_there(self, thing: Object) -> list[Object]:
        found = self.there.cluster.api.get(self._folder(thing))["items"]
        for one in found:  # a list says it once, for all of them
            one.update(apiVersion=thing["apiVersion"], kind=thing["kind"])
        return [one for one in found if TRACKING in (one["metadata"].get("annotations") or {})]

    def _folder(self, thing: Object) -> str:
        group = "/api/v1" if thing["apiVersion"] == "v1" else f"/apis/{thing['apiVersion']}"
        return f"{group}/namespaces/{self.there.name}/{thing['kind'].lower()}s"


def _name(thing: Object) -> str:
    return str(thing["metadata"]["name"])


def _differs(wanted: Any, found: Any) -> bool:
    """Whether applying what is wanted would change it. A selector is one value, which is replaced as such."""
    if isinstance(wanted, dict):
        return not isinstance(found, dict) or any(
            v != found.get(k) if k == "selector" else _differs(v, found.get(k)) for k, v in wanted.items()
        )
    if isinstance(wanted, list):
        return not isinstance(found, list) or len(wanted) != len(found) or any(map(_differs, wanted, found))
    return bool(wanted != found)
