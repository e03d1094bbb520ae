"""A real etcd, kube-apiserver and kube-controller-manager on loopback, with certificates and RBAC."""

from __future__ import annotations

import json
import ssl
import urllib.request
from pathlib import Path
from subprocess import Popen

from tests.cluster.api import Api
from tests.cluster.certificates import Authority
from tests.cluster.children import begin, end, free_port, kill, until

CONTROLLERS = [
    "deployment-controller", "replicaset-controller", "statefulset-controller", "endpointslice-controller",
    "endpoints-controller",
    "horizontal-pod-autoscaler-controller", "disruption-controller", "namespace-controller",
    "garbage-collector-controller", "serviceaccount-controller", "resourcequota-controller",
    "root-ca-certificate-publisher-controller", "clusterrole-aggregation-controller",
]  # fmt: skip

COMPONENTS = ["system:kube-controller-manager", "system:apiserver", "test-kubelet", "test-data-plane"]
"""Whose requests are not written to the audit log: they are no user's."""

ADMINS = ("system:masters",)
ALIASES = ("127.0.0.1", "localhost", "kubernetes.default.svc")
FRONT = "front-proxy"


class ControlPlane:
    """Starts in `folder`, from the programs in `bin`; it keeps what it has when the apiserver restarts."""

    own = True

    def __init__(self, folder: Path, bin: Path) -> None:
        self.folder = folder
        self.bin = bin
        self.authority = Authority(folder / "certificates")
        self.port = free_port()
        self.etcd_port = free_port()
        self.audit = folder / "audit.log"
        self._running: dict[str, Popen] = {}

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        etcd = f"http://127.0.0.1:{self.etcd_port}"
        peers = f"http://127.0.0.1:{free_port()}"
        self._begin(
            "etcd", f"--data-dir={self.folder}/etcd", f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}", f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync", "--log-level=warn",
        )  # fmt: skip
        policy = {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [{"level": "None", "users": COMPONENTS}, {"level": "Metadata"}],
        }
        (self.folder / "audit.yaml").write_text(json.dumps(policy))
        self._start_apiserver()
        self.wait()
        self._start_controllers()

    def _start_controllers(self) -> None:
        kubeconfig = self.kubeconfig("system:kube-controller-manager", ADMINS)
        self._begin(
            "kube-controller-manager", f"--kubeconfig={kubeconfig}", "--leader-elect=false",
            f"--controllers={','.join(CONTROLLERS)}", f"--root-ca-file={self.authority.certificate}",
            f"--secure-port={free_port()}", "--bind-address=127.0.0.1", f"--cert-dir={self.folder}/kcm",
            "--kube-api-qps=500", "--kube-api-burst=1000", "--endpointslice-updates-batch-period=0s",
            "--endpoint-updates-batch-period=0s", "--resource-quota-sync-period=5s",
            "--horizontal-pod-autoscaler-sync-period=1s",
            "--horizontal-pod-autoscaler-downscale-stabilization=1s",
            "--horizontal-pod-autoscaler-cpu-initialization-period=0s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=0s",
        )  # fmt: skip

    def restart_apiserver(self, *, hard: bool = False) -> None:
        """It is gone, at once or after what it does is done, and is ready again when this returns.

        The controllers begin anew with it: left alone they would wait for up to half a minute between
        their tries to reach it.
        """
        kill(self._running.pop("kube-controller-manager"))
        apiserver = self._running.pop("kube-apiserver")
        if hard:
            kill(apiserver)
        else:
            # Open watches hold it up for longer than a test should wait.
            end(apiserver, patience=2)
        self._start_apiserver()
        self.wait()
        self._start_controllers()

    def has_kubelet(self, api: Api) -> bool:
        """Whether somebody runs pods here already."""
        return False

    def stop(self) -> None:
        for process in reversed(self._running.values()):
            kill(process)

    def wait(self) -> None:
        """Until the apiserver is ready, every one of its hooks done."""
        until(self._ready, deadline=120)

    def compact(self) -> None:
        """Forget every version but the newest, so that a watch from an old one is told 410."""
        answer = self._etcd("kv/range", key="AA==", range_end="AA==", limit=1)
        self._etcd("kv/compaction", revision=int(answer["header"]["revision"]), physical=True)

    def kubeconfig(self, user: str, groups: tuple[str, ...] = (), *, url: str | None = None) -> Path:
        """A kubeconfig with a client certificate for that user, by default at the apiserver itself."""
        cert, key = self.authority.issue(user, groups=groups)
        cluster = {"server": url or self.url, "certificate-authority": str(self.authority.certificate)}
        path = cert.with_suffix(f".{(url or self.url).rpartition(':')[2]}.kubeconfig")
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"client-certificate": str(cert), "client-key": str(key)}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "current-context": "test",
        }
        path.write_text(json.dumps(document, indent=1))
        return path

    def _start_apiserver(self) -> None:
        issue = self.authority.issue
        serving = issue("kube-apiserver", names=ALIASES)
        kubelet = issue("kube-apiserver-kubelet-client", groups=ADMINS)
        front, accounts = issue(FRONT), issue("service-accounts")
        self._begin(
            "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{self.etcd_port}", "--bind-address=127.0.0.1",
            f"--secure-port={self.port}", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
            f"--tls-cert-file={serving[0]}", f"--tls-private-key-file={serving[1]}",
            f"--client-ca-file={self.authority.certificate}", "--authorization-mode=Node,RBAC",
            f"--service-account-key-file={accounts[0]}", f"--service-account-signing-key-file={accounts[1]}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/20",
            f"--kubelet-client-certificate={kubelet[0]}", f"--kubelet-client-key={kubelet[1]}",
            f"--kubelet-certificate-authority={self.authority.certificate}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={self.authority.certificate}",
            f"--requestheader-allowed-names={FRONT}", "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={front[0]}", f"--proxy-client-key-file={front[1]}",
            f"--audit-log-path={self.audit}", f"--audit-policy-file={self.folder}/audit.yaml",
            "--audit-log-mode=blocking", "--shutdown-delay-duration=0s", "--watch-cache=true",
        )  # fmt: skip

    def check(self) -> None:
        """What has ended by itself is told at once: without it everything would be waited for in vain."""
        for name, process in self._running.items():
            assert process.poll() is None, f"{name} ended:\n{self.log(name)[-3000:]}"

    def _ready(self) -> bool:
        self.check()
        trusting = ssl.create_default_context(cafile=str(self.authority.certificate))
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5, context=trusting) as answer:
                return answer.status == 200
        except OSError:
            return False

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _begin(self, name: str, *arguments: str) -> None:
        command = [str(self.bin / name), *arguments]
        self._running[name] = begin(command, self.folder / f"{name}.log", cwd=self.folder)

    def _etcd(self, call: str, **body) -> dict:
        url = f"http://127.0.0.1:{self.etcd_port}/v3/{call}"
        request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
