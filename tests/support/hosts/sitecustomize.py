"""Makes the host names of the documentation's examples reach this machine: UNO_TEST_HOSTS=name=host:port,...

Python imports a module of this name at its start, wherever it finds one; the tests put this folder
on PYTHONPATH of the commands that they run.
"""

import os
import socket

_known = dict(pair.split("=", 1) for pair in os.environ.get("UNO_TEST_HOSTS", "").split(",") if pair)
_real = socket.getaddrinfo


def _getaddrinfo(host, port, *rest, **more):
    if isinstance(host, str) and host in _known:
        host, port = _known[host].rsplit(":", 1)
    return _real(host, int(port) if isinstance(port, str) and port.isdigit() else port, *rest, **more)


socket.getaddrinfo = _getaddrinfo
