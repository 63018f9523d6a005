#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A tender's control socket that says the worst: names that are markup, numbers that are none.

  fake.py SOCKET
"""
import json
import os
import socket
import sys

MARKUP = "<img src=x onerror=\"window.bad='yes'\"><script>window.bad='yes'</script>"
TURNED = "a\u202egpj.exe\u0007\n\u200b"
HUGE = 2 ** 53


def status():
    yield {"type": "appliance", "schema": 1, "platform": MARKUP, "uptime_s": "long", "store": MARKUP,
           "uplink_ip": MARKUP, "gateway": "", "flows": HUGE, "flow_capacity": -5, "opened": 1}
    yield {"type": "port", "port": 0, "role": "uplink", "name": MARKUP, "ip": "1.2.3.4", "link": "up",
           "rx_bytes": HUGE, "tx_bytes": 0, "rx_packets": 1, "tx_packets": "1e9", "drops": None}
    yield {"type": "port", "port": "__proto__", "role": "client", "name": TURNED, "ip": MARKUP, "link": [], "drops": {}}
    for i in range(300):
        yield {"type": "port", "port": i + 1, "role": "client", "name": f"<b>{i}", "ip": f"10.0.{i // 250}.{i % 250}",
               "link": "up", "rx_bytes": i, "tx_bytes": i, "rx_packets": i, "tx_packets": i, "drops": i}
        yield {"type": "client", "ip": f"10.0.{i // 250}.{i % 250}", "state": MARKUP if i < 3 else "open", "rules": i,
               "policy": MARKUP, "generation": 1, "attached": True, "error": MARKUP}
    for i in range(40):
        yield {"type": "drop", "reason": "constructor" if i == 0 else f"<i>{i}", "text": MARKUP, "count": os.getpid() % 7 + status.asked * i}
    status.asked += 1
    yield {"type": "platform", "name": MARKUP}


status.asked = 1


def flows():
    for i in range(3000):
        yield {"type": "flow", "proto": MARKUP, "src": MARKUP, "sport": i, "dst": TURNED, "dport": "x", "nat_ip": None,
               "state": MARKUP, "client": MARKUP, "rule": MARKUP, "rule_id": MARKUP, "idle_s": -1,
               "up_bytes": i * 1000, "down_bytes": HUGE, "up_packets": i, "down_packets": i}


def rules():
    for i in range(400):
        yield {"type": "rule", "client": MARKUP, "rule": i, "id": f"<u>{i}", "text": f"action={MARKUP} {TURNED}", "packets": i}


def events():
    yield {"type": "events", "boot": MARKUP, "next": 51, "lost": 3}
    for i in range(50):
        yield {"type": "event", "seq": i, "kind": MARKUP if i % 2 else "drop", "src": MARKUP, "what": {"__proto__": MARKUP}, "text": TURNED}


def latency():
    yield {"type": "latency", "direction": "up", "stage": "residence", "count": 5 * latency.asked, "sum_ns": 9, "min_ns": 1,
           "max_ns": HUGE, "buckets": [[100, 5 * latency.asked], [1151, latency.asked], [99999, 1]]}
    yield {"type": "latency", "direction": MARKUP, "stage": MARKUP[:20], "count": 1, "buckets": [[1, 1]]}
    yield {"type": "latency", "direction": "up", "stage": "residence", "of": MARKUP[:40], "count": 7, "max_ns": 100, "buckets": [[9, 7]]}
    yield {"type": "latency", "direction": "down", "stage": "residence", "of": "__proto__", "count": 7, "buckets": [[9, 7]]}
    latency.asked += 1


latency.asked = 1
ANSWERS = {"status": status, "flows": flows, "rules": rules, "events": events, "latency": latency,
           "tender": lambda: [{"type": "tender", "mode": MARKUP}]}


def answer(connection):
    words = connection.recv(4096).decode().split()
    lines = ANSWERS.get(words[0] if words else "", lambda: [{"type": "error", "error": MARKUP}])()
    try:
        connection.sendall("".join(json.dumps(line) + "\n" for line in lines).encode() + b".\n")
    except OSError:
        pass


def main():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(16)
    while True:
        with listener.accept()[0] as connection:
            answer(connection)


main()
