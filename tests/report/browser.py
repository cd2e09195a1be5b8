"""A Chromium that is spoken to over a pipe in the DevTools protocol: no port, no driver, no further package."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "about:blank",
)
# The protocol's ends are descriptors 3 and 4 of the browser.
_LAUNCH = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'
_PHONE = {"width": 360, "height": 780, "deviceScaleFactor": 1, "mobile": True}
_DESK = {"width": 1200, "height": 900, "deviceScaleFactor": 1, "mobile": False}


class Tab:
    """The one page of a browser, with what it complained about and asked for since it was last opened."""

    def __init__(self, reader: Any, writer: Any) -> None:
        self._reader, self._writer, self._count, self._session = reader, writer, 0, ""
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._loaded = False
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(each["targetId"] for each in targets if each["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command and return its result."""
        self._count += 1
        message: dict[str, object] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._writer.write(json.dumps(message).encode() + b"\0")
        self._writer.flush()
        while (answer := self._next()).get("id") != self._count:
            self._heed(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        found: dict[str, Any] = answer["result"]
        return found

    def _next(self) -> dict[str, Any]:
        data = bytearray()
        while (byte := self._reader.read(1)) != b"\0":
            assert byte, "the browser has ended"
            data += byte
        found: dict[str, Any] = json.loads(data)
        return found

    def _heed(self, event: Mapping[str, Any]) -> None:
        name, told = event.get("method"), event.get("params", {})
        if name == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.complaints.append(str(details.get("exception", {}).get("description", details["text"])))
        elif name == "Runtime.consoleAPICalled":
            self.complaints.append(str(told["args"]))
        elif name == "Log.entryAdded":
            self.complaints.append(told["entry"]["text"])
        elif name == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif name == "Page.loadEventFired":
            self._loaded = True

    def open(self, path: Path, fragment: str = "", phone: bool = False, dark: bool = False) -> None:
        """Open a file at a window's or a phone's size, as on a light or a dark display, and wait until it is loaded."""
        self.call("Emulation.setDeviceMetricsOverride", **(_PHONE if phone else _DESK))
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        # From elsewhere, since another fragment of the same address is not loaded anew.
        self._go("about:blank")
        self.complaints, self.requests = [], []
        self._go(path.as_uri() + fragment)

    def _go(self, address: str) -> None:
        self._loaded = False
        self.call("Page.navigate", url=address)
        while not self._loaded:
            self._heed(self._next())

    def value(self, expression: str) -> Any:
        """Return what an expression is in the page; one that waits is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press and release a key, as a reader does."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def click(self, selector: str) -> None:
        """Click in the middle of an element, as a reader does."""
        where = f"document.querySelector({json.dumps(selector)})"
        self.value(f"{where}.scrollIntoView({{block: 'center'}})")
        x, y, width, height = self.value(f"(b => [b.x, b.y, b.width, b.height])({where}.getBoundingClientRect())")
        x, y = x + width / 2, y + height / 2
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def pdf(self) -> bytes:
        """Return the page as it is printed."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=False, preferCSSPageSize=True)["data"])

    def screenshot(self) -> bytes:
        """Return the whole page as a PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])


@contextmanager
def chromium(program: str, profile: Path) -> Iterator[Tab]:
    """Start a browser and end it again."""
    (told, ours), (theirs, tell) = os.pipe(), os.pipe()
    command = ["bash", "-c", _LAUNCH, "chromium", str(theirs), str(ours), program, f"--user-data-dir={profile}", *FLAGS]
    with (profile.parent / "chromium.log").open("wb") as log:
        process = subprocess.Popen(command, pass_fds=(theirs, ours), stdout=log, stderr=log)
    os.close(theirs)
    os.close(ours)
    with os.fdopen(told, "rb") as reader, os.fdopen(tell, "wb") as writer:
        try:
            yield Tab(reader, writer)
        finally:
            process.terminate()
            process.wait(timeout=20)
