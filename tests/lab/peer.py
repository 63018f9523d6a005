#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Real peers for the lab: servers, clients and watchers, each one line of output.

  peer.py serve ADDRESS TCPPORTS UDPPORTS   echo servers that name the peer first
  peer.py tcp DST PORT [SPORT]         one exchange: "ok ADDRESS PORT" or "error NAME"
  peer.py udp DST PORT [SPORT]         the same; ICMP errors that came are named behind it
  peer.py hold DST PORT FILE           keeps one TCP connection busy, counts echoes in FILE
  peer.py many tcp|udp DST PORT N      N flows open at once: "ok N ADDRESS..." or what failed
  peer.py upload DST PORT BYTES        sends, and waits for as many bytes to come back
  peer.py send SRC DST PROTO PORT [N]  raw packets from any source address, no answer awaited
  peer.py frame DEV HEX                one raw frame
  peer.py sniff DEV                    a line per IPv4 packet: in|out SRC DST PROTO DPORT TTL
"""
import errno
import resource
import selectors
import socket
import struct
import sys
import time

WAIT = 2.0  # seconds without an answer that count as silence; argument --wait=N before the verb


def all_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def ports(text):
    return [int(p) for p in text.split(",") if p and p != "-"]


def serve(address, tcp, udp):
    all_files()
    sel = selectors.DefaultSelector()
    for port in ports(tcp):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.listen(4096)
        sel.register(s, selectors.EVENT_READ, "listen")
    for port in ports(udp):
        s = socket.socket(type=socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        s.bind((address, port))
        sel.register(s, selectors.EVENT_READ, "udp")
    print("ready", flush=True)
    while True:
        for key, _ in sel.select():
            serve_one(sel, key.fileobj, key.data)


def serve_one(sel, s, kind):
    try:
        if kind == "listen":
            c, peer = s.accept()
            sel.register(c, selectors.EVENT_READ, "tcp")
            c.sendall(b"%s %d\n" % (peer[0].encode(), peer[1]))
        elif kind == "udp":
            data, peer = s.recvfrom(65535)
            s.sendto(b"%s %d\n" % (peer[0].encode(), peer[1]) + data, peer)
        else:
            data = s.recv(65536)
            if not data:
                raise ConnectionError
            s.sendall(data)
    except OSError:
        if kind == "tcp":
            sel.unregister(s)
            s.close()


def name(error):
    if isinstance(error, (TimeoutError, socket.timeout)):
        return "timeout"
    return errno.errorcode.get(error.errno, str(error))


def icmp_watch():
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    s.settimeout(0.1)
    return s


def icmp_seen(s):
    """Every ICMP error that this host got meanwhile, oldest first."""
    words = []
    try:
        while True:
            data, peer = s.recvfrom(65535)
            if data[20] in (3, 11):
                words.append("icmp %d/%d %s" % (data[20], data[21], peer[0]))
    except OSError:
        return "".join(" " + w for w in words)


def one(kind, dst, port, sport):
    watch = icmp_watch()
    s = socket.socket(type=kind)
    s.settimeout(WAIT)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", sport))
    try:
        s.connect((dst, port))
        if kind == socket.SOCK_DGRAM:
            s.send(b"hello")
        answer = s.recv(2048).split(b"\n")[0].decode()
        print("ok", answer)
        return 0
    except OSError as error:
        print("error", name(error) + icmp_seen(watch))
        return 1


def hold(dst, port, path):
    s = socket.create_connection((dst, port), timeout=WAIT)
    stream = s.makefile("rb")
    stream.readline()
    s.settimeout(600)
    count = 0
    while True:
        s.sendall(b"%d\n" % count)
        if not stream.readline():
            return 1
        count += 1
        with open(path, "w", encoding="ascii") as f:
            f.write("%d\n" % count)
        time.sleep(0.05)


def many(kind, dst, port, count):
    all_files()
    tcp = kind == "tcp"
    held, peers, deadline = [], set(), time.monotonic() + 10 * WAIT
    for _ in range(count):
        s = socket.socket(type=socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        s.settimeout(WAIT)
        try:
            s.connect((dst, port))
            if not tcp:
                s.send(b"hello")
            held.append(s)
            if len(held) % 64 == 0 or len(held) == count:
                for h in held[len(peers):]:
                    peers.add(h.recv(2048).split(b"\n")[0].decode())
        except OSError as error:
            print("error", name(error), "after", len(peers))
            return 1
        if time.monotonic() > deadline:
            print("error timeout after", len(peers))
            return 1
    print("ok", len(peers), *sorted({p.split()[0] for p in peers}), flush=True)
    return 0


def upload(dst, port, size):
    s = socket.create_connection((dst, port), timeout=WAIT)
    greeting = s.makefile("rb").readline
    try:
        greeting()
        back, sent, chunk = 0, 0, bytes(16384)
        while back < size:
            if sent < size and sent - back < 65536:
                s.sendall(chunk[:min(len(chunk), size - sent)])
                sent = min(size, sent + len(chunk))
            back += len(s.recv(65536))
        print("ok", back)
        return 0
    except OSError as error:
        print("error", name(error), "after", back)
        return 1


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def send(src, dst, proto, port, count):
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    a, b = socket.inet_aton(src), socket.inet_aton(dst)
    for i in range(count):
        sport = 20000 + i
        if proto == "udp":
            number, sum_at, l4 = 17, 6, struct.pack("!HHHH", sport, port, 13, 0) + b"spoof"
        elif proto in ("syn", "ack"):
            flags = 0x02 if proto == "syn" else 0x10
            number, sum_at = 6, 16
            l4 = struct.pack("!HHIIBBHHH", sport, port, 1, 1, 0x50, flags, 1024, 0, 0)
        else:
            number, sum_at, l4 = 1, 2, struct.pack("!BBHHH", 8, 0, 0, sport, 1) + b"spoof"
        pseudo = b"" if number == 1 else a + b + struct.pack("!HH", number, len(l4))
        l4 = l4[:sum_at] + struct.pack("!H", checksum(pseudo + l4)) + l4[sum_at + 2:]
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(l4), i, 0, 64, number, 0, a, b)
        s.sendto(ip + l4, (dst, 0))
    return 0


def frame(dev, text):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((dev, 0))
    s.send(bytes.fromhex(text))
    return 0


def sniff(dev):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.bind((dev, 0x0800))
    print("ready", flush=True)
    while True:
        data, where = s.recvfrom(65535)
        if len(data) < 24:
            continue
        first = not struct.unpack("!H", data[6:8])[0] & 0x1fff
        at = (data[0] & 15) * 4 + 2
        port = data[at:at + 2] if first and data[9] in (6, 17) else b""
        print("out" if where[2] == 4 else "in",
              socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20]),
              {1: "icmp", 6: "tcp", 17: "udp"}.get(data[9], data[9]),
              int.from_bytes(port, "big"), data[8], flush=True)


def main(argv):
    global WAIT
    if argv and argv[0].startswith("--wait="):
        WAIT = float(argv.pop(0)[7:])
    verb, args = argv[0], argv[1:]
    if verb in ("tcp", "udp"):
        kind = socket.SOCK_STREAM if verb == "tcp" else socket.SOCK_DGRAM
        return one(kind, args[0], int(args[1]), int(args[2]) if len(args) > 2 else 0)
    if verb == "many":
        return many(args[0], args[1], int(args[2]), int(args[3]))
    if verb == "hold":
        return hold(args[0], int(args[1]), args[2])
    if verb == "upload":
        return upload(args[0], int(args[1]), int(args[2]))
    if verb == "send":
        count = int(args[4]) if len(args) > 4 else 1
        return send(args[0], args[1], args[2], int(args[3]), count)
    return {"serve": serve, "frame": frame, "sniff": sniff}[verb](*args)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
