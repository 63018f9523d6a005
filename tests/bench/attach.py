#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Milliseconds to attach N taps to a running appliance by its control socket, then detaches them.

    attach.py CONTROL N      in the namespace that the taps are made in; prints one number
"""
import array
import fcntl
import os
import socket
import struct
import sys
import time

TUNSETIFF, IFF_TAP_NO_PI = 0x400454CA, 0x0002 | 0x1000


def taps(count):
    for i in range(count):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"m%d" % i, IFF_TAP_NO_PI))
        yield fd


def ask(control, line, fd=None):
    more = [] if fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
    control.sendmsg([line.encode() + b"\n"], more)
    answer = b""
    while not answer.endswith(b".\n"):
        got = control.recv(4096)
        if not got:
            raise SystemExit("the appliance hung up: %r" % answer)
        answer += got
    if not answer.startswith(b"ok"):
        raise SystemExit(answer.decode())


def main():
    count = int(sys.argv[2])
    fds = list(taps(count))
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.settimeout(10)
    control.connect(sys.argv[1])
    begin = time.perf_counter()
    for i, fd in enumerate(fds):
        ask(control, "attach client ip=10.138.%d.%d,name=m%d" % (i // 250, i % 250 + 1, i), fd)
    took = time.perf_counter() - begin
    for i in range(count):
        ask(control, "detach m%d" % i)
    print("%.3f" % (took * 1e3))


main()
