# SPDX-License-Identifier: ISC
"""Drives a tender that runs the echo guest: frames, channels, ports, ends.

    here ---- tap pte0 (this namespace) ---- tender [echo guest] ---- store, control sockets

Usage: tender_echo.py MODE TENDER ECHO.ELF FOLDER, inside a network namespace of its own.
"""
import array
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time

MODE, TENDER, IMAGE, FOLDER = sys.argv[1:]
CONTROL = FOLDER + "/control"
STORE = FOLDER + "/store"
LOG = FOLDER + "/log"
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000


class Lines:
    """One connection to the control socket."""

    def __init__(self):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(20)
        self.s.connect(CONTROL)
        self.f = self.s.makefile("r")

    def ask(self, line, fd=None):
        extra = [] if fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        self.s.sendmsg([line.encode() + b"\n"], extra)
        out = []
        while True:
            got = self.f.readline()
            if not got:
                raise EOFError(line)
            if got == ".\n":
                return "".join(out).rstrip("\n")
            out.append(got)


def start(*more, name="pte0"):
    log = open(LOG, "w")
    tender = subprocess.Popen(
        [TENDER, "--image", IMAGE, "--mode", MODE, "--control", CONTROL, "--store", STORE,
         "--uplink", f"tap={name},ip=10.99.0.2/24", *more], stderr=log)
    for _ in range(200):
        if os.path.exists(CONTROL):
            try:
                return tender, Lines()
            except OSError:
                pass
        if tender.poll() is not None:
            break
        time.sleep(0.02)
    raise SystemExit("tender did not start: " + open(LOG).read())


def log_text():
    return open(LOG).read()


def wire(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B6))
    s.bind((name, 0x88B6))
    s.settimeout(5)
    return s


def echo_frames(s, count, size):
    """Sends count frames, 32 under way at most; all come back, MACs swapped, in order."""
    head = bytes([2, 0, 0, 0, 0, 1]) + bytes([2, 0, 0, 0, 0, 2]) + b"\x88\xb6"
    back = head[6:12] + head[0:6] + head[12:14]
    got = 0
    for i in range(count):
        s.send(head + struct.pack(">I", i) + bytes(size - 18))
        while i - got >= 31 or (i == count - 1 and got < count):
            frame = s.recv(4096)
            if frame[:14] != back:
                continue
            assert struct.unpack(">I", frame[14:18])[0] == got, "order"
            assert len(frame) == size, "length"
            got += 1
    return got


def tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


def rss_kib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_frames(control):
    s = wire("pte0")
    echo_frames(s, 300, 60)
    echo_frames(s, 300, 1514)
    status = json.loads(control.ask("tender"))
    port = status["ports"][0]
    assert port["name"] == "pte0" and port["rx"] >= 600 and port["tx"] >= 600, status
    assert port["tx_bad"] == 0 and status["bad_frees"] == 0, status


def test_store():
    try:
        os.unlink(STORE)
    except FileNotFoundError:
        pass
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(STORE)
    listener.listen(1)
    listener.settimeout(5)
    for text in (b"first", b"again" * 3000):  # the second connection begins a clean stream
        peer, _ = listener.accept()
        peer.settimeout(5)
        sent = 0
        back = b""
        while len(back) < len(text):
            if sent < len(text):
                sent += peer.send(text[sent:sent + 512])
            back += peer.recv(4096)
        assert back == text
        peer.close()
    listener.close()
    os.unlink(STORE)


def test_control(control):
    assert control.ask("hello there") == "hello there"
    assert "platform_calls" in control.ask("status")
    assert control.ask("attach client ip=10.1.1.1").startswith("error no descriptor")
    assert control.ask("attach client mac=x").startswith("error bad port option")
    assert control.ask("detach 7").startswith("error no such port")
    assert control.ask("detach 0").startswith("error the uplink")
    null = os.open("/dev/null", os.O_RDONLY)
    assert control.ask("attach client ip=10.1.1.1", null).startswith("error the descriptor")
    os.close(null)
    peers = [Lines() for _ in range(8)]
    for i, p in enumerate(peers):
        p.s.sendall(b"one %d\ntwo %d\n" % (i, i))
    for i, p in enumerate(peers):
        assert [p.f.readline() for _ in range(4)] == [f"one {i}\n", ".\n", f"two {i}\n", ".\n"]
    assert control.ask("mute") == "error timeout"
    assert control.ask("still here") == "still here"


def test_ports(control, pid, rounds, count):
    name = "pte1"
    fd = tap(name)
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    before = None
    for r in range(rounds):
        for i in range(count):
            ip = f"10.2.{i // 250}.{i % 250 + 1}"
            got = control.ask(f"attach client ip={ip},name=c{i}", fd)
            assert got.startswith("ok "), got
        if count == 256:
            got = control.ask("attach client ip=10.9.9.9", fd)
            assert got == "error no free port", got
        for i in range(count):
            got = control.ask(f"detach c{i}")
            assert got.startswith("ok "), got
        echo_frames(wire("pte0"), 8, 100)
        now = (fds(pid), rss_kib(pid))
        if r == 1:
            before = now
    assert fds(pid) == before[0], (before, now)
    assert rss_kib(pid) <= before[1] + 64, (before, now)
    port = control.ask("attach client ip=10.3.0.1,name=last", fd).split()[1]
    os.close(fd)
    s = wire(name)
    echo_frames(s, 100, 200)
    subprocess.run(["ip", "link", "set", name, "down"], check=True)
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    echo_frames(wire(name), 10, 200)
    subprocess.run(["ip", "link", "delete", name], check=True)
    deadline = time.monotonic() + 5
    while True:
        link = [p["link"] for p in json.loads(control.ask("tender"))["ports"] if p["name"] == "last"]
        if link == ["gone"]:
            break
        assert time.monotonic() < deadline, link
        time.sleep(0.05)
    assert control.ask("detach " + port) == "ok " + port


def link_of(control, name):
    return [p["link"] for p in json.loads(control.ask("tender"))["ports"] if p["name"] == name][0]


def test_link(control):
    """A link that is down is a loss and an event, and is seen to come back."""
    subprocess.run(["ip", "link", "set", "pte0", "down"], check=True)
    assert control.ask("send").startswith("send")
    deadline = time.monotonic() + 5
    while link_of(control, "pte0") != "down":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    subprocess.run(["ip", "link", "set", "pte0", "up"], check=True)
    while link_of(control, "pte0") != "up":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for word in ("echo: event 3", "echo: event 4"):
        assert word in log_text(), log_text()


def ends(line, status, word):
    tender, control = start()
    control.s.sendall(line)
    code = tender.wait(10)
    assert code in status, (line, code, log_text())
    assert word in log_text(), (line, log_text())


def test_ends():
    ends(b"panic\n", [255], "panic: asked to")
    ends(b"null\n", [3], "crash")
    ends(b"text\n", [3], "crash")
    ends(b"data\n", [3], "crash")
    ends(b"stack\n", [3], "crash")
    if MODE == "spt":
        ends(b"syscall\n", [-signal.SIGSYS], "")
    else:
        ends(b"syscall\n", [3], "crash")
    tender, control = start()
    assert control.ask("hi") == "hi"
    tender.send_signal(signal.SIGTERM)
    assert tender.wait(10) == 0
    tender, control = start()
    control.s.sendall(b"hang\n")
    time.sleep(0.2)
    tender.send_signal(signal.SIGINT)
    assert tender.wait(10) == 0


def main():
    tender, control = start()
    try:
        test_frames(control)
        test_store()
        test_control(control)
        test_ports(control, tender.pid, 3 if MODE == "hvt" else 10, 256)
        test_link(control)
        test_frames(control)
        status = json.loads(control.ask("tender"))
        assert status["buffers_free"] >= status["buffers"] - 128, status
    except BaseException:
        sys.stderr.write(log_text()[-2000:])
        raise
    finally:
        tender.terminate()
        code = tender.wait(10)
    assert code == 0, code
    test_ends()
    print(f"tender_echo {MODE}: passed")


main()
