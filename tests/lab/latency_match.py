#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`postern latency match` on captures whose every packet is known.

    latency_match.py POSTERN DIRECTORY

Clients behind a NAT talk UDP (some with one and the same payload over and over), TCP with
retransmissions, needed and not, and ICMP echo; on the way packets are lost, doubled and overtaken.
Two captures of it are written, inside and outside, and what the tool says is held against what was done.
"""
import json
import random
import struct
import subprocess
import sys

POSTERN, DIRECTORY = sys.argv[1:3]
NAT = (10, 200, 0, 2)
UDP, TCP, ICMP = 17, 6, 1
START = 1_700_000_000_000_000_000


def ip(proto, src, dst, ident, body):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), ident, 0x4000, 64, proto, 0,
                       bytes(src), bytes(dst))
    return b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + head + body


def frame(flow, outward, inside, what):
    """One packet of a flow, as it looks inside or outside."""
    client, cport = (flow["client"], flow["cport"]) if inside else (NAT, flow["nport"])
    near, far = (client, cport), (flow["server"], flow["sport"])
    (src, sport), (dst, dport) = (near, far) if outward else (far, near)
    payload = what["payload"]
    if flow["proto"] == UDP:
        body = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    elif flow["proto"] == TCP:
        body = struct.pack("!HHIIBBHHH", sport, dport, what["seq"], 7, 0x50, 0x18, 512, 0, 0) + payload
    else:
        body = struct.pack("!BBHHH", 8 if outward else 0, 0, 0, cport, what["seq"] & 0xffff) + payload
    return ip(flow["proto"], src, dst, what["id"], body)


def pcap(name, packets):
    with open(name, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
        for ns, data in sorted(packets, key=lambda p: p[0]):
            f.write(struct.pack("<IIII", ns // 10**9, ns % 10**9, len(data), len(data)) + data)


class World:
    def __init__(self, seed, ids=True, nat=True):
        self.r = random.Random(seed)
        self.ids, self.nat = ids, nat
        self.sides = [[], []]
        self.truth = [{"matched": 0, "lost": 0, "duplicated": 0, "reordered": 0, "sum": 0, "delays": []}
                      for _ in range(2)]
        self.arrived = {}
        self.order = [0, 0]
        for number in range(40):
            self.flow(number)
        self.settle()

    def flow(self, number):
        r = self.r
        proto = (UDP, UDP, TCP, ICMP)[number % 4]
        cport = r.randrange(1024, 65536)
        flow = {"number": number, "proto": proto, "client": (10, 137, 0, 5 + number % 7), "cport": cport,
                "nport": cport if r.random() < 0.7 else r.randrange(1024, 65536),
                "server": (192, 0, 2, 1 + number % 3), "sport": 0 if proto == ICMP else 443}
        if not self.nat:
            flow.update(nport=cport, client=NAT)
        same = number % 8 == 0 and self.ids
        at = START + r.randrange(10**8)
        for i in range(400):
            at += r.randrange(1_000_000, 20_000_000)
            payload = b"keepalive" if same else r.randbytes(r.randrange(9, 400))
            outward = proto == ICMP or r.random() < 0.6
            if proto == ICMP and i % 2:
                outward = False
            what = {"payload": payload, "seq": number * 10**6 + i * 1000,
                    "id": r.randrange(1, 65536) if self.ids else 0}
            self.send(flow, outward, at, what, proto == TCP)

    def send(self, flow, outward, at, what, again):
        """again: TCP sends it once more when it was lost, and sometimes when it was not."""
        r, way = self.r, 0 if outward else 1
        lost = r.random() < 0.02
        self.sides[way].append((at, frame(flow, outward, outward, what)))
        if lost:
            self.truth[way]["lost"] += 1
        else:
            delay = 50_000 + int(r.expovariate(1 / 200_000)) + (3_000_000 if r.random() < 0.01 else 0)
            self.arrived.setdefault((flow["number"], way), []).append((at + delay, at))
            t = self.truth[way]
            t["matched"] += 1
            t["sum"] += delay
            t["delays"].append(delay)
            self.sides[1 - way].append((at + delay, frame(flow, outward, not outward, what)))
            if r.random() < 0.01:
                t["duplicated"] += 1
                self.sides[1 - way].append((at + delay + 1_000, frame(flow, outward, not outward, what)))
        if again and (lost or r.random() < 0.01):
            what = dict(what, id=r.randrange(1, 65536) if self.ids else 0)
            self.send(flow, outward, at + 200_000_000, what, False)

    def settle(self):
        for (_, way), list_ in self.arrived.items():
            latest = 0
            for _, sent in sorted(list_):
                self.truth[way]["reordered"] += sent < latest
                latest = max(latest, sent)

    def write(self, clock=lambda ns: ns):
        names = [f"{DIRECTORY}/a.pcap", f"{DIRECTORY}/b.pcap"]
        pcap(names[0], self.sides[0])
        pcap(names[1], [(clock(ns), data) for ns, data in self.sides[1]])
        return names


failed = 0


def check(what, good, said=""):
    global failed
    failed += not good
    print(f"  {'ok     ' if good else 'FAILED '} {what} {said}")


def match(*words):
    out = subprocess.run([POSTERN, "latency", "match", "-j", *words], capture_output=True, text=True)
    if out.returncode:
        return {"failed": out.stderr}
    return json.loads(out.stdout)


def compare(name, world, run, exact=True, shift=0):
    if "failed" in run:
        check(name, False, run["failed"])
        return
    for way in range(2):
        s, t = run["series"][way], world.truth[way]
        said = {k: s["counters"][k] for k in ("matched", "lost", "duplicated", "reordered")}
        known = {k: t[k] for k in said}
        # What was under way when a capture ended is not called lost.
        at_edge = s["counters"]["at_the_edge"]
        known["lost"] -= at_edge
        check(f"{name}, {s['name']}: counts", said == known and at_edge <= 3, f"{said} {known}")
        if exact:
            check(f"{name}, {s['name']}: sum of delays", s["sum_ns"] == t["sum"])
        else:
            off = s["sum_ns"] / s["count"] - t["sum"] / t["matched"]
            check(f"{name}, {s['name']}: mean delay", abs(off) <= shift, f"off by {off:.0f} ns")


world = World(1)
compare("NAT", world, match(*world.write()))
world = World(2, ids=False)
compare("NAT, no IP identification", world, match(*world.write()))
world = World(5, nat=False)
compare("no NAT", world, match(*world.write()))

DRIFT, AHEAD = 37e-6, 86_400_123_456_789


def skewed(ns):
    return ns + AHEAD + round((ns - START) * DRIFT)


world = World(3)
run = match("--align", *world.write(skewed))
compare("clocks a day and 37 ppm apart", world, run, exact=False, shift=5_000)
if "failed" not in run:
    clock = run["config"]["clock"]
    check("drift", abs(clock["drift_ppm"] - 37) < 1, str(clock["drift_ppm"]))
    check("offset within what it claims", abs(clock["b_ahead_ns"] - AHEAD) <= clock["known_to_ns"], str(clock))

world = World(4)
names = world.write()
with open(names[1], "rb") as f:
    whole = f.read()
with open(names[1], "wb") as f:
    f.write(whole[:len(whole) // 2 + 7])
out = subprocess.run([POSTERN, "latency", "match", *names], capture_output=True, text=True)
check("a capture cut in two is said to be", out.returncode == 2 and "after packet" in out.stderr, out.stderr)
print(f"latency_match.py: {failed} failed")
sys.exit(failed > 0)
