#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What most latency tools do: send, wait for the answer, send the next. Prints every round trip in ns.

    closed_loop.py HOST PORT SECONDS
"""
import socket
import sys
import time

s = socket.socket(type=socket.SOCK_DGRAM)
s.connect((sys.argv[1], int(sys.argv[2])))
s.settimeout(2)
until = time.monotonic() + float(sys.argv[3])
sequence = 0
while time.monotonic() < until:
    sent = time.monotonic_ns()
    # Another magic's first bytes would not be answered; the kind and session are latency_wire.h's.
    s.send(b"PLT\x01\0\0\0\0" + (1 << 40 | sequence).to_bytes(8, "big") + bytes(16))
    try:
        s.recv(2048)
    except TimeoutError:
        continue
    print(time.monotonic_ns() - sent)
    sequence += 1
