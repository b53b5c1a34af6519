import hashlib
import json
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import run  # noqa: E402


@pytest.fixture
def url():
    server = run.serve(0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_describe(tmp_path):
    secret = tmp_path / "topsecret.txt"
    secret.write_text("I\nAM\nBATMAN")
    treasure = tmp_path / "treasure.txt"
    treasure.write_text("treasure\n")
    told = run.describe({"FOO": "BAR", "IMAGE_TAG": "1-2", "K8S_NAMESPACE": "default"}, secret, treasure)
    assert told["FOO"] == "BAR"
    assert told["IMAGE_TAG"] == "1-2"
    assert told["K8S_NAMESPACE"] == "default"
    assert told["secret_sha256"] == hashlib.sha256(b"I\nAM\nBATMAN").hexdigest()
    assert told["treasure"] == "treasure"


def test_describe_nothing(tmp_path):
    told = run.describe({}, tmp_path / "none", tmp_path / "none")
    assert set(told.values()) == {None}


def test_pages(url):
    with urllib.request.urlopen(f"{url}/healthz") as answer:
        assert answer.read() == b"ok\n"
    with urllib.request.urlopen(url) as answer:
        assert "FOO" in json.load(answer)
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(f"{url}/nowhere")
    assert missing.value.code == 404
