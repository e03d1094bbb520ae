"""The application of the tests: keep-alive, tells its version, and fails as it is told to.

Modes: `ok`; `die` exits at once with a message; `silent` never listens; `slow` takes 0.5 s a reply;
`errors` answers 500; `unready` answers 503 to /health. Ends gracefully at SIGTERM.
"""

import http.server
import os
import signal
import sys
import threading
import time

port, mode = int(sys.argv[1]), sys.argv[2]
if os.environ["UNO_VERSION"] == "9.0.0":
    mode = "die"
if mode == "die":
    sys.stderr.write("first line\nthe database is not there\n")
    sys.exit(3)
if mode == "silent":
    time.sleep(3600)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if mode == "slow":
            time.sleep(0.5)
        status = 200
        if mode == "errors" and self.path != "/health":
            status = 500
        if mode == "unready" and self.path == "/health":
            status = 503
        words = os.environ["UNO_VERSION"], os.environ.get("COLOUR", ""), os.environ["UNO_INSTANCE"]
        body = " ".join(words).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


server = Server(("127.0.0.1", port), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
