"""How the state lies in ConfigMaps: what each is called, what is in it, and how it is read and written.

`uno-<key>.index` decides who begins; `uno-<id>` is a deployment with its words, `uno-<id>.journal-<k>` its
lines, `uno-<id>.checkpoint` what was seen last. Labels say which application each belongs to.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen

from uno_core import Entry, Forbidden, Json, Record, Signal, StateError, from_json, to_json
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.mirror import Mirror
from uno_platform_kubernetes.objects import APPLICATION, annotations_of, name_of

if TYPE_CHECKING:
    from uno_platform_kubernetes.lease import Shelf

Object = Mapping[str, Any]

KIND = "uno.dev/kind"
"""Label: index, deployment, journal, checkpoint or lock."""

CALLED = "uno.dev/called"
"""Label of a deployment for which there is a word that is not answered."""

FENCE = "uno.dev/fence"
"""Annotation: the newest epoch of each lease that may be written with here, as JSON."""

NEXT = "uno.dev/next"
"""Annotation of a part of a journal that is full: nothing is written to it any more."""

PART = 64 * 1024
"""Bytes of one part of a journal. All of it is stored anew with every line, so it is kept small."""

PLAIN = 16 * 1024
"""Longer texts are compressed; shorter ones can be read with kubectl."""

LARGEST = 1000 * 1024
"""Bytes that a ConfigMap takes, less what surrounds them."""

OFTEN, IDLE, TRUSTED = 10, 5.0, 10.0
"""Looks until a thing is watched, seconds between two of them, and seconds that the watch is believed."""


def slug(key: str) -> str:
    """A name that Kubernetes takes, in labels too: the key where it can be, else its like and a hash."""
    if len(key) <= 50 and re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", key):
        return key
    like = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")[:39]
    return f"{like}-{hashlib.sha256(key.encode()).hexdigest()[:10]}".lstrip("-")


def key_of(id: str) -> str:
    """The application and its environment, of the id of a deployment."""
    return id.rpartition("-")[0]


def number_of(id: str) -> int:
    last = id.rpartition("-")[2]
    return int(last) if last.isdigit() else 0


def deployment_name(id: str) -> str:
    key, _, number = id.rpartition("-")
    return f"uno-{slug(key)}-{number}" if key and number.isdigit() else f"uno-{slug(id)}"


def index_name(key: str) -> str:
    return f"uno-{slug(key)}.index"


def journal_name(id: str, number: int) -> str:
    return f"{deployment_name(id)}.journal-{number}"


def checkpoint_name(id: str) -> str:
    return f"{deployment_name(id)}.checkpoint"


def config_map(kind: str, key: str, name: str, data: Mapping[str, str], **annotations: str) -> Object:
    labels = {KIND: kind, APPLICATION: slug(key)}
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def packed(value: Any) -> str:
    """JSON, compressed where it is long. Raises StateError where it is too much for one object."""
    text = json.dumps(value)
    if len(text) > PLAIN:
        text = "gz:" + base64.b64encode(compressed(text)).decode()
    if len(text) > LARGEST:
        raise StateError(
            "this is too much to be kept in one ConfigMap", found=f"{len(text)} bytes, compressed",
            expected=f"{LARGEST} at the most", remedy="keep the state elsewhere: state: postgresql://…",
        )  # fmt: skip
    return text


def unpacked(text: str) -> Any:
    if text.startswith("gz:"):
        text = gzip.decompress(base64.b64decode(text[3:])).decode()
    return json.loads(text)


def compressed(text: str) -> bytes:
    return gzip.compress(text.encode(), compresslevel=6, mtime=0)


def fences_of(thing: Object | None) -> Mapping[str, int]:
    found: Mapping[str, int] = json.loads(annotations_of(thing).get(FENCE, "{}")) if thing else {}
    return found


def fenced(thing: Object | None, key: str, epoch: int) -> str:
    """The annotation of what may be written from now on with this epoch, or a newer one."""
    known = fences_of(thing)
    return json.dumps({**known, key: max(epoch, known.get(key, 0))})


def version_of(thing: Object) -> str:
    return str(thing["metadata"]["resourceVersion"])


@frozen
class Kept:
    """A deployment's ConfigMap, read. `claim`: the turn it is under way by; `began`: its place among all."""

    thing: Object

    @property
    def record(self) -> Record | None:
        """None where there is nothing but words for it."""
        text = self._data.get("record")
        return from_json(unpacked(text), Record) if text else None

    @property
    def claim(self) -> int:
        return int(self._data.get("claim", 0))

    @property
    def began(self) -> int:
        return int(self._data.get("began", 0))

    @property
    def signals(self) -> Sequence[Signal]:
        text = self._data.get("signals")
        return [from_json(row, Signal) for row in unpacked(text)] if text else []

    @property
    def next_signal(self) -> int:
        """The number of the next word: no two objects, and no two states of one, share a version."""
        version = version_of(self.thing)
        return max([int(version) if version.isdigit() else 0, *(signal.id + 1 for signal in self.signals)])

    @property
    def _data(self) -> Mapping[str, str]:
        return self.thing.get("data") or {}


def with_signals(signals: Sequence[Signal]) -> Object:
    """The change to a deployment that leaves these words for it."""
    called = "true" if any(not signal.answer for signal in signals) else None
    data = {"signals": packed([to_json(signal) for signal in signals])}
    return {"metadata": {"labels": {CALLED: called}}, "data": data}


@frozen(kw_only=True)
class Claim:
    """A turn to be under way, and all that is needed to carry it out where whoever took it died.

    turn: grows with each. nonce: tells whoever took it that it was them, where the answer was lost. done:
    it was carried out; what is not there any more was deleted since, and stays so.
    """

    turn: int
    nonce: str
    record: Record
    done: bool = False


@frozen(kw_only=True)
class Index:
    """What decides who begins: the last number given, and the last claim of each application in its place."""

    last: int = 0
    turn: int = 0
    claims: Mapping[str, Claim] = field(factory=dict)

    @classmethod
    def of(cls, thing: Object | None) -> Index:
        text = ((thing or {}).get("data") or {}).get("index")
        return from_json(unpacked(text), cls) if text else cls()

    def due(self, id: str) -> Claim | None:
        """The claim of a deployment that may have to be carried out yet."""
        return next((one for one in self.claims.values() if one.record.id == id and not one.done), None)

    def claimed(self, record: Record, nonce: str) -> Index:
        """With one more turn, and one more number where the record has none."""
        last = self.last if record.id else self.last + 1
        record = evolve(record, id=record.id or f"{application_of(record)}-{last}")
        claim = Claim(turn=self.turn + 1, nonce=nonce, record=record)
        return Index(last=last, turn=claim.turn, claims={**self.claims, place_of(record): claim})


def application_of(record: Record) -> str:
    return f"{record.application}-{record.environment}"


def place_of(record: Record) -> str:
    """`shop` in `eu-live` and `shop-eu` in `live` share an index, and are two."""
    return f"{record.application}/{record.environment}"


class Journal:
    """The lines of one deployment, in as many parts as they need.

    Whoever knows all lines of the last part, in its newest version, knows all lines: a part is closed,
    by a change to it, before there is a next one. So one conditional write of the line is enough.
    """

    def __init__(self, shelf: Shelf, id: str) -> None:
        self._shelf, self._id = shelf, id
        self._parts: list[Object] = []
        self._lines: dict[tuple[Any, ...], Json] = {}
        self._fresh = False
        self._guard = threading.Lock()

    def entries(self) -> Sequence[Entry]:
        """As they are now, in the order in which they were written."""
        self._read()
        return [from_json(line, Entry) for line in self._lines.values()]

    def append(self, entry: Entry, check: Callable[[Object | None], None]) -> None:
        """`check` is shown the part that would be written to, and raises where that must not be."""
        line = to_json(entry)
        text = packed(line)

        def work() -> None:
            if not self._fresh:
                self._read()
            known = self._lines.get(_identity(line))
            if known is not None:
                return self._refuse_another(known, json.loads(json.dumps(line)))
            check(self._last)
            self._fresh = False  # until the write is known to have been made
            self._write(text)
            self._lines[_identity(line)] = json.loads(json.dumps(line))
            self._fresh = True
            return None

        with self._guard:
            self._shelf.written(work)

    def fence(self, key: str, epoch: int) -> None:
        """Change what any line would be written to, so that whoever read it before cannot write.

        Where the last part is closed the next one is made here: else it would be for them to make.
        """

        def work() -> None:
            self._read()
            if self._last is None or _closed(self._last):
                self._add({}, fenced(self._last, key, epoch))
            else:
                self._change({"metadata": {"annotations": {FENCE: fenced(self._last, key, epoch)}}})

        self._shelf.written(work)

    def remove(self) -> None:
        """All parts, the last one first: what is left of an interruption is still found."""
        self._read()
        for part in reversed(self._parts):
            self._shelf.remove(name_of(part))

    @property
    def _last(self) -> Object | None:
        return self._parts[-1] if self._parts else None

    def _write(self, text: str) -> None:
        last = self._last
        if last is not None and not _closed(last):
            lines = last.get("data") or {}
            if not lines or sum(map(len, lines.values())) + len(text) <= PART:
                self._change({"data": {f"{len(lines) + 1:05}": text}})
                return
            self._change({"metadata": {"annotations": {NEXT: str(len(self._parts) + 1)}}})
        self._add({"00001": text}, annotations_of(last).get(FENCE, "{}") if last else "{}")

    def _change(self, change: Object) -> None:
        part = self._parts[-1]
        self._parts[-1] = self._shelf.change(name_of(part), change, version_of(part))

    def _add(self, lines: Mapping[str, str], fence: str) -> None:
        """The next part. It inherits the fence: a former owner must not find one without."""
        name = journal_name(self._id, len(self._parts) + 1)
        made = config_map("journal", key_of(self._id), name, lines, **{FENCE: fence})
        self._parts.append(self._shelf.add(made))

    def _read(self) -> None:
        """The last part anew, and those after it; closed ones do not change any more."""
        del self._parts[-1:]
        while (part := self._shelf.find(journal_name(self._id, len(self._parts) + 1))) is not None:
            self._parts.append(part)
            if not _closed(part):
                break
        lines = [
            unpacked(text) for part in self._parts for _, text in sorted((part.get("data") or {}).items())
        ]
        self._lines = {_identity(line): line for line in lines}
        self._fresh = True

    def _refuse_another(self, known: Json, line: Json) -> None:
        if known != line:
            raise StateError(
                "this line of the journal was written already, with other words",
                found=f"{self._id} {' '.join(map(str, _identity(line)))}", where=self._shelf.where,
                remedy="two drivers wrote one deployment: uno show tells what each did",
            )  # fmt: skip


def _closed(part: Object) -> bool:
    return NEXT in annotations_of(part)


def _identity(line: Any) -> tuple[Any, ...]:
    return tuple(line[name] for name in ("run", "seq", "mark", "attempt"))


@define
class _Poll:
    mirror: Mirror
    looks: int = 0
    last: float = 0.0
    asked: float = 0.0


class Polls:
    """Objects by name. One that is looked at often is watched after a while, and then asks nothing.

    Watched, it is behind by as long as a change takes to get here. So whoever has just got the lease
    forgets it all; and now and then it is asked for all the same, since a watch may be dead unseen.
    """

    def __init__(self, cluster: Cluster, shelf: Shelf) -> None:
        self._cluster, self._shelf = cluster, shelf
        self._polls: dict[str, _Poll] = {}
        self._guard = threading.Lock()

    def look(self, name: str) -> Object | None:
        now = self._shelf.clock.monotonic()
        with self._guard:
            poll = self._poll(name, now)
        if poll.looks > OFTEN and now - poll.asked < TRUSTED:
            with self._shelf.told():
                try:
                    return poll.mirror.get(name)
                except Forbidden:
                    pass  # to watch is another right than to get
        found = self._shelf.find(name)
        poll.asked = now
        if found is not None:
            poll.mirror.keep(found)
        return found

    def keep(self, thing: Object) -> None:
        """What was written here is seen here at once."""
        poll = self._polls.get(name_of(thing))
        if poll is not None:
            poll.mirror.keep(thing)

    def forget(self) -> None:
        with self._guard:
            for poll in self._polls.values():
                poll.mirror.close()
            self._polls = {}

    def _poll(self, name: str, now: float) -> _Poll:
        for idle in [name for name, poll in self._polls.items() if now - poll.last > IDLE]:
            self._polls.pop(idle).mirror.close()
        if name not in self._polls:
            path, clock = self._cluster.core("configmaps"), self._shelf.clock
            query = {"fieldSelector": f"metadata.name={name}"}
            self._polls[name] = _Poll(Mirror(self._cluster.api, path, self._cluster.changes, clock, **query))
        poll = self._polls[name]
        poll.looks, poll.last = poll.looks + 1, now
        return poll
