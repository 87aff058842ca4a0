"""A headless Chromium, driven over the pipes of the DevTools protocol: nothing but the browser itself is needed.

The protocol: https://chromedevtools.github.io/devtools-protocol/ ; with ``--remote-debugging-pipe`` its messages are
JSON that ends with a zero byte, read from descriptor 3 and written to descriptor 4.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import cast

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--hide-scrollbars",
    "--mute-audio",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_PATIENCE = 120.0
# Given to the interpreter that becomes the browser: only it can have the two descriptors at their numbers.
_LAUNCH = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)

Object = dict[str, object]


def find_chromium() -> str | None:
    """The browser of this machine; None when it has none. ``SENTIENT_TEST_CHROMIUM`` names another."""
    named = os.environ.get("SENTIENT_TEST_CHROMIUM")
    return named or next((path for name in _NAMES if (path := shutil.which(name))), None)


class JavaScriptError(AssertionError):
    """A script in the page failed."""


class Browser:
    """A browser's process.

    Args:
        path: The program.
        profile: A directory for it.
    """

    def __init__(self, path: str, profile: Path) -> None:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        flags = [*_FLAGS, f"--user-data-dir={profile}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        # Out of the way of 3 and 4, which the launcher overwrites.
        high = [os.dup(fd) for fd in (theirs_in, theirs_out)]
        while min(high) < 10:
            high = [os.dup(fd) for fd in high]
        command = [sys.executable, "-I", "-S", "-c", _LAUNCH, *map(str, high), path, *flags, "about:blank"]
        self._process = subprocess.Popen(
            command,
            pass_fds=high,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"HOME": str(profile), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC"},
        )
        for fd in {theirs_in, theirs_out, *high}:
            os.close(fd)
        self._buffer = b""
        self._number = 0
        self.events: list[Object] = []

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError, AssertionError):
            self.call("Browser.close")
        os.close(self._out)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    def call(self, method: str, session: str | None = None, **parameters: object) -> Object:
        """Call a method of the protocol."""
        self._number += 1
        message: Object = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        number = self._number
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return cast("Object", answer["result"])
            self.events.append(answer)

    def _read(self) -> Object:
        end = time.monotonic() + _PATIENCE
        while b"\0" not in self._buffer:
            readable, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            assert readable, "the browser does not answer"
            data = os.read(self._in, 1 << 20)
            assert data, "the browser has ended"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return cast("Object", json.loads(message))

    @contextlib.contextmanager
    def page(self, width: int = 1280, height: int = 800, *, dark: bool = False) -> Generator[Page]:
        """A page with storage of its own, for as long as the block lasts."""
        context = str(self.call("Target.createBrowserContext")["browserContextId"])
        page = self._open(context)
        page.size(width, height)
        page.dark(on=dark)
        try:
            yield page
        finally:
            self.call("Target.disposeBrowserContext", browserContextId=context)
            self.events.clear()

    def _open(self, context: str) -> Page:
        target = str(self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"])
        session = str(self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        page = Page(self, session, context)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        return page


class Page:
    """One page.

    Args:
        browser: Whose.
        session: Of the protocol.
        context: Whose storage it has.
    """

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self._browser = browser
        self._session = session
        self._context = context

    @contextlib.contextmanager
    def another(self) -> Generator[Page]:
        """A second page with the same storage; it goes when this one goes."""
        yield self._browser._open(self._context)

    def call(self, method: str, **parameters: object) -> Object:
        """Call a method of the protocol for this page."""
        return self._browser.call(method, self._session, **parameters)

    def size(self, width: int, height: int) -> None:
        """Make the window so large, in CSS pixels."""
        mobile = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def dark(self, *, on: bool = True, calm: bool = True) -> None:
        """Let the system be dark or light, and ask for no motion."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
        if calm:
            features.append({"name": "prefers-reduced-motion", "value": "reduce"})
        self.call("Emulation.setEmulatedMedia", features=features)

    def open(self, url: str) -> None:
        """Go to an address, and wait until the page's own script has run."""
        self.call("Page.navigate", url=url)
        self.wait(
            f"location.href.startsWith({json.dumps(url.partition('#')[0])}) && document.readyState === 'complete'"
        )

    def run(self, script: str) -> object:
        """The value of an expression in the page; a promise's when it is one."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise JavaScriptError(json.dumps(answer["exceptionDetails"])[:1500])
        return cast("Object", answer["result"]).get("value")

    def check(self, name: str, *arguments: object) -> object:
        """What a function of ``page_checks.js`` says."""
        source = (Path(__file__).parent / "page_checks.js").read_text("utf-8").partition("\n")[2]
        return self.run(f"{source}.{name}({', '.join(map(json.dumps, arguments))})")

    def wait(self, condition: str, seconds: float = 15.0) -> None:
        """Wait until an expression in the page is true. The page itself looks, at each of its frames."""
        end = time.monotonic() + seconds
        script = f"""new Promise((resolve) => {{
          const end = performance.now() + {seconds * 1000};
          const look = () => {{
            let value = false;
            try {{ value = {condition}; }} catch {{ /* not yet */ }}
            if (value) resolve(true);
            else if (performance.now() > end) resolve(false);
            else setTimeout(look, 15);
          }};
          look();
        }})"""
        while True:
            try:
                assert self.run(script), f"it never became true: {condition}\n{self.text()[:2000]}"
            except (AssertionError, JavaScriptError) as error:
                moved = any(word in str(error) for word in ("navigat", "context was destroyed", "Inspected target"))
                if not moved or time.monotonic() > end:
                    raise
            else:
                return

    def text(self) -> str:
        """What is written on the page."""
        return str(self.run("document.body ? document.body.innerText : ''"))

    def type(self, text: str) -> None:
        """Type where the focus is."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, *, control: bool = False, shift: bool = False) -> None:
        """Press a key and let it go."""
        codes = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40, "ArrowUp": 38, "End": 35, "Home": 36, "F2": 113}
        code = codes.get(key, ord(key.upper()[0]))
        modifiers = (2 if control else 0) | (8 if shift else 0)
        text = "\r" if key == "Enter" else key if len(key) == 1 and not control else ""
        common: Object = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def click(self, selector: str) -> None:
        """Click on the middle of the first element of a selector, once it stands still and nothing covers it."""
        script = """((selector) => new Promise((resolve, reject) => {
          let last = "", left = 500;
          const look = () => {
            const element = document.querySelector(selector);
            element.scrollIntoView({ block: "nearest" });
            const box = element.getBoundingClientRect();
            const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
            const still = last === `${x} ${y}`;
            if (still && element.contains(document.elementFromPoint(x, y))) return resolve([x, y]);
            last = `${x} ${y}`;
            if (left-- > 0) setTimeout(look, 20);
            else reject(new Error(`${selector} ${still ? "is covered" : "moves"}`));
          };
          look();
        }))"""
        where = self.run(f"{script}({json.dumps(selector)})")
        x, y = cast("list[float]", where)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = "none" if kind == "mouseMoved" else "left"
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)

    def problems(self) -> list[str]:
        """What the browser complained of: exceptions, blocked content, errors that were logged."""
        self.run("0")  # what was said before this answer has come
        found: list[str] = []
        for event in self._browser.events:
            if event.get("sessionId") != self._session:
                continue
            if event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(event["params"])[:1000])
            elif event["method"] == "Log.entryAdded":
                entry = cast("Object", cast("Object", event["params"])["entry"])
                if entry["level"] == "error":
                    found.append(f"{entry['source']}: {entry['text']}")
        return found

    def requests(self) -> list[str]:
        """The addresses that were asked for."""
        self.run("0")
        return [
            str(cast("Object", cast("Object", event["params"])["request"])["url"])
            for event in self._browser.events
            if event.get("sessionId") == self._session and event["method"] == "Network.requestWillBeSent"
        ]

    def picture(self, file: Path) -> None:
        """Write what can be seen as a PNG."""
        data = str(self.call("Page.captureScreenshot", format="png")["data"])
        file.write_bytes(base64.b64decode(data))


@contextlib.contextmanager
def running_browser(path: str) -> Generator[Browser]:
    """A browser for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        browser = Browser(path, Path(profile))
        try:
            yield browser
        finally:
            browser.close()
