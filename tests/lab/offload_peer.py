#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Peers for the offload test: every byte compared where it arrives, every checksum on the way.

  offload_peer.py serve ADDRESS PORT        TCP and UDP, for the verbs below
  offload_peer.py up|down DST PORT BYTES    one TCP transfer to or from the server: "ok BYTES"
  offload_peer.py train DST PORT BYTES SEGMENT   a UDP super-frame, and one that comes back
  offload_peer.py pass NAME HEADERBYTES CONTROL REQUEST   makes a tap, passes it on: the answer
  offload_peer.py watch DEV                 until SIGTERM: "frames N partial N bad N longest N"
"""
import array
import errno
import fcntl
import hashlib
import os
import selectors
import signal
import socket
import struct
import sys
import time

UDP_SEGMENT = 103
SOL_PACKET, PACKET_AUXDATA, SO_RCVBUFFORCE = 263, 8, 33
PACKET_OUTGOING, CSUMNOTREADY, ETH_P_IP = 4, 8, 0x0800
TUNSETIFF, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 2, 0x1000, 0x4000
TRAIN_TRIES = 5
PATIENCE_S = 60  # a machine that emulates its guest, and has other work


def data(size):
    return hashlib.shake_128(b"%d" % size).digest(size)


def read_exactly(s, size):
    out = bytearray()
    while len(out) < size:
        more = s.recv(min(size - len(out), 1 << 20))
        if not more:
            raise EOFError("%d of %d bytes" % (len(out), size))
        out += more
    return bytes(out)


# --- UDP trains: each segment says which train it is of, and its place ---------------
def segments(train, size, segment):
    body = data(size)
    step = segment - 4
    return [struct.pack("!HH", train, i) + body[at:at + step]
            for i, at in enumerate(range(0, size, step))]


def send_train(s, to, train, size, segment):
    parts = segments(train, size, segment)
    try:
        s.sendmsg([b"".join(parts)], [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", segment))], 0, to)
    except OSError as error: # older kernels want a checksum offload for it
        if error.errno not in (errno.EIO, errno.EINVAL):
            raise
        for part in parts:
            s.sendto(part, to)


class Trains:
    """Collects segments by sender and train; says when a train is whole."""

    def __init__(self):
        self.got = {}

    def take(self, source, packet, size, segment):
        train, place = struct.unpack("!HH", packet[:4])
        mine = self.got.setdefault((source, train), {})
        mine[place] = packet
        want = segments(train, size, segment)
        if place >= len(want) or want[place] != packet:
            raise ValueError("segment %d of %d bytes is not what was sent" % (place, len(packet)))
        return train if len(mine) == len(want) else None


def train(dst, port, size, segment):
    s = socket.socket(type=socket.SOCK_DGRAM)
    s.settimeout(2)
    hello = struct.pack("!II", size, segment)
    for number in range(TRAIN_TRIES): # it is UDP: a loss is no lie
        trains = Trains()
        s.sendto(hello, (dst, port))
        try:
            if s.recv(64) != hello:
                continue
            send_train(s, (dst, port), number, size, segment)
            while trains.take(None, s.recv(65536), size, segment) != number:
                pass
            return "ok %d" % size
        except socket.timeout:
            continue
    raise TimeoutError("no train came back")


# --- the server --------------------------------------------------------------------
def serve_tcp(listener):
    s, _ = listener.accept()
    s.settimeout(PATIENCE_S)
    with s:
        direction, size = struct.unpack("!cQ", read_exactly(s, 9))
        if direction == b"u":
            s.sendall(b"same" if read_exactly(s, size) == data(size) else b"diff")
        else:
            s.sendall(data(size))


def serve_udp(s, peers):
    packet, source = s.recvfrom(65536)
    if len(packet) == 8:
        peers[source] = (Trains(), *struct.unpack("!II", packet))
        s.sendto(packet, source)
        return
    trains, size, segment = peers[source]
    done = trains.take(source, packet, size, segment)
    if done is not None:
        send_train(s, source, done, size, segment)


def serve(address, port):
    tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((address, port))
    tcp.listen(64)
    udp.bind((address, port))
    peers, selector = {}, selectors.DefaultSelector()
    selector.register(tcp, selectors.EVENT_READ, lambda: serve_tcp(tcp))
    selector.register(udp, selectors.EVENT_READ, lambda: serve_udp(udp, peers))
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            try:
                key.data()
            except (OSError, EOFError, ValueError, KeyError) as error:
                print("error", error, flush=True)


def transfer(direction, dst, port, size):
    with socket.create_connection((dst, port), timeout=PATIENCE_S) as s:
        s.sendall(struct.pack("!cQ", direction, size))
        if direction == b"u":
            s.sendall(data(size))
            good = read_exactly(s, 4) == b"same"
        else:
            good = read_exactly(s, size) == data(size)
    if not good:
        raise ValueError("the bytes differ")
    return "ok %d" % size


# --- the way out, watched -----------------------------------------------------------
def total(body):
    if len(body) % 2:
        body += b"\0"
    value = sum(struct.unpack("!%dH" % (len(body) // 2), body))
    while value >> 16:
        value = (value & 0xffff) + (value >> 16)
    return value


def is_good(ip):
    """Every checksum of an IPv4 packet that is whole."""
    header, proto = (ip[0] & 15) * 4, ip[9]
    size = struct.unpack("!H", ip[2:4])[0]
    body = ip[header:size]
    if len(ip) < size or total(ip[:header]) != 0xffff:
        return False
    if proto == socket.IPPROTO_ICMP:
        return total(body) == 0xffff
    if proto not in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
        return True
    if proto == socket.IPPROTO_UDP and body[6:8] == b"\0\0":
        return True
    return total(ip[12:20] + struct.pack("!BBH", 0, proto, len(body)) + body) == 0xffff


def watch(device):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 26)
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    s.bind((device, ETH_P_IP))
    s.settimeout(0.2)
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    count = dict.fromkeys(("frames", "partial", "bad", "longest"), 0)
    print("ready", flush=True)
    while True:
        try:
            frame, extra, _, source = s.recvmsg(1 << 17, 64)
        except socket.timeout:
            if ending:
                break
            continue
        if source[2] == PACKET_OUTGOING:
            continue
        status = struct.unpack("I", extra[0][2][:4])[0] if extra else 0
        count["frames"] += 1
        count["longest"] = max(count["longest"], len(frame))
        if status & CSUMNOTREADY:
            count["partial"] += 1
        elif not is_good(frame[14:]):
            count["bad"] += 1
            print("bad", frame[:80].hex(), flush=True)
    print(" ".join("%s %d" % pair for pair in count.items()), flush=True)


def pass_tap(name, header, control, request):
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    fcntl.ioctl(tap, TUNSETVNETHDRSZ, struct.pack("i", header))
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(PATIENCE_S)
        s.connect(control)
        s.sendmsg([request.encode() + b"\n"],
                  [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [tap]))])
        return s.makefile().readline().strip()


def main():
    verb, *rest = sys.argv[1:]
    begun = time.monotonic()
    try:
        if verb == "serve":
            serve(rest[0], int(rest[1]))
        elif verb == "watch":
            watch(rest[0])
        elif verb == "pass":
            print(pass_tap(rest[0], int(rest[1]), *rest[2:]))
        elif verb == "train":
            print(train(rest[0], *map(int, rest[1:])))
        else:
            print(transfer(verb[:1].encode(), rest[0], int(rest[1]), int(rest[2])))
    except (OSError, EOFError, ValueError) as error:
        print("error", error, "after %.1f s" % (time.monotonic() - begun))
        sys.exit(1)


main()
