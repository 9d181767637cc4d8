"""A headless Chromium, driven over a pair of pipes by the DevTools protocol: what a person sees and does in a page."""

import base64
import json
import os
import select
import shutil
import subprocess
import time

#: Names under which systems install it.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

#: Seconds until an answer or a state of the page must have come.
PATIENCE = 30


def find_chromium():
    """Return the path of Chromium, None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One window of Chromium; a context manager that ends it."""

    def __init__(self, profile):
        commands, answers = os.pipe(), os.pipe()
        # The protocol is spoken on the descriptors 3 and 4.
        script = f'exec "$0" "$@" 3<&{commands[0]} 4>&{answers[1]}'
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
        ]
        self._process = subprocess.Popen(
            ["bash", "-c", script, find_chromium(), *options, "--disable-dev-shm-usage", "about:blank"],
            pass_fds=(commands[0], answers[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands[0])
        os.close(answers[1])
        self._commands, self._answers = commands[1], answers[0]
        self._number, self._buffer, self._session = 0, b"", None
        #: Errors and warnings of the console, and exceptions.
        self.complaints = []
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        os.close(self._commands)
        try:
            self._process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._answers)

    def call(self, method, **parameters):
        """Return the answer to a command of the protocol; what the page complains of meanwhile is noted."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self._receive(deadline)
            self._note(answer)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def open(self, path, *, width=1200, height=1000, dark=False, touch=False):
        """Open a file in a window of some size and wait until it has loaded."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait_for(f"location.href === {json.dumps(path.resolve().as_uri())} && document.readyState === 'complete'")

    def value(self, expression):
        """Return the value of an expression in the page, of a promise what it brings."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def is_true(self, expression):
        """Return whether an expression is true in the page; it is not while another page is on its way."""
        try:
            return self.value(expression)
        except RuntimeError as error:
            if "navigated" not in str(error):
                raise
            return False

    def wait_for(self, expression):
        """Wait until an expression is true in the page."""
        deadline = time.monotonic() + PATIENCE
        while not self.is_true(expression):
            assert time.monotonic() < deadline, f"never true: {expression}"
            time.sleep(0.02)

    def click(self, selector, x=0.5, y=0.5):
        """Click on an element, at a fraction of its width and height."""
        x, y = self.point(selector, x, y)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def point(self, selector, x=0.5, y=0.5):
        """Return where a fraction of an element's width and height is in the window, after scrolling to it."""
        script = (
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            "one.scrollIntoView({block: 'center'}); const box = one.getBoundingClientRect();"
            "return [box.x, box.y, box.width, box.height]; })()"
        )
        left, top, width, height = self.value(script)
        return left + x * width, top + y * height

    def press(self, *keys):
        """Press keys, one after the other."""
        for key in keys:
            text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def picture(self, path, *, whole=False):
        """Write what is to be seen to a PNG file."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def _receive(self, deadline):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(deadline - time.monotonic(), 0))
            piece = os.read(self._answers, 2**20) if ready else b""
            if not piece:
                raise RuntimeError("Chromium gave no answer")
            self._buffer += piece
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def _note(self, message):
        parameters = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(parameters["exceptionDetails"]["exception"].get("description", "exception"))
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning"):
                self.complaints.append(str(parameters["args"]))
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                self.complaints.append(parameters["entry"]["text"])
            case "Network.requestWillBeSent" if not parameters["request"]["url"].startswith(
                ("file:", "data:", "about:")
            ):
                self.complaints.append(f"asked for {parameters['request']['url']}")
