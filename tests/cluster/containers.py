"""One container of a pod: a real local process, its logs, and what it is given to run with."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.api import Api, Object, Refused, now
from tests.cluster.children import begin, kill

PROGRAM = [sys.executable, "-I", "-S", str(Path(__file__).with_name("serve.py"))]
"""What an image runs where the pod gives no command."""


class Misconfigured(Exception):
    """The container cannot be created: what it refers to is not there."""


class Container:
    """Starts, ends and tells of it in the words of a pod's status; `ended` is called when the process did."""

    def __init__(self, spec: Object, folder: Path, address: str, ended: Callable[[], None]) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self.folder = folder / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.address = address
        self.ended = ended
        self.restarts = 0
        self.process: subprocess.Popen | None = None
        self.environ: dict[str, str] = {}
        self.started = False
        """Whether its startup probe has passed."""
        self.ready = False
        self.waiting: Object = {"reason": "ContainerCreating"}
        self.last: Object = {}
        self.began = ""
        self.done: Object | None = None

    @property
    def running(self) -> bool:
        return self.process is not None and self.done is None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.restarts}.log"

    def log_of(self, previous: bool) -> Path:
        return self.folder / f"{self.restarts - 1}.log" if previous else self.log

    def start(self, environ: dict[str, str]) -> None:
        """Raises OSError: there is no such program."""
        if self.done is not None:
            self.last, self.done = self.done, None
            self.restarts += 1
        self.environ = environ
        command = [*(self.spec.get("command") or PROGRAM), *(self.spec.get("args") or ())]
        command = [expanded(word, environ) for word in command]
        self.process = begin(command, self.log, cwd=self.folder, env=environ)
        self.began = now()
        threading.Thread(target=self._wait, args=(self.process,), daemon=True).start()

    def _wait(self, process: subprocess.Popen) -> None:
        code = process.wait()
        self.done = {
            # A shell's way to tell of a signal, and the runtime's.
            "exitCode": code if code >= 0 else 128 - code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": self.began,
            "finishedAt": now(),
            "containerID": self.identity,
        }
        self.ready = self.started = False
        self.ended()

    def terminate(self) -> None:
        if self.running:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self.process is not None:
            kill(self.process)

    def run(self, command: list[str], timeout: float) -> tuple[bool, str]:
        """A command beside it, as a probe or a hook has it."""
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=self.environ, timeout=timeout, check=False,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return False, str(error)
        return done.returncode == 0, done.stdout.decode(errors="replace")[-300:]

    @property
    def identity(self) -> str:
        return f"process://{self.process.pid if self.process else 0}-{self.restarts}"

    def status(self) -> Object:
        if self.running:
            state: Object = {"running": {"startedAt": self.began}}
        elif self.done is not None and not self.waiting:
            state = {"terminated": self.done}
        else:
            state = {"waiting": self.waiting or {"reason": "ContainerCreating"}}
        last = self.last if self.running or not self.done or "terminated" in state else self.done
        return {
            "name": self.name,
            "image": self.spec["image"],
            "imageID": f"sha256:{self.spec['image']}" if self.process else "",
            "restartCount": self.restarts,
            "ready": self.ready and self.running,
            "started": self.started and self.running,
            "state": state,
            "lastState": {"terminated": last} if last else {},
            **({"containerID": self.identity} if self.process else {}),
        }


def expanded(word: str, environ: dict[str, str]) -> str:
    """Kubernetes' own way to name a variable in a command."""
    for name, value in environ.items():
        word = word.replace(f"$({name})", value)
    return word


def environment(api: Api, pod: Object, spec: Object, address: str) -> dict[str, str]:
    """What the container's process finds in its environment. Raises Misconfigured."""
    meta = pod["metadata"]
    result = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOSTNAME": meta["name"],
        "UNO_TEST_ADDRESS": address,
        "UNO_TEST_IMAGE": spec["image"],
    }
    for row in (spec.get("ports") or ())[:1]:
        result["PORT"] = str(row["containerPort"])
    for source in spec.get("envFrom") or ():
        for kind in ("configMapRef", "secretRef"):
            if kind in source:
                found = _data(api, meta["namespace"], kind.removesuffix("Ref"), source[kind])
                result.update({source.get("prefix", "") + name: value for name, value in found.items()})
    for row in spec.get("env") or ():
        value = _value(api, pod, row)
        if value is not None:
            result[row["name"]] = expanded(value, result)
    return result


def _value(api: Api, pod: Object, row: Object) -> str | None:
    source = row.get("valueFrom")
    if not source:
        return row.get("value", "")
    if "fieldRef" in source:
        return _field(pod, source["fieldRef"]["fieldPath"])
    for kind in ("configMap", "secret"):
        if ref := source.get(f"{kind}KeyRef"):
            found = _data(api, pod["metadata"]["namespace"], kind, ref)
            if ref["key"] not in found and not ref.get("optional"):
                raise Misconfigured(f"couldn't find key {ref['key']} in {kind} {ref['name']}")
            return found.get(ref["key"])
    return None


def _field(pod: Object, path: str) -> str:
    head, _, rest = path.partition("[")
    found: Any = pod
    for part in head.split("."):
        found = (found or {}).get(part)
    return str((found or {}).get(rest.strip("']"), "")) if rest else str(found or "")


def _data(api: Api, namespace: str, kind: str, ref: Object) -> dict[str, str]:
    try:
        found = api.get(f"/api/v1/namespaces/{namespace}/{kind.lower()}s/{ref['name']}")
    except Refused as error:
        if error.status == 404 and ref.get("optional"):
            return {}
        raise Misconfigured(f'{kind.lower()} "{ref["name"]}" not found') from error
    data = found.get("data") or {}
    if kind == "secret":
        return {name: base64.b64decode(value).decode() for name, value in data.items()}
    return data


def mounted(api: Api, pod: Object, spec: Object, folder: Path) -> Path:
    """The files of ConfigMaps and Secrets, below a folder: nothing can be mounted into a plain process."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    for mount in spec.get("volumeMounts") or ():
        volume = volumes.get(mount["name"], {})
        for kind, name in (("configMap", "name"), ("secret", "secretName")):
            if kind in volume:
                ref = {"name": volume[kind][name], "optional": volume[kind].get("optional")}
                place = folder / mount["mountPath"].lstrip("/")
                place.mkdir(parents=True, exist_ok=True)
                for file, text in _data(api, pod["metadata"]["namespace"], kind, ref).items():
                    (place / file).write_text(text)
    return folder
