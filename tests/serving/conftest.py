"""A server with a network of one convolution."""

import contextlib
import http.client
import io
import json

import keras
import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.serving.limits import Limits
from cyclegan_keras.serving.server import Server
from tests import tiny


def png_of(seed=0, size=(32, 32)):
    """A picture of noise, by its `(width, height)`."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def pixels_of(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def posted(server, body, path="/api/translate?way=AB", method="POST", **headers):
    """Returns the status, the headers and the body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.closing(connection):
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def reason_of(body):
    return json.loads(body)["error"]


@pytest.fixture(scope="session")
def translators():
    """One network for each way, which differ."""
    networks = {}
    for way, seed in (("AB", 1), ("BA", 2)):
        image = keras.Input((32, 32, 3))
        networks[way] = keras.Model(image, tiny.convolution(3, 1, "tanh", seed)(image))
    return networks


@pytest.fixture
def serve(translators):
    """Starts servers, which end with the test."""
    with contextlib.ExitStack() as stack:

        def start(translators=translators, **limits):
            log = []
            server = Server(translators, "a <run>", port=0, limits=Limits(**limits), log=log.append)
            server.lines = log
            return stack.enter_context(server.running())

        yield start
