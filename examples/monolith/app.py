#!/usr/bin/env python3
"""One code base, started with one word for each process."""

import os
import pathlib
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def greeting(environ=os.environ):
    return f"monolith {environ.get('IMAGE_TAG')} on {environ.get('LAIN_CLUSTER')}, mail to {environ.get('MAIL_HOST')}\n"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = (greeting() if self.path == "/" else "ok\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


def web():
    ThreadingHTTPServer(("", 5000), Handler).serve_forever()


def worker():
    while True:
        pathlib.Path("/tmp/alive").touch()  # the liveness probe looks at its age
        print("nothing in the queue", flush=True)
        time.sleep(30)


def migrate():
    print("nothing to migrate")


def report():
    print(greeting(), end="")


if __name__ == "__main__":
    # The first process of a container has no default handler: without this each deploy waits for the whole grace period.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    {"web": web, "worker": worker, "migrate": migrate, "report": report}[sys.argv[1]]()
