"""`nox -s cluster`: the test cluster for a person to play with, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading

from tests.cluster import build
from tests.cluster.cluster import Cluster

TOLD = """\
export KUBECONFIG={kubeconfig}

  any Service     curl -H 'Host: NAME.NAMESPACE.svc' http://127.0.0.1:{port}/
  any HTTPRoute   curl -H 'Host: HOSTNAME' http://127.0.0.1:{port}/   (gatewayClassName: test)
  any image       runs tests/cluster/serve.py on containerPort 8080, its tag is the version
  with faults     {faulty}
  audit log       {audit}

Ctrl-C ends it, with all that is in it.
"""


def main() -> int:
    if not (build.place() / "complete").exists():
        print("Builds Kubernetes first, once: some minutes.", file=sys.stderr)
    try:
        assets = build.assets()
    except build.Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    leave = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: leave.set())
    with Cluster(assets) as cluster:
        print(
            TOLD.format(
                kubeconfig=cluster.kubeconfig,
                port=cluster.port,
                faulty=cluster.front.kubeconfig(),
                audit=cluster.control.audit,
            ),
            flush=True,
        )
        leave.wait()
        for failure in cluster.failures:
            print(f"of its own parts: {failure}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
