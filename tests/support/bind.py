"""A real BIND on loopback: a primary, signed updates of uno's names only, and copies of its zone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import dns.zone
from attrs import define, field

ZONE = "uno.test"
NAME = f"shop.{ZONE}"
BLUE = [f"192.0.2.{n}" for n in range(1, 11)]
GREEN = [f"198.51.100.{n}" for n in range(1, 11)]
KEY, SECRET = "uno", "c2VjcmV0IG9mIHRoZSB0ZXN0cyBvZiB1bm8hISEhISE="
OTHER, OTHERS = "other", "YW5vdGhlciBzZWNyZXQsIG9mIHNvbWVib2R5IGVsc2U="
PATIENCE = 30.0
"""Seconds in which a server must have started or ended."""

CONFIGURATION = """
options {{
  directory "{folder}"; pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key";
  listen-on port {port} {{ {address}; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; rrset-order {{ order random; }};
  allow-transfer {{ {transfer} }}; notify {notify}; {also_notify}
  notify-delay 0; min-refresh-time 1; max-refresh-time 2; min-retry-time 1; max-retry-time 1;
}};
controls {{ }};
key "uno." {{ algorithm hmac-sha256; secret "{secret}"; }};
key "other." {{ algorithm hmac-sha256; secret "{others}"; }};
zone "{zone}" {{ {body} }};
"""
PRIMARY = """type primary; file "{folder}/zone.db";
  update-policy {{
    grant uno. name shop.{zone}. A AAAA CNAME;
    grant uno. subdomain _uno.shop.{zone}. TXT;
  }};"""
SECONDARY = 'type secondary; file "{folder}/zone.db"; primaries {{ {primary} port {port}; }};'


@define
class Bind:
    """One server. `primary` is the one that it copies the zone from; `copies` are those that copy it.

    address: of an interface of this machine; BIND listens at no other one of loopback.
    """

    folder: Path
    address: str
    port: int
    primary: Bind | None = None
    copies: Sequence[Bind] = ()
    records: str = ""
    ttl: int = 2
    _process: subprocess.Popen[bytes] | None = field(init=False, default=None)

    def start(self, *, uno: bool = True) -> None:
        """Return as soon as it answers for the zone. uno: whether its key may write."""
        self.folder.mkdir(parents=True, exist_ok=True)
        zone = self.folder / "zone.db"
        if self.primary is None and not zone.exists():
            zone.write_text(
                f"$ORIGIN {ZONE}.\n$TTL {self.ttl}\n@ SOA ns admin 1 3600 600 86400 1\n@ NS ns\n"
                f'ns A {self.address}\nother TXT "not uno\'s"\n{self.records}\n'
            )
        (self.folder / "named.conf").write_text(
            self._configuration() if uno else self._configuration().replace("grant uno.", "deny uno.")
        )
        program = shutil.which("named") or "/usr/sbin/named"
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-g", "-n", "1", "-c", str(self.folder / "named.conf")], stdout=log, stderr=log,
            )  # fmt: skip
        self.until(lambda: self.serial() > 0)

    def _configuration(self) -> str:
        where = {"folder": self.folder, "zone": ZONE}
        if self.primary is None:
            body = PRIMARY.format(**where)
        else:
            body = SECONDARY.format(**where, primary=self.primary.address, port=self.primary.port)
        transfer = "".join(f"{one}; " for one in {self.address, *(copy.address for copy in self.copies)})
        others = " ".join(f"{one.address} port {one.port};" for one in self.copies)
        return CONFIGURATION.format(
            **where, port=self.port, address=self.address, secret=SECRET, others=OTHERS, body=body,
            transfer=transfer,
            notify="explicit" if others else "no",
            also_notify=f"also-notify {{ {others} }};" if others else "",
        )  # fmt: skip

    def stop(self, *, kill: bool = False) -> None:
        """End it; what it holds stays."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        self._process.wait(PATIENCE)
        self._process = None

    def pause(self) -> None:
        """It takes connections, and answers nothing, until `go_on`."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)  # all of its threads, and not soon but now

    def go_on(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    # Asking it, without uno

    def serial(self) -> int:
        """Of the zone; 0 where it does not answer."""
        try:
            question = dns.message.make_query(f"{ZONE}.", "SOA")
            # By TCP: where nobody listens yet it is refused at once, and a datagram is waited for in vain.
            answer = dns.query.tcp(question, self.address, port=self.port, timeout=1)
        except (dns.exception.DNSException, EOFError, OSError):
            return 0
        return int(answer.answer[0][0].serial) if answer.answer else 0

    def values(self, name: str, kind: str = "A") -> list[str]:
        """What it answers, in the order of the answer."""
        question = dns.message.make_query(f"{name}.{ZONE}.", kind)
        answer = dns.query.udp(question, self.address, port=self.port, timeout=5)
        return [one.to_text() for found in answer.answer for one in found]

    def everything(self) -> set[str]:
        """All records of the zone, but the SOA record, whose serial every update changes."""
        asking = dns.query.xfr(self.address, f"{ZONE}.", port=self.port, timeout=5, relativize=False)
        found = dns.zone.from_xfr(asking, relativize=False).to_text(relativize=False).splitlines()
        return {line for line in found if " SOA " not in line}

    def update(
        self, key: str, secret: str, change: Callable[[dns.update.UpdateMessage], None]
    ) -> dns.rcode.Rcode:
        """Send one update, as anybody with that key may; how it was answered."""
        made = dns.update.UpdateMessage(f"{ZONE}.", keyring=dns.tsigkeyring.from_text({key: secret}))
        change(made)
        return dns.query.tcp(made, self.address, port=self.port, timeout=5).rcode()

    def replace(self, *records: tuple[str, int, str]) -> None:
        """Replace sets of the name by hand, past uno: the type, the TTL and the value of each record."""

        def change(update: dns.update.UpdateMessage) -> None:
            for kind in {kind for kind, _, _ in records}:
                update.delete("shop", kind)
            for kind, ttl, value in records:
                update.add("shop", ttl, kind, value)

        assert self.update(KEY, SECRET, change) == dns.rcode.NOERROR

    def until(self, ready: Callable[[], bool]) -> None:
        """Wait until it says yes."""
        end = time.monotonic() + PATIENCE
        while not ready():
            if self._process is not None and self._process.poll() is not None:
                raise AssertionError(f"named has ended: {(self.folder / 'log').read_text()[-2000:]}")
            assert time.monotonic() < end, (
                f"named takes too long: {(self.folder / 'log').read_text()[-2000:]}"
            )
            time.sleep(0.05)
