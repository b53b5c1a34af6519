"""What `prove` sets on an API server: a mutating webhook that answers with JSON patches, and clients that create, list and watch.

    load.py webhook PORT PKI
    load.py clients API_PORT WEBHOOK_PORT PKI SECONDS
"""

import base64
import http.client
import http.server
import json
import multiprocessing
import ssl
import sys
import time

WRITERS = 4
LISTERS = 2
WATCHERS = 4
A_SECOND = 60  # of one writer or lister, at most
KEPT = 20  # objects of one writer
PATH = "/api/v1/namespaces/default/configmaps"


class Webhook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        patch = [{"op": "add", "path": f"/metadata/annotations/webhook-{at}", "value": "x" * 40} for at in range(6)]
        patch.append({"op": "add", "path": "/data/patched", "value": "yes"})
        response = {"uid": review["request"]["uid"], "allowed": True, "patchType": "JSONPatch"}
        response["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def webhook(port, pki):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{pki}/apiserver.crt", f"{pki}/apiserver.key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Webhook)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


class Client:
    def __init__(self, port, pki):
        self.token = open(f"{pki}/token").read().strip()
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, context=ssl.create_default_context(cafile=f"{pki}/ca.crt"), timeout=30)

    def send(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json", "Content-Type": "application/json"}
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        return self.connection.getresponse()

    def ask(self, method, path, body=None):
        answer = self.send(method, path, body)
        text = answer.read()
        if answer.status >= 500:
            raise OSError(f"{answer.status} {text[:200]}")
        assert answer.status < 300, (method, path, answer.status, text[:300])
        return text


def config_map(name):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "labels": {f"label-{at}": f"value-{at}" for at in range(8)},
            "annotations": {f"annotation-{at}": "y" * 30 for at in range(8)},
        },
        "data": {f"key-{at}": "z" * 60 for at in range(12)},
    }


def write(client, number, at):
    if at == 0:
        answer = json.loads(client.ask("POST", PATH, config_map(f"w{number}-0")))
        assert answer["data"].get("patched") == "yes", "the webhook's patch is not there"
        return
    client.ask("POST", PATH, config_map(f"w{number}-{at}"))
    if at >= KEPT:
        client.ask("DELETE", f"{PATH}/w{number}-{at - KEPT}")


def listing(client, _number, _at):
    client.ask("GET", PATH)


def paced(one, port, pki, number, until, asked, ended):
    client = Client(port, pki)
    at = 0
    try:
        while time.monotonic() < until:
            due = time.monotonic() + 1 / A_SECOND
            one(client, number, at)
            at += 1
            with asked.get_lock():
                asked.value += 1
            time.sleep(max(0, due - time.monotonic()))
    except (OSError, http.client.HTTPException) as error:
        ended.put((time.monotonic(), f"{type(error).__name__}: {error}"))


def watch(port, pki, until, seen):
    try:
        while time.monotonic() < until:
            answer = Client(port, pki).send("GET", f"{PATH}?watch=1&timeoutSeconds=15")
            while answer.readline():
                with seen.get_lock():
                    seen.value += 1
    except (OSError, http.client.HTTPException):
        pass


def clients(port, hook, pki, seconds):
    ca = base64.b64encode(open(f"{pki}/ca.crt", "rb").read()).decode()
    rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    entry = {"name": "patches.prove.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "rules": [rule]}
    entry["clientConfig"] = {"url": f"https://127.0.0.1:{hook}/", "caBundle": ca}
    entry["failurePolicy"] = "Fail"
    body = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": "prove"}, "webhooks": [entry]}
    Client(port, pki).ask("POST", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", body)
    time.sleep(3)  # until the API server has read it

    written, listed, seen = (multiprocessing.Value("Q", 0) for _ in range(3))
    ended = multiprocessing.Queue()
    started = time.monotonic()
    until = started + seconds
    jobs = [multiprocessing.Process(target=paced, args=(write, port, pki, number, until, written, ended)) for number in range(WRITERS)]
    jobs += [multiprocessing.Process(target=paced, args=(listing, port, pki, number, until, listed, ended)) for number in range(LISTERS)]
    jobs += [multiprocessing.Process(target=watch, args=(port, pki, until, seen), daemon=True) for _ in range(WATCHERS)]
    for job in jobs:
        job.start()
    for job in jobs[: WRITERS + LISTERS]:
        job.join()
    took = time.monotonic() - started
    failures = []
    while not ended.empty():
        failures.append(ended.get())
    if failures:
        first = min(failures)
        took = first[0] - started
        print(f"after {took:.1f} s a client failed: {first[1]}")
    took = max(took, 0.1)
    print(
        f"{took:.1f} s: {written.value} patched creates ({written.value / took:.0f} a second), "
        f"{listed.value} lists ({listed.value / took:.0f} a second), {seen.value} events watched ({seen.value / took:.0f} a second)"
    )


if __name__ == "__main__":
    if sys.argv[1] == "webhook":
        webhook(int(sys.argv[2]), sys.argv[3])
    else:
        clients(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], float(sys.argv[5]))
