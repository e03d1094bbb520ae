"""One pod's life: pull, start, probe, restart, terminate, each told in its status and by events."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING

from attrs import define, field

from tests.cluster.api import STRATEGIC, Object, Refused, now
from tests.cluster.containers import Container, Misconfigured, environment, mounted
from tests.cluster.probes import Probe

if TYPE_CHECKING:
    from tests.cluster.kubelet import Kubelet

BACK_OFF, LONGEST = 1.0, 10.0
"""Seconds before the second restart, doubled each time: a real kubelet has 10 and 300."""

LEAST_GRACE = 2.0
"""What is left for SIGTERM where preStop took the whole grace period; a real kubelet does the same."""

IDLE = 30.0


@define(eq=False)
class Course:
    """What a container of a pod is at: its probes, and when it is to be tried again."""

    container: Container
    policy: str
    probes: dict[str, Probe] = field(factory=dict)
    tries: int = 0
    due: float = 0.0
    counted: bool = False
    """Whether its last end has been seen to."""


class Pod:
    """A thread that lives as long as the pod; `told` wakes it."""

    def __init__(self, kubelet: Kubelet, pod: Object, address: str) -> None:
        self.kubelet = kubelet
        self.pod = pod
        self.uid: str = pod["metadata"]["uid"]
        self.address = address
        self.gone = False
        self.began = now()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._sent: Object = {}
        self._since: dict[str, tuple[str, str]] = {}
        self._final = False
        spec = pod["spec"]
        self.inits = [self._course(row, init=True) for row in spec.get("initContainers") or ()]
        self.main = [self._course(row) for row in spec["containers"]]
        threading.Thread(target=self._live, name=f"pod {self.path}", daemon=True).start()

    @property
    def path(self) -> str:
        meta = self.pod["metadata"]
        return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"

    def told(self, pod: Object, *, gone: bool = False) -> None:
        self.pod = pod
        self.gone = self.gone or gone
        self._wake.put(None)

    def kill(self) -> None:
        for course in (*self.inits, *self.main):
            course.container.kill()

    def container(self, name: str) -> Container | None:
        return next((c.container for c in (*self.inits, *self.main) if c.container.name == name), None)

    def _course(self, spec: Object, *, init: bool = False) -> Course:
        folder = self.kubelet.folder / self.uid
        container = Container(spec, folder, self.address, lambda: self._wake.put(None))
        policy = spec.get("restartPolicy") or self.pod["spec"].get("restartPolicy", "Always")
        if init and not spec.get("restartPolicy"):
            policy = "Never" if policy == "Never" else "OnFailure"
        return Course(container, policy)

    def _live(self) -> None:
        try:
            while not self.gone and "deletionTimestamp" not in self.pod["metadata"]:
                self._step()
                self._report()
                if self._final:
                    return
                self._rest()
            if not self.gone:
                self._terminate()
        except Exception as error:  # noqa: BLE001 - a thread's failure would be lost otherwise
            self.kubelet.failed(self.path, error)
        finally:
            self.kill()

    def _rest(self) -> None:
        dues = [c.due for c in (*self.inits, *self.main) if c.due]
        dues += [p.due for c in self.main if c.container.running for p in self._due_probes(c)]
        patience = max(0.0, min([d - time.monotonic() for d in dues] + [IDLE]))
        try:
            self._wake.get(timeout=patience)
            while not self._wake.empty():
                self._wake.get()
        except queue.Empty:
            pass  # something is due

    def _step(self) -> None:
        for course in self.inits:
            self._advance(course)
            container = course.container
            sidecar = container.spec.get("restartPolicy") == "Always" and container.running
            if not sidecar and (container.done or {}).get("exitCode") != 0:
                return
        for course in self.main:
            self._advance(course)

    def _advance(self, course: Course) -> None:
        container = course.container
        if container.running:
            return self._probe(course)
        if container.done is not None and not course.counted:
            course.counted = True
            code = container.done["exitCode"]
            container.waiting = {}
            if course.policy == "Never" or (course.policy == "OnFailure" and code == 0):
                course.due = 0.0
                return None
            delay = min(BACK_OFF * 2 ** (course.tries - 2), LONGEST) if course.tries > 1 else 0.0
            course.due = time.monotonic() + delay
            if delay:
                message = f"back-off {delay:g}s restarting failed container={container.name} pod={self.path}"
                container.waiting = {"reason": "CrashLoopBackOff", "message": message}
                self._event("Warning", "BackOff", f"Back-off restarting failed container {container.name}")
        if container.done is not None and not course.due:
            return None
        if time.monotonic() >= course.due:
            self._start(course)
        return None

    def _start(self, course: Course) -> None:
        container, course.due = course.container, 0.0
        image = container.spec["image"]
        if "missing" in image:
            return self._unpulled(course, image)
        try:
            environ = environment(self.kubelet.api, self._addressed(), container.spec, self.address)
            folder = self.kubelet.folder / self.uid / container.name / "root"
            environ["UNO_TEST_ROOT"] = str(mounted(self.kubelet.api, self.pod, container.spec, folder))
            if container.restarts == 0 and container.done is None:
                self._event("Normal", "Pulled", f'Container image "{image}" already present on machine')
            container.start(environ)
        except (Misconfigured, OSError) as error:
            reason = "CreateContainerConfigError" if isinstance(error, Misconfigured) else "RunContainerError"
            container.waiting = {"reason": reason, "message": str(error)}
            course.due = time.monotonic() + BACK_OFF
            return self._event("Warning", "Failed", f"Error: {error}")
        course.tries += 1
        course.counted = False
        container.waiting = {}
        kinds = ("startupProbe", "readinessProbe", "livenessProbe")
        course.probes = {
            kind: Probe(container, container.spec[kind]) for kind in kinds if kind in container.spec
        }
        container.started = "startupProbe" not in course.probes
        container.ready = container.started and "readinessProbe" not in course.probes
        self._event("Normal", "Started", f"Started container {container.name}")
        return self._probe(course)

    def _unpulled(self, course: Course, image: str) -> None:
        said = f'failed to pull and unpack image "{image}": not found'
        if course.container.waiting.get("reason") == "ErrImagePull":
            message = f'Back-off pulling image "{image}": ErrImagePull: {said}'
            course.container.waiting = {"reason": "ImagePullBackOff", "message": message}
            self._event("Normal", "BackOff", f'Back-off pulling image "{image}"')
            course.due = time.monotonic() + BACK_OFF
            return
        course.container.waiting = {"reason": "ErrImagePull", "message": said}
        self._event("Normal", "Pulling", f'Pulling image "{image}"')
        self._event("Warning", "Failed", f'Failed to pull image "{image}": {said}')
        self._event("Warning", "Failed", "Error: ErrImagePull")
        course.due = time.monotonic() + 0.2

    def _addressed(self) -> Object:
        status = {**self.pod.get("status", {}), "podIP": self._ip, "hostIP": self.kubelet.host}
        return {**self.pod, "status": status}

    def _due_probes(self, course: Course) -> list[Probe]:
        if not course.container.started:
            return [course.probes["startupProbe"]]
        return [probe for kind, probe in course.probes.items() if kind != "startupProbe"]

    def _probe(self, course: Course) -> None:
        container = course.container
        for kind, probe in list(course.probes.items()):
            if not container.running or probe not in self._due_probes(course) or probe.due > time.monotonic():
                continue
            probe.look(soon=kind == "readinessProbe" and not container.ready)
            if probe.failures:
                name = kind.removesuffix("Probe").capitalize()
                self._event("Warning", "Unhealthy", f"{name} probe failed: {probe.said}")
            if kind == "startupProbe" and probe.passed:
                container.started = True
                container.ready = "readinessProbe" not in course.probes
                self._wake.put(None)
            elif kind == "readinessProbe":
                container.ready = probe.passed or (container.ready and not probe.failed)
            elif kind != "readinessProbe" and probe.failed:
                self._event(
                    "Normal", "Killing", f"Container {container.name} failed {kind}, will be restarted"
                )
                container.ready = False
                self._finish(container, time.monotonic() + self._grace)

    @property
    def _grace(self) -> float:
        spec = self.pod["spec"].get("terminationGracePeriodSeconds", 30)
        return float(self.pod["metadata"].get("deletionGracePeriodSeconds", spec))

    def _finish(self, container: Container, end: float) -> None:
        """preStop, SIGTERM, and SIGKILL at the end of the grace period."""
        hook = (container.spec.get("lifecycle") or {}).get("preStop") or {}
        if "sleep" in hook:
            self._until(container, min(end, time.monotonic() + hook["sleep"]["seconds"]))
        elif "exec" in hook:
            container.run(hook["exec"]["command"], max(0.1, end - time.monotonic()))
        container.terminate()
        self._until(container, max(end, time.monotonic() + LEAST_GRACE) if hook else end)
        container.kill()

    def _until(self, container: Container, end: float) -> None:
        """Waits for its process to end, till then at the longest; not where the pod object is gone."""
        while container.running and not self.gone and time.monotonic() < end:
            time.sleep(0.02)

    def _terminate(self) -> None:
        end = time.monotonic() + self._grace
        running = [c.container for c in (*self.main, *self.inits) if c.container.running]
        for container in running:
            self._event("Normal", "Killing", f"Stopping container {container.name}")
        leaving = [threading.Thread(target=self._finish, args=(one, end), daemon=True) for one in running]
        for thread in leaving:
            thread.start()
        for thread in leaving:
            thread.join()
        for container in running:
            while container.running:
                time.sleep(0.01)
            container.waiting = {}
        if self.gone:
            return
        self._report()
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        try:
            self.kubelet.api.call("DELETE", self.path, options)
        except Refused as error:
            if error.status not in (404, 409):
                raise

    @property
    def _ip(self) -> str:
        return "10." + self.address.partition(".")[2]

    def _phase(self) -> str:
        containers = [course.container for course in self.main]
        if any(c.process is None for c in containers):
            return "Pending"
        leaving = "deletionTimestamp" in self.pod["metadata"]
        ended = [c.done for c in containers if c.done is not None]
        if len(ended) == len(containers) and (leaving or all(not c.due and c.counted for c in self.main)):
            self._final = not leaving
            return "Succeeded" if all(done["exitCode"] == 0 for done in ended) else "Failed"
        return "Running"

    def _report(self) -> None:
        phase = self._phase()
        unready = [course.container.name for course in self.main if not course.container.status()["ready"]]
        begun = all((c.container.done or {}).get("exitCode") == 0 or c.container.running for c in self.inits)
        seen = {row["type"]: row["status"] for row in self.pod.get("status", {}).get("conditions") or ()}
        gates = [row["conditionType"] for row in self.pod["spec"].get("readinessGates") or ()]
        closed = [gate for gate in gates if seen.get(gate) != "True"]
        reason = "ContainersNotReady" if unready else "ReadinessGatesNotReady" if closed else ""
        message = f"containers with unready status: [{' '.join(unready)}]" if unready else ""
        if closed and not unready:
            message = f"the status of pod readiness gate {closed} is not True"
        status = {
            "phase": phase,
            "hostIP": self.kubelet.host,
            "podIP": self._ip,
            "podIPs": [{"ip": self._ip}],
            "startTime": self.began,
            "conditions": [
                self._condition("Initialized", begun, "" if begun else "ContainersNotInitialized"),
                self._condition(
                    "ContainersReady", not unready, "ContainersNotReady" if unready else "", message
                ),
                self._condition("Ready", not unready and not closed, reason, message),
            ],
            "containerStatuses": [course.container.status() for course in self.main],
        }
        if self.inits:
            status["initContainerStatuses"] = [course.container.status() for course in self.inits]
        if status == self._sent:
            return
        try:
            body = {"metadata": {"uid": self.uid}, "status": status}
            self.kubelet.api.patch(f"{self.path}/status", body, STRATEGIC)
            self._sent = status
        except Refused as error:
            if error.status not in (404, 409):
                raise
            self.gone = True

    def _condition(self, kind: str, good: bool, reason: str = "", message: str = "") -> Object:
        said = "True" if good else "False"
        if self._since.get(kind, ("", ""))[0] != said:
            self._since[kind] = (said, now())
        since = self._since[kind][1]
        row = {"type": kind, "status": said, "lastTransitionTime": since, "lastProbeTime": None}
        return {**row, "reason": reason or None, "message": message or None}

    def _event(self, kind: str, reason: str, message: str) -> None:
        self.kubelet.event(self.pod, kind, reason, message)
