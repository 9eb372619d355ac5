"""A real server on a free port of loopback, in a thread of the test's process."""

import base64
import contextlib
import io
import signal
import threading
import time

import httpx
import numpy as np
from PIL import Image

from tfmeta.serving.address import Address
from tfmeta.serving.app import make_app
from tfmeta.serving.limits import Limits
from tfmeta.serving.server import make_server
from tfmeta.serving.service import Service


@contextlib.contextmanager
def running(path, *, key=None, poll=None, tls=(None, None), **limits):
    """A client of a server of what is at a path, and its `service`."""
    service = Service(path, Limits(**limits), poll=poll)
    address = Address("127.0.0.1", 0, *tls)
    with contextlib.closing(service), address.bind() as bound:
        listens = threading.Event()
        server = make_server(
            make_app(service, key=key), service, address, on_listening=listens.set
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            assert listens.wait(60)
            url = address.url(bound.getsockname()[1])
            with httpx.Client(base_url=url, timeout=60, verify=False) as client:
                client.service = service
                client.stop = lambda: server.handle_exit(signal.SIGTERM, None)
                client.port = bound.getsockname()[1]
                yield client
        finally:
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()


def png(pixels, **options):
    """The PNG file of uint8 pixels."""
    file = io.BytesIO()
    Image.fromarray(np.squeeze(pixels)).save(file, "PNG", **options)
    return file.getvalue()


def jpeg(pixels):
    """The JPEG file of uint8 pixels."""
    file = io.BytesIO()
    Image.fromarray(np.squeeze(pixels)).save(file, "JPEG")
    return file.getvalue()


def b64(content):
    """A file as JSON holds it."""
    return {"b64": base64.b64encode(content).decode()}


def post(client, path, body, status=200):
    """The answer to a body of JSON, which must have that status."""
    response = client.post(path, json=body)
    assert response.status_code == status, response.text
    return response.json()


def error(client, path, body, status=422):
    """The error that a body of JSON gets."""
    return post(client, path, body, status)["error"]


@contextlib.contextmanager
def held(client):
    """Lets the model of a server answer nobody until it ends or `open` is set."""
    entered, opened = threading.Event(), threading.Event()

    def wait(rows):
        entered.set()
        assert opened.wait(60)
        return rows

    thread = threading.Thread(
        target=client.service._batcher.call,
        args=("held", wait, {"rows": np.zeros(1)}),
    )
    thread.start()
    try:
        assert entered.wait(60)
        yield opened
    finally:
        opened.set()
        thread.join()


def in_threads(number, call):
    """Threads that each call with their number, and the list of what they got."""
    found = [None] * number

    def work(place):
        found[place] = call(place)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    return threads, found


def wait_until(condition):
    """Waits for what other threads bring about; fails when it does not come."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come about in a minute")
