"""Sends many pictures to the server at the same time, and measures time and memory.

    python benchmarks/serve.py runs/pictures [--requests 100] [--size 512x512]

The server runs in a process of its own. Prints how many requests were answered, the seconds that
all of them took, and the largest memory of the server, after one picture and after all.
"""

import argparse
import concurrent.futures
import http.client
import io
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

import numpy as np
from PIL import Image


def jpeg(seed: int, height: int, width: int) -> bytes:
    """Draws a picture with soft colors and some noise, about as large as a photograph's file."""
    rng = np.random.default_rng(seed)
    soft = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((width, height))
    noisy = np.asarray(soft) + rng.normal(0, 6, (height, width, 1))
    file = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def post(address: str, body: bytes, ready: threading.Barrier) -> tuple[int, tuple[int, int]]:
    """Sends a picture when all are ready.

    Returns:
        The status, and `(width, height)` of the translation.
    """
    parts = urllib.parse.urlsplit(address)
    ready.wait()
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=600)
    connection.request("POST", "/api/translate?way=AB", body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    size = Image.open(io.BytesIO(content)).size if answer.status == 200 else (0, 0)
    return answer.status, size


def memory(process: int) -> float:
    """The largest memory that a process has had, in MB."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1000  # type: ignore[index]


def main() -> None:
    """Starts the server, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--size", default="512x512", help="HEIGHTxWIDTH")
    arguments = parser.parse_args()
    height, width = map(int, arguments.size.split("x"))
    command = [sys.executable, "-m", "cyclegan_keras", "serve", "--run-dir", arguments.run]
    server = subprocess.Popen(
        [*command, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert server.stdout is not None
    try:
        address = ""
        for line in server.stdout:
            if found := re.search(r"http://\S+", line):
                address = found[0]
                break
        for count in (1, arguments.requests):
            bodies = [jpeg(seed, height, width) for seed in range(count)]
            ready = threading.Barrier(count)
            start = time.perf_counter()
            with concurrent.futures.ThreadPoolExecutor(count) as pool:
                answers = list(pool.map(post, [address] * count, bodies, [ready] * count))
            seconds = time.perf_counter() - start
            good = answers.count((200, (width, height)))
            print(
                f"{good} of {count} answered in {seconds:.1f} s; the server had at most "
                f"{memory(server.pid):.0f} MB",
                flush=True,
            )
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


if __name__ == "__main__":
    main()
