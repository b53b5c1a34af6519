#!/usr/bin/env python3
"""A web app that tells what it was deployed with: one file, standard library only."""

import argparse
import hashlib
import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SECRET = Path("/lain/app/deploy/topsecret.txt")
TREASURE = Path(__file__).with_name("treasure.txt")


def describe(environ=os.environ, secret=SECRET, treasure=TREASURE):
    """What `/` answers. Of the secret only a hash leaves the container."""
    return {
        "FOO": environ.get("FOO"),
        "IMAGE_TAG": environ.get("IMAGE_TAG"),
        "K8S_NAMESPACE": environ.get("K8S_NAMESPACE"),
        "LAIN_CLUSTER": environ.get("LAIN_CLUSTER"),
        "LAIN_META": environ.get("LAIN_META"),
        "secret_sha256": hashlib.sha256(secret.read_bytes()).hexdigest() if secret.is_file() else None,
        "treasure": treasure.read_text().strip() if treasure.is_file() else None,
    }


class Handler(BaseHTTPRequestHandler):
    debug = False

    def do_GET(self):
        if self.path == "/healthz":
            self.answer(200, "text/plain", b"ok\n")
        elif self.path == "/":
            body = json.dumps(describe(), indent=2, sort_keys=True) + "\n"
            self.answer(200, "application/json", body.encode())
        else:
            self.answer(404, "text/plain", b"not found\n")

    def answer(self, status, content_type, body):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        if self.debug:
            print(self.address_string(), format % args, flush=True)


def serve(port, debug=False):
    """A server that is bound but not running yet."""
    handler = type("Handler", (Handler,), {"debug": debug})
    return ThreadingHTTPServer(("0.0.0.0", port), handler)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--debug", action="store_true", help="log every request")
    options = parser.parse_args()
    server = serve(int(os.environ.get("PORT", "5000")), options.debug)

    # The first process of a container gets no default handlers: without this it would ignore SIGTERM
    # and every deploy would wait for the whole grace period.
    def stop(_signal, _frame):
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"listening on {server.server_port}, debug {'on' if options.debug else 'off'}", flush=True)
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
