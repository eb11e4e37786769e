"""Drives Chromium by its DevTools protocol, over pipes: no package and no port is needed."""

import base64
import contextlib
import json
import os
import pathlib
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
TIMEOUT = 60
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --remote-debugging-pipe"
).split()


class Page:
    """One tab, with what it asked for and what it complained of.

    Attributes:
        requests: The addresses of all requests, those of workers included, that need a network or
            a file; `data:` and `blob:` are in the page.
        errors: Uncaught errors, and what the content security policy refused.
    """

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._out, self._in, self._rest = to_browser, from_browser, b""
        self._id, self._sessions = 0, set()
        self.requests: list[str] = []
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self._watch(self._session)
        self.call("Page.enable", self._session)

    def _watch(self, session: str) -> None:
        if session in self._sessions:
            return
        self._sessions.add(session)
        for domain in ("Network", "Runtime", "Log"):
            self._send(f"{domain}.enable", session)
        # Workers wait until their requests are watched.
        self._send(
            "Target.setAutoAttach",
            session,
            autoAttach=True,
            waitForDebuggerOnStart=True,
            flatten=True,
        )
        self._send("Runtime.runIfWaitingForDebugger", session)

    def _send(self, method: str, session: str | None = None, **params: Any) -> int:
        self._id += 1
        message: dict[str, Any] = {"id": self._id, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        return self._id

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0, deadline - time.monotonic()))
            if not ready or not (chunk := os.read(self._in, 1 << 20)):
                raise TimeoutError("Chromium does not answer.")
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\0")
        return json.loads(line)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Calls a method, and takes note of what happens until it is answered."""
        wanted = self._send(method, session, **params)
        deadline = time.monotonic() + TIMEOUT
        while True:
            message = self._receive(deadline)
            if message.get("id") == wanted:
                assert "error" not in message, message
                return message["result"]
            self._note(message.get("method"), message.get("params", {}))

    def _note(self, method: str | None, params: dict[str, Any]) -> None:
        if method == "Target.attachedToTarget":
            self._watch(params["sessionId"])
        elif method == "Network.requestWillBeSent":
            address = params["request"]["url"]
            if not address.startswith(("data:", "blob:")):
                self.requests.append(address)
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])

    def open(self, address: str) -> None:
        """Opens an address, and waits until its scripts have run."""
        self.call("Page.navigate", self._session, url=address)
        self.wait("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Returns what an expression comes to; promises are waited for."""
        result = self.call(
            "Runtime.evaluate",
            self._session,
            expression=script,
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, condition: str, seconds: float = TIMEOUT) -> None:
        """Waits until an expression is true."""
        deadline = time.monotonic() + seconds
        while not self.run(condition):
            assert time.monotonic() < deadline, f"never: {condition}"
            time.sleep(0.05)

    def choose(self, selector: str, *paths: pathlib.Path) -> None:
        """Chooses files, as a person does in the dialog of an input."""
        found = self.call(
            "Runtime.evaluate",
            self._session,
            expression=f"document.querySelector({selector!r})",
        )
        self.call(
            "DOM.setFileInputFiles",
            self._session,
            files=[str(path.resolve()) for path in paths],
            objectId=found["result"]["objectId"],
        )

    def press(self, key: str) -> None:
        """Presses a key, such as "Tab", "ArrowRight" or " "."""
        codes = {"Tab": 9, "ArrowRight": 39, "ArrowLeft": 37, " ": 32, "Enter": 13}
        for kind in ("rawKeyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                self._session,
                type=kind,
                key=key,
                code={" ": "Space"}.get(key, key),
                windowsVirtualKeyCode=codes[key],
            )

    def resize(self, width: int, height: int, dark: bool = False, scale: float = 1) -> None:
        """Sets the size of the window in CSS pixels, and the color scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            self._session,
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", self._session, features=[scheme])

    def save_into(self, folder: pathlib.Path) -> None:
        """Lets the page save files, and says where to."""
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def screenshot(self, path: pathlib.Path) -> None:
        """Writes what is seen as PNG."""
        shot = self.call("Page.captureScreenshot", self._session, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def opened(profile: pathlib.Path) -> Iterator[Page]:
    """Starts Chromium and opens a tab; skips the test without Chromium.

    Args:
        profile: A folder for what the browser stores.

    Yields:
        The tab.
    """
    if CHROMIUM is None:
        pytest.skip("needs the program chromium")
    env = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    in_browser, out = os.pipe()
    back, out_browser = os.pipe()
    # It reads from the descriptor 3, and writes to 4. Both ends may have these numbers here, so
    # they are moved out of the way first.
    script = f'exec 8<&{in_browser} 9>&{out_browser}; exec 3<&8 4>&9 8<&- 9>&-; exec "$@"'
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", CHROMIUM, *FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(in_browser, out_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=env,
    )
    os.close(in_browser)
    os.close(out_browser)
    try:
        page = Page(out, back)
        yield page
        page._send("Browser.close")
        process.wait(TIMEOUT)
    finally:
        os.close(out)  # Chromium ends when its pipe does.
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(back)
