#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Traffic with some life in it, for a page to show.

  traffic.py serve ADDRESS PORT...     TCP: sends as many bytes as each request line says
  traffic.py drive ADDRESS SEED PORT...   one connection a port, each with a rate that swings; and
                                       now and then a connection or a datagram to where nobody listens
"""
import math
import random
import selectors
import socket
import sys
import threading
import time


def serve(address, ports):
    sel = selectors.DefaultSelector()
    for port in ports:
        s = socket.create_server((address, port))
        sel.register(s, selectors.EVENT_READ, None)
    print("ready", flush=True)
    while True:
        for key, _ in sel.select():
            if key.data is None:
                threading.Thread(target=answer, args=(key.fileobj.accept()[0],), daemon=True).start()


def answer(connection):
    try:
        with connection, connection.makefile("rwb") as f:
            for line in f:
                f.write(b"x" * min(int(line.split()[0]), 1 << 20))
                f.flush()
    except (OSError, ValueError):
        pass


def swing(address, port, seed):
    r = random.Random(seed)
    period, most = r.uniform(15, 60), 10 ** r.uniform(3.6, 5.3)
    while True:
        try:
            with socket.create_connection((address, port), 5) as c:
                while True:
                    n = int(most * (1.05 + math.sin(time.time() / period * 6.28 + seed)) * r.uniform(0.6, 1.1)) + 40
                    c.sendall(b"%d %s\n" % (n, b"y" * int(n * r.choice([0.02, 0.1, 0.4]))))
                    while n > 0 and (got := c.recv(65536)):
                        n -= len(got)
                    time.sleep(r.uniform(0.05, 0.2))
        except OSError:
            time.sleep(1)


def knock(address, seed):
    r = random.Random(seed)
    udp = socket.socket(type=socket.SOCK_DGRAM)
    while True:
        for _ in range(r.choice([0, 1, 1, 2, 9])):
            try:
                udp.sendto(b"hello", (address, r.choice([53, 123, 161, 5353])))
            except OSError:
                pass
        time.sleep(r.uniform(0.2, 1.5))


def main():
    verb, address = sys.argv[1:3]
    if verb == "serve":
        serve(address, map(int, sys.argv[3:]))
    seed = int(sys.argv[3])
    for port in map(int, sys.argv[4:]):
        threading.Thread(target=swing, args=(address, port, seed + port), daemon=True).start()
    knock(address, seed)


main()
