#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The page in a real browser: what a reader sees, what he can do, and what hostile names cannot.

  page_test.py PICTURES     the lab's names are in the environment (web_test.sh)
"""
import http.client
import json
import os
import subprocess
import sys
import time

from browser import Browser

HERE = os.path.dirname(os.path.abspath(__file__))
LAB, POSTERN, SERVER, C1 = (os.environ[n] for n in ("LAB", "POSTERN", "SERVER", "C1"))
NS = os.environ["LAB_ID"]
PAGE = "http://127.0.0.1:8044"
PATIENCE = 60  # for what takes a second or two on a machine that is not busy
passed = failed = 0


def check(what, holds, seen=""):
    global passed, failed
    if holds:
        passed += 1
        if os.environ.get("V", "0") != "0":
            print(f"  ok      {what}")
    else:
        failed += 1
        print(f"  FAILED  {what} {seen}", flush=True)


def start(namespace, *words):
    return subprocess.Popen(["ip", "netns", "exec", f"{NS}-{namespace}", *words],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def end(process):
    process.terminate()
    process.wait()


def rows(table):
    return f"[...document.querySelectorAll('#{table} tbody tr')].map(r => [...r.cells].map(c => c.textContent))"


def fetch(path, method="GET", port=8044, **headers):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    c.request(method, path, headers=headers)
    answer = c.getresponse()
    body = answer.read()
    c.close()
    return answer, body


def test_http():
    answer, _ = fetch("/")
    policy = answer.getheader("Content-Security-Policy")
    check("the page allows its own scripts only", "default-src 'none'" in policy and "script-src 'self'" in policy and
          "unsafe" not in policy and "frame-ancestors 'none'" in policy, policy)
    check("and sets no cookie", answer.getheader("Set-Cookie") is None)
    check("a name that a stranger's DNS points here is refused", fetch("/api/status", Host="evil.example:8044")[0].status == 421)
    check("localhost is not", fetch("/api/status", Host="localhost:8044")[0].status == 200)
    for method in "POST", "PUT", "DELETE", "OPTIONS", "HEAD":
        check(f"{method} is not allowed", fetch("/api/status", method)[0].status == 405)
    check("another path is not there", fetch("/../etc/passwd")[0].status == 404)
    check("a wrong order is told", fetch("/api/flows?sort=beauty")[0].status == 400)
    said = json.loads(subprocess.check_output([POSTERN, "status", "-j"]))
    served = json.loads(fetch("/api/status")[1])
    check("the status is that of `postern status -j`", served.keys() == said.keys() and
          {c["ip"] for c in served["clients"]} == {c["ip"] for c in said["clients"]}, f"{served.keys()} {said.keys()}")
    history = json.loads(fetch("/api/history?since=1")[1])
    check("the history goes on from a number", [s["seq"] for s in history["samples"]] == list(range(2, history["newest"] + 1)))


def test_clients(b):
    found = b.wait(f"{rows('clients')}.find(r => r[1] === '{C1}')", PATIENCE)
    check("a client has a row with its address, name and state", found and found[0] == "c1" and found[2] == "open", found)
    closed = b.wait(f"{rows('clients')}.find(r => r[1] === '10.137.0.9')", PATIENCE)
    check("one with bad rules is closed, and what is wrong is told as text", closed and "<img" in closed[-1], closed)
    check("it is live", b.wait("document.querySelector('#link').textContent === 'live'", PATIENCE))


def test_flows(b):
    check("no flow yet", b.run(f"{rows('flows')}.length") == 0)
    traffic = start("c1", "python3", f"{HERE}/traffic.py", "drive", SERVER, "1", "80", "81", "82")
    found = b.wait(f"{rows('flows')}.find(r => r[2] === '{SERVER}:81' && r[4] === 'established')", PATIENCE)
    check("a flow appears when traffic starts", found, b.run(rows("flows")))
    check("and has a rate", b.wait(f"{rows('flows')}.find(r => r[2] === '{SERVER}:81' && /[1-9].*B\\/s/.test(r[8]))", PATIENCE))
    check("the rule that lets it through has hits", b.wait(
        f"{rows('rules')}.find(r => r[0] === '{C1}' && r[2] === 'accept' && /[1-9]/.test(r[5]))", PATIENCE), b.run(rows("rules")))
    check("the heat map has cells", b.wait("Number(document.querySelector('#heat').dataset.cells) > 10", PATIENCE))
    check("percentiles have units", b.wait("/[0-9].*(ns|µs|ms)/.test(document.querySelector('#percentiles tbody tr').textContent)", PATIENCE))
    check("latency is told by client", b.wait(
        f"{rows('delays')}.find(r => r[0] === 'c1' && r[1] === '{C1}' && /[1-9]/.test(r[2]) && /[0-9].*(ns|µs|ms)/.test(r[3]) && /[0-9].*(ns|µs|ms)/.test(r[5]))",
        PATIENCE), b.run(rows("delays")))
    check("the uplink moves", b.wait("/[1-9].*[kM]B\\/s/.test(document.querySelector('#say-traffic').textContent)", PATIENCE))
    return traffic


def test_drops(b):
    count = "Number(document.querySelector('#reasons [data-reason=rule] b')?.textContent.replace(/\\D/g, '') ?? 0)"
    before = b.run(count)
    start("c1", "python3", f"{HERE}/../lab/peer.py", "--wait=0.3", "udp", SERVER, "9").wait()
    check("a drop count rises when a packet is refused", b.wait(f"{count} > {before}", PATIENCE), f"{before} {b.run(count)}")


def test_hands(b):
    b.key("/", "Slash", "/")
    check("a key leads to the filter", b.run("document.activeElement.id") == "filter")
    b.ask("Input.insertText", text=f"{SERVER}:82")
    check("it filters", b.wait(f"{rows('flows')}.length === 1 && {rows('flows')}[0][2] === '{SERVER}:82'", PATIENCE), b.run(rows("flows")))
    b.run("document.querySelector('#filter').value = ''; document.querySelector('#filter').dispatchEvent(new Event('input'))")
    b.run(f"[...document.querySelectorAll('#clients button')].find(e => e.textContent === '{C1}').click()")
    check("a client's address leads to its flows", b.wait(f"{rows('flows')}.length >= 3 && {rows('flows')}.every(r => r[1].startsWith('{C1}:'))", PATIENCE))
    b.run("document.querySelector('#filter').value = ''; document.querySelector('#filter').dispatchEvent(new Event('input'))")
    check("and shows all again", b.wait(f"{rows('flows')}.length >= 3", PATIENCE))
    b.run(f"[...document.querySelectorAll('#delays button')].find(e => e.textContent === '{C1}').click()")
    check("a client's latency leads to its heat map", b.wait(
        f"document.querySelector('#whose').textContent.startsWith('{C1}') && !document.querySelector('#whose').hidden && "
        "Number(document.querySelector('#heat').dataset.cells) > 10", PATIENCE))
    check("with percentiles of its own", b.wait(
        "/[0-9].*(ns|µs|ms)/.test(document.querySelector('#percentiles tbody tr').cells[2].textContent) && "
        f"document.querySelector('#percentiles').tBodies[0].rows[5].cells[2].textContent === "
        f"{rows('delays')}.find(r => r[1] === '{C1}')[2]", PATIENCE), b.run("document.querySelector('#percentiles').textContent"))
    b.run("document.querySelector('#whose').click()")
    check("and back to all", b.run(
        "document.querySelector('#whose').hidden && document.querySelector('#series [aria-checked=true]').dataset.value") == "passed")
    b.run("document.querySelector('#delay-order [data-value=p99]').click()")
    check("latencies can be ordered", b.run("document.querySelector('#delay-order [aria-checked=true]').dataset.value") == "p99")
    b.run("document.querySelector('#order [aria-checked=true]').focus()")
    b.key("ArrowRight")
    check("arrow keys choose an order", b.run("document.querySelector('#order [aria-checked=true]').dataset.value") == "bytes")
    b.run("document.querySelector('#heat').focus()")
    b.key("ArrowLeft")
    b.key("ArrowLeft")
    check("and read a chart", b.wait("/^\\d\\d:\\d\\d:\\d\\d/.test(document.querySelector('#say-latency').textContent)", PATIENCE))
    b.key("Escape")
    b.run("document.activeElement.blur()")
    b.key("p", "KeyP", "p")
    check("a key pauses", b.run("document.querySelector('#link').textContent") == "paused")
    b.run("new Promise(done => setTimeout(done, 300))")
    asked = len(b.requests)
    b.run("new Promise(done => setTimeout(done, 2500))")
    check("and then nothing is asked", len(b.requests) == asked, b.requests[asked:])
    b.key("p", "KeyP", "p")
    check("and goes on", b.wait("document.querySelector('#link').textContent === 'live'", PATIENCE))
    b.run("Object.defineProperty(document, 'hidden', { value: true, configurable: true }); document.dispatchEvent(new Event('visibilitychange'))")
    b.run("new Promise(done => setTimeout(done, 1500))")
    asked = len(b.requests)
    b.run("new Promise(done => setTimeout(done, 2500))")
    check("a hidden page asks nothing", len(b.requests) == asked, b.requests[asked:])
    b.run("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    check("and goes on when it is seen", b.wait(f"performance.getEntriesByType('resource').length && {rows('flows')}.length > 0", PATIENCE))


def test_banners(b):
    banner = "document.querySelector('#banners').textContent"
    with open(f"{LAB}/waits.rules", "w") as f:
        f.write("[10.137.0.6]\naccept 192.0.2.0/24 tcp\ndrop\n")
    subprocess.run([POSTERN, "apply", f"{LAB}/waits.rules", "--confirm", "10m"], check=True, stdout=subprocess.DEVNULL)
    check("rules that wait for a confirmation are told", b.wait(f"/is not confirmed.*[0-9]+.min left/.test({banner})", PATIENCE), b.run(banner))
    subprocess.run([POSTERN, "confirm"], check=True, stdout=subprocess.DEVNULL)
    check("until they are confirmed", b.wait(f"!{banner}", PATIENCE), b.run(banner))
    subprocess.run([POSTERN, "isolate", "10.137.0.6", "<b>looks ill"], check=True, stdout=subprocess.DEVNULL)
    check("an isolated client is told", b.wait(f"/Isolated.*10\\.137\\.0\\.6/.test({banner})", PATIENCE), b.run(banner))
    check("and has that state", b.run(f"{rows('clients')}.find(r => r[1] === '10.137.0.6')[2]") == "isolated")
    subprocess.run([POSTERN, "isolate", "10.137.0.6", "off"], check=True, stdout=subprocess.DEVNULL)
    check("until it is not", b.wait(f"!{banner}", PATIENCE), b.run(banner))
    check("events tell of it", b.wait(f"{rows('events')}.some(r => r[1] === 'generation')", PATIENCE), b.run(rows("events"))[:8])
    check("and of drops", b.wait(f"{rows('events')}.some(r => r[1] === 'drop' && r[2].includes('{SERVER}:'))", PATIENCE))


def test_readable(b, pictures):
    check("what is drawn has words too", b.run("[...document.querySelectorAll('canvas')].every(c => c.getAttribute('aria-label'))"))
    check("fields and buttons have names", b.run(
        "[...document.querySelectorAll('button, input')].every(e => (e.textContent || e.closest('label')?.textContent || '').trim())"))
    check("columns have heads", b.run("[...document.querySelectorAll('table')].every(t => t.querySelector('th[scope=col]'))"))
    for name, width, height, scale, scheme in (("desktop", 1440, 900, 1, "light"), ("dark", 1440, 900, 1, "dark"),
                                               ("phone", 390, 844, 2, "light"), ("phone-dark", 390, 844, 2, "dark")):
        b.size(width, height, scale, width < 500)
        b.scheme(scheme)
        b.run("new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 1300))")
        b.picture(f"{pictures}/{name}.png")
        check(f"{name}: nothing sticks out", b.run("document.documentElement.scrollWidth <= innerWidth"))
        check(f"{name}: something is drawn", b.run(
            "document.querySelector('#heat').toDataURL().length > 4000"))
    b.size(1440, 900)
    b.scheme("light")


def test_quiet(b):
    check("its console is empty", not b.console, b.console[:5])
    check("nothing failed to load", not b.failures, b.failures[:5])
    strange = [u for u in b.requests if not u.startswith(PAGE + "/")]
    check("nothing outside was asked for", not strange, strange[:5])


def test_lost(b, pictures):
    os.kill(int(os.environ["TENDER_PID"]), 9)
    check("an appliance that is gone is told", b.wait("document.querySelector('#banners').textContent.includes('does not answer')", PATIENCE))
    check("and shown", b.run("document.querySelector('#link').textContent") == "connection lost")
    b.picture(f"{pictures}/lost.png", whole=False)
    os.kill(int(os.environ["WEB_PID"]), 15)
    check("so is a server that is gone", b.wait("document.querySelector('#banners').textContent.includes('cannot be reached')", PATIENCE))


def test_hostile(b, pictures):
    fake = subprocess.Popen([sys.executable, f"{HERE}/fake.py", f"{LAB}/fake.sock"])
    web = subprocess.Popen([POSTERN, "web", "--listen", "127.0.0.1:8045", "--control", f"{LAB}/fake.sock"], stdout=subprocess.DEVNULL)
    try:
        for _ in range(PATIENCE * 10):
            try:
                fetch("/", port=8045)
                break
            except OSError:
                time.sleep(0.1)
        b.open("http://127.0.0.1:8045/")
        found = b.wait(f"{rows('clients')}.length > 290 && {rows('clients')}.find(r => r[0].startsWith('<img'))", PATIENCE)
        check("a hostile name is text", found and "<script>" in found[0], found)
        check("a name cannot turn its letters round", b.run("!/[\\u202e\\u200b\\u0000]/.test(document.body.textContent)"))
        check("flows of such names are shown, and not all", b.wait(f"{rows('flows')}.length === 60", PATIENCE))
        b.run("new Promise(done => setTimeout(done, 3000))")
        check("nothing of it was run", b.run("window.bad === undefined && !document.querySelector('main img, main script, main b > *, main u')"))
        nodes = b.run("document.querySelectorAll('*').length")
        b.run("new Promise(done => setTimeout(done, 3000))")
        check("the page does not grow", b.run("document.querySelectorAll('*').length") <= nodes + 20)
        # what could not be loaded is no script's affair: the page before still asked a server that was gone
        wrong = [c for c in b.console if "exception" in c or "Failed to load resource" not in c]
        check("and no script stumbled", not wrong, wrong[:3])
        b.picture(f"{pictures}/hostile.png", whole=False)
    finally:
        end(web)
        end(fake)


def main():
    pictures = sys.argv[1]
    test_http()
    b = Browser()
    traffic = None
    try:
        b.size(1440, 900)
        b.scheme("light")
        b.open(PAGE + "/")
        test_clients(b)
        traffic = test_flows(b)
        test_drops(b)
        test_hands(b)
        test_banners(b)
        test_readable(b, pictures)
        test_quiet(b)
        test_lost(b, pictures)
        b.console.clear()
        test_hostile(b, pictures)
    finally:
        if traffic:
            end(traffic)
        b.close()
    print(f"page_test.py: {passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
