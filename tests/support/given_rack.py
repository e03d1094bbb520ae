"""Given instances on this machine: a real command puts versions there, and a real server says them."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from attrs import evolve

from uno_core import Capabilities, GivenOptions, GivenWorkload, Member, Platform, Slot


class Rack:
    """Instances named blue-1 and so on, each a file; who takes part stands in `groups`."""

    def __init__(self, folder, each=3):
        self.folder = folder
        self.groups = {slot: {} for slot in Slot}
        self.ill, self.silent, self.moved, self.writes = {}, set(), {}, []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.options = GivenOptions(
            targets={slot.value: [f"{slot}-{n + 1}" for n in range(each)] for slot in Slot},
            command=["sh", "-c", 'echo "$2" > "$1"', "put", f"{folder}/{{id}}", "{version}"],
            version_url="http://{host}/{id}",
            port=8080,
        )

    def _handler(rack):  # noqa: N805 - self is the handler, within
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.strip("/")
                file = rack.folder / name
                there = file.exists() and name not in rack.silent
                self.send_response(302 if name in rack.moved else 200 if there else 503)
                if name in rack.moved:
                    self.send_header("Location", f"/{rack.moved[name]}")
                self.end_headers()
                self.wfile.write(file.read_bytes() if there else b"starting")

            def log_message(self, *_):
                pass

        return Handler

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # Members

    def of(self, slot):
        return {
            target: evolve(member, reason=self._reason(target))
            for target, member in self.groups[slot].items()
        }

    def _reason(self, target):
        text = (self.folder / target).read_text() if (self.folder / target).exists() else ""
        return "answers 503" if "unready" in text else self.ill.get(target, "")

    def join(self, slot, targets):
        self.writes.append(("join", slot, list(targets)))
        self.groups[slot] |= {target: Member() for target in targets}

    def leave(self, slot, targets):
        self.writes.append(("leave", slot, list(targets)))
        self.groups[slot] |= {target: Member(leaving=True) for target in targets}

    def address(self, _target):
        return f"127.0.0.1:{self.server.server_port}"

    # What time does

    def drain(self):
        for slot, members in self.groups.items():
            self.groups[slot] = {target: one for target, one in members.items() if not one.leaving}


class RackPlatform(Platform):
    """Where time passes, commands come to their end and whoever leaves has drained."""

    declared = Capabilities(steps=True)

    def __init__(self, rack, services, **options):
        super().__init__({}, services)
        self.rack = rack
        self.workload = GivenWorkload(
            rack, evolve(rack.options, **options), instances=0, healthy_looks=2, where="platform.workload"
        )

    def wait_for_change(self, timeout):
        for one in self.workload._placing.values():
            one.process.wait(10)
        self.rack.drain()
        self.services.clock.sleep(timeout)

    def close(self):
        self.workload.close()
