#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Generations upon generations under traffic, and what every packet was judged by.

  storm.py storm PREFIX STORE CONTROL SERVER CLIENT1 CLIENT2 COUNT SECONDS
  storm.py rules GENERATION SERVER CLIENT1 CLIENT2    the rule file of that generation of the storm, 0 the one before it
  storm.py flows POSTERN GENERATION CLIENT1 CLIENT2   no flow is left that this generation forbids

Generation i lets client 1 reach port 1001 and not 1002, and client 2 the reverse, when i is even; else the other way
round. Each rule that decides has a label with i in it, so that what the appliance says of a packet (its watches: label
and policy generation) says by which of them it was judged, without a clock. All of them permit port 1000.
"""
import ctypes
import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time

from storewire import OK, READ, READ_IS, RM, WRITE, Peer, message

STEADY, FIRST, SECOND = 1000, 1001, 1002
FILLERS = 6
AT_LEAST = 200     # however long they take
BATCH = 5          # generations that are sent without waiting for what becomes of each
PATIENCE_S = 60
PACE_S = 0.01
CLONE_NEWNET = 0x40000000
BROKEN = os.environ.get("STORM_BROKEN", "")  # the test's own test: an expectation that is wrong


def allowed(i, client):
    return FIRST if (i + client) % 2 == 0 else SECOND


def tree(i, server, client):
    """Lines of client 0 or 1. What is refused comes first in one kind, last in the other."""
    yes, no = allowed(i, client), FIRST + SECOND - allowed(i, client)
    accept = f"action=accept dst4={server}/32 proto=udp dstports={yes}-{yes} label=yes-{i}"
    refuse = f"action=drop dst4={server}/32 proto=udp dstports={no}-{no} label=no-{i}"
    lines = [f"action=accept dst4={server}/32 proto={p} dstports={STEADY}-{STEADY} label=steady"
             for p in ("tcp", "udp")]
    for k in range(FILLERS):
        lines.append(f"action=accept dst4=198.51.100.{k}/32 proto=tcp dstports={k + 1}-{k + 9} label=filler")
        if k == FILLERS // 2:
            lines.append(accept if i % 2 else refuse)
    lines.append(refuse if i % 2 else accept)
    return lines


# --- the writer -----------------------------------------------------------------------

def send_generation(store, i, server, clients):
    """Its number in the store."""
    asked = [message(WRITE, "/postern/apply", b"begin")]
    for c, client in enumerate(clients):
        key = "/qubes-firewall/" + client
        asked += [message(RM, key + "/"), message(WRITE, key + "/policy", b"drop")]
        asked += [message(WRITE, f"{key}/{n:04}", line.encode()) for n, line in enumerate(tree(i, server, c))]
        asked.append(message(WRITE, key, b""))
    asked.append(message(WRITE, "/postern/apply", b"commit"))
    store.socket.sendall(b"".join(asked))
    for _ in asked:
        answer = store.take()
        assert answer[0] == OK, answer
    words = store.ask(READ, "/postern/apply")[2].split()
    assert words[1:] == [b"linked"], words
    return int(words[0])


def await_outcome(store, number):
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        kind, _, value = store.ask(READ, "/postern/outcome")
        words = value.split()
        if kind == READ_IS and int(words[0]) == number:
            assert words[1] == b"applied", value
            return
        time.sleep(0.002)
    raise AssertionError(f"generation {number} was never judged")


# --- the appliance's own words --------------------------------------------------------

class Control:
    def __init__(self, path):
        self.path = path

    def ask(self, request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE_S)
            s.connect(self.path)
            s.sendall(request.encode() + b"\n")
            with s.makefile("rb") as lines:
                answer = []
                for line in lines:
                    if line == b".\n":
                        return answer
                    answer.append(json.loads(line))
        raise AssertionError(f"no end of the answer to {request}: {answer[-1:]}")


class Watch:
    def __init__(self, control, expression):
        self.control = control
        self.id = [o for o in control.ask("watch start 0 0 0 " + expression) if o["type"] == "watch"][0]["id"]
        self.packets, self.lost = [], 0

    def read(self, verb="read"):
        for o in self.control.ask(f"watch {verb} {self.id}"):
            if o["type"] == "packet":
                self.packets.append(o)
            elif o["type"] == "watch":
                self.lost = o["lost"]
            assert o["type"] != "error", o

    def finish(self):
        self.read()
        self.read("stop")
        self.read()


# --- traffic --------------------------------------------------------------------------

LIBC = ctypes.CDLL(None, use_errno=True)


def inside(namespace, make):
    """A socket lives in the namespace that its maker was in."""
    with open("/proc/thread-self/ns/net") as home, open("/run/netns/" + namespace) as there:
        assert LIBC.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            return make()
        finally:
            assert LIBC.setns(home.fileno(), CLONE_NEWNET) == 0


def bound(kind, address, port):
    s = socket.socket(type=kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.bind((address, port))
    if kind == socket.SOCK_STREAM:
        s.listen(16)
    return s


class Servers(threading.Thread):
    """Echoes the steady port; notes what came to the others."""

    def __init__(self, namespace, address):
        super().__init__(daemon=True)
        self.came = []
        self.tcp = inside(namespace, lambda: bound(socket.SOCK_STREAM, address, STEADY))
        self.udp = {inside(namespace, lambda p=p: bound(socket.SOCK_DGRAM, address, p)): p
                    for p in (STEADY, FIRST, SECOND)}

    def run(self):
        streams = []
        while True:
            for s in select.select([self.tcp, *self.udp, *streams], [], [])[0]:
                if s is self.tcp:
                    streams.append(s.accept()[0])
                elif s not in self.udp:
                    data = s.recv(65536)
                    s.sendall(data)
                    if not data:
                        streams.remove(s)
                else:
                    data, peer = s.recvfrom(2048)
                    if self.udp[s] == STEADY:
                        s.sendto(data, peer)
                    else:
                        self.came.append((self.udp[s], data))


class Steady(threading.Thread):
    """Numbered datagrams and lines that come back, at a pace that no queue on the way can overflow by."""

    def __init__(self, namespace, server):
        super().__init__(daemon=True)
        self.udp = inside(namespace, lambda: socket.socket(type=socket.SOCK_DGRAM))
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.udp.connect((server, STEADY))
        self.tcp = inside(namespace, lambda: socket.create_connection((server, STEADY), timeout=PATIENCE_S))
        self.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent, self.back, self.stream = 0, set(), b""
        self.over, self.fault = False, None

    def take(self, wait):
        for s in select.select([self.udp, self.tcp], [], [], wait)[0]:
            if s is self.udp:
                self.back.add(int(self.udp.recv(100)))
            else:
                data = self.tcp.recv(65536)
                assert data, "the connection was ended"
                self.stream += data

    def complete(self):
        return len(self.back) == self.sent and self.stream.count(b"\n") == self.sent

    def run(self):
        try:
            while not self.over:
                self.udp.send(b"%d" % self.sent)
                self.tcp.sendall(b"%d\n" % self.sent)
                self.sent += 1
                self.take(PACE_S)
                time.sleep(PACE_S / 2)
            until = time.monotonic() + PATIENCE_S / 3
            while not self.complete() and time.monotonic() < until:
                self.take(0.1)
        except (OSError, AssertionError) as fault:
            self.fault = fault

    def check(self, name):
        assert self.fault is None, f"{name}: {self.fault!r}"
        missing = sorted(set(range(self.sent)) - self.back)
        assert not missing, f"{name}: {len(missing)} of {self.sent} datagrams lost, the first {missing[:5]}"
        assert self.stream == b"".join(b"%d\n" % i for i in range(self.sent)), f"{name}: the stream is not whole"


class Prober:
    """Datagrams of new flows in pairs of clients, and of one old flow per client and port."""

    def __init__(self, namespaces, clients, server):
        self.server, self.clients, self.round = server, clients, 0
        self.raw = [inside(n, lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
                    for n in namespaces]

    def send(self, client, sport, port, data):
        packed = struct.pack("!HHHH", sport, port, 8 + len(data), 0) + data
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(packed), self.round & 0xffff, 0, 64, 17, 0,
                           socket.inet_aton(self.clients[client]), socket.inet_aton(self.server))
        self.raw[client].sendto(head + packed, (self.server, 0))

    def probe(self):
        new = 20000 + self.round % 40000
        for port in (FIRST, SECOND):
            for client in (0, 1):
                self.send(client, new, port, b"%d %d %d" % (client, new, self.round))
        for port in (FIRST, SECOND):
            for client in (0, 1):
                self.send(client, 9, port, b"%d 9 %d" % (client, self.round))
        self.round += 1


# --- judging the judgements -----------------------------------------------------------

def judged_by(packet):
    """(accepts, i) of the rule that decided; None: none of those that change."""
    kind, _, number = packet.get("rule_id", "").partition("-")
    return (kind == "yes", int(number)) if kind in ("yes", "no") and number.isdigit() else None


def check_one(packet, clients):
    """What the generation it was judged by says of it is what happened to it."""
    rule = judged_by(packet)
    assert rule, f"no rule of a generation: {packet}"
    yes, i = rule
    says = packet["dport"] == allowed(i + (BROKEN == "verdict"), clients.index(packet["src"]))
    assert says == yes, f"generation {i} does not say so: {packet}"
    assert packet["fate"] == ("passed" if yes else "dropped"), packet
    assert yes or packet["reason"] == "rule", packet
    return i


def check_found(packet, low, high, clients):
    """Of a flow that was there: some generation from the last one seen to the next one seen says so."""
    passed = packet["fate"] == "passed"
    assert passed or packet["reason"] in ("rule", "flow-cut"), packet
    says = {packet["dport"] == allowed(i, clients.index(packet["src"])) for i in range(low, high + 1)}
    assert passed in says, f"neither generation {low} nor {high} says so: {packet}"


def check_packets(packets, clients, count):
    stamps, newest, found, seen = set(), 0, [], {0: 0, 1: 0}
    for p in packets:
        if p["flow"] == "found":
            found.append(p)
            if p["fate"] == "passed":
                stamps.add(p["generation"] - judged_by(p)[1])
            continue
        i = check_one(p, clients)
        assert i >= newest, f"generation {i} after {newest}: {p}"
        for f in found:
            check_found(f, newest, i, clients)
        newest, found = i, []
        stamps.add(p["generation"] - i)
        seen[clients.index(p["src"])] += 1
    for f in found:
        check_found(f, newest, count, clients)
    # one stamp per generation, the same for both clients: nothing was ever in force in between
    assert len(stamps) == 1, f"generations and what judged do not go together: {sorted(stamps)[:9]}"
    return newest, seen


def check_storm(watch, servers, prober, clients, count):
    packets = watch.packets
    assert watch.lost == 0, f"the watch lost {watch.lost}"
    assert len(packets) == 8 * prober.round, f"{len(packets)} of {8 * prober.round} probes came to the appliance"
    newest, seen = check_packets(packets, clients, count)
    assert newest == count, f"the last that judged was {newest}"
    passed = sorted((p["dport"], p["src"], p["sport"]) for p in packets if p["fate"] == "passed")
    came = sorted((port, clients[int(d.split()[0])], int(d.split()[1])) for port, d in servers.came)
    assert passed == came, f"{len(passed)} passed, {len(came)} came"
    for p in packets[-8:]:
        says = p["dport"] == allowed(count + (BROKEN == "last"), clients.index(p["src"]))
        assert says == (p["fate"] == "passed"), f"not what the last generation says: {p}"
    by = {judged_by(p)[1] for p in packets if p["flow"] != "found"}
    assert len(by) > 10, f"only {len(by)} generations judged anything: this shows nothing"
    return len(by), seen


class Writer(threading.Thread):
    def __init__(self, store, server, clients, count, seconds):
        super().__init__(daemon=True)
        self.store, self.server, self.clients = store, server, clients
        self.wanted, self.until = count, time.monotonic() + seconds
        self.done, self.fault, self.took = 0, None, 0.0

    def run(self):
        began = time.monotonic()
        try:
            with Peer(self.store) as store:
                store.socket.settimeout(PATIENCE_S)
                while self.done < self.wanted and (time.monotonic() < self.until or self.done < AT_LEAST):
                    number = send_generation(store, self.done + 1, self.server, self.clients)
                    self.done += 1
                    # one by one at first, then several at a time
                    if self.done <= self.wanted // 2 or self.done % BATCH == 0:
                        await_outcome(store, number)
                await_outcome(store, number)
        except (OSError, EOFError, AssertionError) as fault:
            self.fault = fault
        self.took = time.monotonic() - began


def storm(prefix, store, control, server, client1, client2, count, seconds):
    clients, control = [client1, client2], Control(control)
    servers = Servers(prefix + "-up", server)
    servers.start()
    steady = [Steady(f"{prefix}-c{n}", server) for n in (1, 2)]
    prober = Prober([f"{prefix}-c{n}" for n in (1, 2)], clients, server)
    judged = Watch(control, f"dport {FIRST}-{SECOND}")
    dropped = Watch(control, f"port {STEADY} dropped")
    for s in steady:
        s.start()
    writer = Writer(store, server, clients, int(count), int(seconds))
    writer.start()
    while writer.is_alive():
        prober.probe()
        judged.read()
        if prober.round % 20 == 0:
            dropped.read()
    for s in steady:
        s.over = True
    assert writer.fault is None, f"generation {writer.done + 1}: {writer.fault!r}"
    prober.probe()
    wait_until(lambda: judged.read() or len(judged.packets) >= 8 * prober.round)
    wait_until(lambda: len(servers.came) >= sum(p["fate"] == "passed" for p in judged.packets))
    for s in steady:
        s.join()
    dropped.finish()
    judged.finish()
    assert not dropped.packets, f"of what all generations permit: {dropped.packets[:2]}"
    for n, s in enumerate(steady, 1):
        s.check(f"client {n}")
    generations, seen = check_storm(judged, servers, prober, clients, writer.done)
    print(f"{writer.done} generations in {writer.took:.1f} s; {generations} of them judged "
          f"{seen[0]} + {seen[1]} new flows; {sum(s.sent for s in steady)} datagrams and as many lines, none lost")
    print("last", writer.done)


def wait_until(done):
    until = time.monotonic() + PATIENCE_S / 3
    while not done() and time.monotonic() < until:
        time.sleep(0.05)


def rules(i, server, *clients):
    for c, client in enumerate(clients):
        print(f"[{client}]\npolicy drop")
        print("\n".join(tree(int(i), server, c)))


def flows(postern, i, *clients):
    text = subprocess.run([postern, "flows", "-j"], check=True, stdout=subprocess.PIPE).stdout
    listed = [f for f in json.loads(text)["flows"] if f["dport"] in (FIRST, SECOND)]
    wrong = [f for f in listed if f["dport"] != allowed(int(i), clients.index(f["client"])) or
             f["rule_id"] != f"yes-{i}"]
    assert listed and not wrong, wrong[:3]


def main(verb, *words):
    try:
        {"storm": storm, "rules": rules, "flows": flows}[verb](*words)
    except AssertionError as fault:
        sys.exit(f"{verb}: {fault or 'assertion'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
