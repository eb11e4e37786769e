"""Plays a participant of a study in Chromium."""

import json
import time

LEFT_IMAGE = "document.getElementById('image-left')"
ASKED = "!document.getElementById('left').disabled && !document.getElementById('trial').hidden"
DONE = "!document.getElementById('end').hidden"
BREAK = "!document.getElementById('break').hidden"


def level(page, side):
    """The mean red level of the image that is or was shown on a side, in [0, 255]."""
    return page.run(
        f"""(() => {{
            const canvas = document.getElementById("image-{side}");
            const {{ width, height }} = canvas;
            const {{ data }} = canvas.getContext("2d").getImageData(0, 0, width, height);
            let sum = 0;
            for (let place = 0; place < data.length; place += 4) sum += data[place];
            return sum / (data.length / 4);
        }})()"""
    )


def begin(page, path):
    """Opens a study and presses the button that has the focus."""
    page.open(path.as_uri())
    page.wait("!document.getElementById('start').disabled")
    page.press(" ")


def asks_before_leaving(page):
    """Whether the browser would ask a person who leaves the page."""
    return page.run(
        """(() => {
            const event = new Event("beforeunload", { cancelable: true });
            return !window.dispatchEvent(event);
        })()"""
    )


def play(page, path, choose, downloads):
    """Plays a study by keys.

    Args:
        page: From `browser.opened`.
        path: Of the study.
        choose: Given the page, returns "left" or "right".
        downloads: A folder for what the page saves.

    Returns:
        The file that it has saved.
    """
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
    before = set(downloads.glob("*.json"))
    begin(page, path)
    finish(page, choose)
    return saved(downloads, before)


def finish(page, choose=lambda page: "left"):
    """Plays on to the end; a browser would not leave the page before without being asked."""
    while True:
        page.wait(f"({ASKED}) || {DONE} || {BREAK}")
        if page.run(DONE):
            return
        if page.run(BREAK):
            page.press(" ")
            page.wait(f"!({BREAK})")
            continue
        page.press({"left": "ArrowLeft", "right": "ArrowRight"}[choose(page)])
        page.wait(f"!({ASKED})")


def saved(downloads, before):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for path in set(downloads.glob("*.json")) - before:
            try:
                json.loads(path.read_text("utf-8"))
                return path
            except ValueError:
                pass
        time.sleep(0.05)
    raise AssertionError("The page has saved nothing.")
