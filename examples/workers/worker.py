"""One file, several processes: chart/values.yaml says which word each of them is started with."""

import os
import pathlib
import sys

import redis

queue = redis.Redis(host=os.environ["QUEUE_HOST"], port=int(os.environ["QUEUE_PORT"]))


def work():
    while True:
        pathlib.Path("/tmp/alive").touch()  # the liveness probe looks at its age
        if found := queue.blpop("tasks", timeout=30):
            print("done:", found[1].decode(), flush=True)


def report():
    pathlib.Path("/reports/length").write_text(f"{queue.llen('tasks')}\n")


def migrate():
    print("nothing to migrate")


def ping():
    queue.ping()


{"work": work, "report": report, "migrate": migrate, "ping": ping}[sys.argv[1]]()
