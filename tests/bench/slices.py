# SPDX-License-Identifier: ISC
"""What measuring costs a packet: one unbroken stream through a running appliance, cut into slices.

In every slice the appliance measures in another state; it is told by one control connection that stays.
A quad is every state once, in an order drawn at random, and then once more in the opposite order: what drifts
evenly cancels within it, and it gives one difference. The estimate is the median of the means of any two differences
(Hodges and Lehmann: outliers count for little, and it is surer than the plain median), its interval the two of those
means that hold the true one in 95 of 100 such runs (Wilcoxon's signed ranks). No process is started meanwhile.

A slice is so many nanoseconds of the firewall's own CPU time a packet that arrived (with what the kernel does for it
in ksoftirqd, where that can be seen): that leaves out when others had its CPU. While the stream is more than it can
take, its CPU is full, and that is its throughput: how much of what was sent did not arrive is told. By the wall clock
it is told as well; the bar is held against the CPU's.

"null" is "off" under another name: its difference to "off" has to come out as nothing. What is measured is
held against both. The state between, "on", is left to bench/core: all of the stream is for what users have.
"""
import ctypes
import math
import os
import random
import socket
import statistics
import threading
import time
from dataclasses import dataclass

STATES = {"off": "off", "null": "off", "stages": "stages"}
SLICE_S, SETTLE_S = 0.03, 0.003
SEED = 20 # the orders are the same in every run


@dataclass
class Estimate:
    """Where it lies with 95 % confidence, and of how many."""
    value: float
    low: float
    high: float
    count: int

    def width(self):
        return self.high - self.low


def estimate(values):
    values = sorted(values)
    n = len(values)
    if n < 6:
        raise RuntimeError("%d quads say nothing" % n)
    means = sorted((values[i] + values[k]) / 2 for i in range(n) for k in range(i, n))
    rank = max(int(n * (n + 1) / 4 - 1.96 * math.sqrt(n * (n + 1) * (2 * n + 1) / 24)), 0)
    return Estimate(statistics.median(means), means[rank], means[-1 - rank], n)


class Control:
    """A connection to the appliance's control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(path)

    def ask(self, line):
        self.socket.sendall(line.encode() + b"\n")
        answer = b""
        while not (answer == b".\n" or answer.endswith(b"\n.\n")):
            got = self.socket.recv(4096)
            if not got:
                raise RuntimeError("the appliance hung up: %r" % answer)
            answer += got
        if b'"error"' in answer:
            raise RuntimeError(answer.decode())

    def close(self):
        self.socket.close()


class Counter:
    """Packets that a device of another namespace has received, or sent; one read each time."""
    RECEIVED, SENT = 2, 10 # words of a line of /proc/net/dev

    def __init__(self, namespace, device, word):
        self.file, self.device, self.word = None, device.encode() + b":", word
        thread = threading.Thread(target=self.open, args=(namespace,)) # it alone goes there
        thread.start()
        thread.join()
        if self.file is None:
            raise RuntimeError("the namespace %s cannot be entered" % namespace)

    def open(self, namespace):
        there = os.open("/run/netns/" + namespace, os.O_RDONLY)
        if ctypes.CDLL(None).setns(there, 0) == 0:
            self.file = os.open("/proc/thread-self/net/dev", os.O_RDONLY)
        os.close(there)

    def packets(self):
        for line in os.pread(self.file, 65536, 0).splitlines():
            words = line.split()
            if words and words[0] == self.device:
                return int(words[self.word])
        raise RuntimeError("the device is gone")

    def close(self):
        os.close(self.file)


def cpu_ns(pid):
    """Of the whole process, to the nanosecond, even while it runs (clock_getcpuclockid)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def softirq_pids(cpu):
    """Of the kernel's thread that goes on with what a burst left to do on that CPU; none where it cannot be seen."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/comm" % pid, encoding="ascii", errors="replace") as f:
                found += [int(pid)] if f.read().strip() == "ksoftirqd/%d" % cpu else []
        except OSError:
            continue
    return found


class Slices:
    def __init__(self, control, arrivals, sent, pids):
        self.control, self.arrivals, self.sent, self.pids = control, arrivals, sent, pids
        self.quads = []      # state -> [(CPU ns a packet, wall ns a packet) twice]
        self.full = []       # the share of the time that the firewall had its CPU
        self.lost = []       # and of what was sent that did not arrive

    def look(self):
        return self.arrivals.packets(), self.sent.packets(), sum(map(cpu_ns, self.pids)), time.monotonic_ns()

    def slice(self, state):
        self.control.ask("latency " + STATES[state])
        time.sleep(SETTLE_S)
        before = self.look()
        time.sleep(SLICE_S)
        packets, sent, cpu, wall = (b - a for a, b in zip(before, self.look()))
        self.full.append(cpu / wall)
        self.lost.append(1 - packets / sent if sent else 0)
        return (cpu / packets, wall / packets) if packets else None

    def quad(self, order):
        seen = {state: [] for state in order}
        for state in order + order[::-1]:
            seen[state].append(self.slice(state))
        if all(None not in pair for pair in seen.values()):
            self.quads.append(seen)

    def run(self, until):
        order, draw = list(STATES), random.Random(SEED)
        try:
            while time.monotonic() < until:
                draw.shuffle(order)
                self.quad(list(order))
        finally:
            self.control.ask("latency stages")

    def times(self, state, clock):
        return [statistics.mean(s[clock] for s in q[state]) for q in self.quads]

    def pairs(self, state, clock):
        """Of each quad: the time in that state, and in what it is held against."""
        off, null = self.times("off", clock), self.times("null", clock)
        return zip(self.times(state, clock), off if state == "null" else [(o + n) / 2 for o, n in zip(off, null)])

    def cost(self, state, clock=0):
        """Nanoseconds a packet more than "off"."""
        return estimate([a - o for a, o in self.pairs(state, clock)])

    def share(self, state, clock=0):
        """Percent of the throughput less than "off"."""
        return estimate([100 * (a - o) / a for a, o in self.pairs(state, clock)])

    def told(self):
        lines = ["  %d quads, %.0f ns of CPU a packet when off; the firewall had its CPU for %.0f %% of the time, "
                 "%.0f %% of what was sent was too much for it" % (
                     len(self.quads), statistics.median(self.times("off", 0)), 100 * statistics.median(self.full),
                     100 * statistics.median(self.lost))]
        for state in ("null", "stages"):
            ns, share, wall = self.cost(state), self.share(state), self.share(state, 1)
            lines.append("  %-7s %+6.1f ns (%+.1f..%+.1f), %+5.2f %% (%+.2f..%+.2f); by the wall clock %+5.2f %% (%+.2f..%+.2f)" % (
                state, ns.value, ns.low, ns.high, share.value, share.low, share.high, wall.value, wall.low, wall.high))
        return "\n".join(lines)
