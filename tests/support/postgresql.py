"""A real PostgreSQL server for tests, started as an ordinary user on a port of its own.

Opt in by `pytest_plugins = ["postgresql"]`.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

PASSWORD = "open/sesame@home"
"""With what has to be quoted in a URL."""

DEADLINE = 60.0


def binaries():
    """Where initdb and postgres are; None where they are not installed. Debian keeps them off the PATH."""
    found = [shutil.which("initdb"), *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    return next((Path(one).parent for one in reversed(found) if one), None)


def account():
    """Somebody else where we are root, which PostgreSQL refuses to run as."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


class Server:
    """One server; it can be killed and started again, and keeps what it has."""

    user = "uno"

    def __init__(self, bin):
        self.bin = bin
        self.account = account()
        # Not in pytest's folder: that one is nobody's but ours.
        self.folder = Path(tempfile.mkdtemp(prefix="uno-postgresql-"))
        self.data = self.folder / "data"
        self.process = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        password = self.folder / "password"
        password.write_text(PASSWORD)
        if self.account:
            for path in (self.folder, password):
                os.chown(path, self.account.pw_uid, self.account.pw_gid)
        made = self._begin(
            "initdb", "-D", self.data, "-U", self.user, "-A", "scram-sha-256", f"--pwfile={password}",
            "-E", "UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip
        assert made.wait(DEADLINE) == 0, self.log

    @property
    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def url(self, user=user, password=PASSWORD, database="postgres"):
        from urllib.parse import quote

        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def start(self):
        """Start, and return when it answers; again, while what was killed lets go of its memory."""
        end = time.monotonic() + DEADLINE
        while True:
            # Without fsync: what is killed here is the server, never the machine.
            self.process = self._begin(
                "postgres", "-D", self.data, "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
                "-c", "unix_socket_directories=", "-c", "fsync=off",
            )  # fmt: skip
            while self.process.poll() is None:
                ready = [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "1"]
                if subprocess.run(ready, check=False).returncode == 0:
                    return
                assert time.monotonic() < end, self.log
                time.sleep(0.05)
            assert time.monotonic() < end, self.log
            time.sleep(0.1)

    def kill(self):
        """As the kernel does where memory is short; a session may live on for a moment."""
        self.process.kill()
        self.process.wait(DEADLINE)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(DEADLINE)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _begin(self, name, *arguments):
        who = {}
        if self.account:
            who = {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        with (self.folder / "log").open("ab") as log:
            command = [self.bin / name, *arguments]
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **who)


@pytest.fixture(scope="session")
def start_postgresql():
    """A function that starts one more server; all end with the tests."""
    found = binaries()
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    started = []

    def start():
        started.append(Server(found))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def postgresql(start_postgresql):
    """One server for all tests, who take a schema or a database each."""
    return start_postgresql()
