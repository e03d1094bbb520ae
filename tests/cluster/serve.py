"""What the test cluster's images run: answers `<tag> <pod>` on UNO_TEST_ADDRESS at PORT, until SIGTERM.

What comes after the version in the tag says what is wrong with it: `2.0-unready` never gets ready,
`2.0-late` does after UNO_TEST_LATE seconds, `2.0-crash` ends at once, `2.0-failing` answers 500 to all
but /ready and /healthz, `2.0-sick` answers 503 to /healthz once it has been asked for anything else, and
`2.0-deaf` ignores SIGTERM. Beside that POST /ready/no, /ready/yes, /die and /fail
change one process while it runs.
"""

import os
import signal
import socket
import sys
import threading
import time

ADDRESS = os.environ["UNO_TEST_ADDRESS"]
PORT = int(os.environ.get("PORT", "8080"))
POD = os.environ.get("HOSTNAME", "")
TAG = os.environ.get("UNO_TEST_IMAGE", "").rpartition("@")[0] or os.environ.get("UNO_TEST_IMAGE", "")
TAG = TAG.rpartition(":")[2] or "none"
KIND = TAG.partition("-")[2]
LATE = float(os.environ.get("UNO_TEST_LATE", "2"))
BEGAN = time.monotonic()
REASONS = {200: "OK", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}

state = {"ready": KIND != "unready", "failing": KIND == "failing", "sick": False, "leaving": False}
active = 0
changing = threading.Lock()


def answer(method, path):
    if path in ("/ready", "/healthz"):
        late = KIND == "late" and time.monotonic() - BEGAN < LATE
        sick = path == "/healthz" and state["sick"]
        return (200 if state["ready"] and not late and not sick else 503), "ready"
    if method == "POST" and path in ("/ready/no", "/ready/yes"):
        state["ready"] = path.endswith("yes")
        return 200, "noted"
    if method == "POST" and path == "/fail":
        state["failing"] = True
        return 200, "noted"
    if method == "POST" and path == "/die":
        print("told to die", flush=True)
        os._exit(3)
    if path.startswith("/env/"):
        return 200, os.environ.get(path[5:], "")
    if path == "/slow":
        time.sleep(0.5)
    state["sick"] = KIND == "sick"
    return (500 if state["failing"] else 200), f"{TAG} {POD}"


def converse(connection):
    """One client, for as many requests as it sends; the one under way is answered before the end."""
    global active  # noqa: PLW0603 - a program of one file, whose drain waits for it
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as lines:
        while line := lines.readline():
            with changing:
                active += 1
            try:
                method, path, _ = line.decode().split()
                headers = {}
                while (row := lines.readline().decode().strip()) != "":
                    name, _, value = row.partition(":")
                    headers[name.lower()] = value.strip()
                lines.read(int(headers.get("content-length", "0")))
                status, text = answer(method, path)
                body = f"{text}\n".encode()
                leaving = "Connection: close\r\n" if state["leaving"] else ""
                head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Length: {len(body)}\r\n{leaving}\r\n"
                connection.sendall(head.encode() + body)
                if leaving:
                    return
            finally:
                with changing:
                    active -= 1


def guarded(connection):
    try:
        converse(connection)
    except (OSError, ValueError):
        pass  # the client went away


def leave(*_):
    print("SIGTERM: leaving", flush=True)
    if KIND == "deaf":
        return
    state["leaving"] = True
    listener.close()
    threading.Thread(target=drain).start()


def drain():
    """Lets what is under way finish."""
    end = time.monotonic() + 5
    time.sleep(0.05)
    while active and time.monotonic() < end:
        time.sleep(0.01)
    os._exit(0)


print(f"{TAG} starts", flush=True)
if KIND == "crash":
    print("cannot connect to the database", flush=True)
    sys.exit(1)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((ADDRESS, PORT))
listener.listen(128)
signal.signal(signal.SIGTERM, leave)
print(f"listens on {ADDRESS}:{PORT}", flush=True)
while not state["leaving"]:
    try:
        client, _ = listener.accept()
    except OSError:
        break
    threading.Thread(target=guarded, args=(client,), daemon=True).start()
while True:
    time.sleep(1)
