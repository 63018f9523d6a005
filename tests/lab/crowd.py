#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Clients by the dozen, each a tap of this namespace: opens datagram flows and has every one answered.

    crowd.py CLIENTS FLOWS SERVER PORT     taps m0..., addresses 10.139.0.1...; what echoes is at SERVER:PORT

Prints a line, then obeys its standard input: each line has all flows answered once more. Status 1: not all were.
    crowd.py echo SERVER PORT              that echo
"""
import select
import socket
import struct
import sys
import time

WINDOW = 512         # datagrams under way
PORT_FIRST = 1024
STALL_S = 1.0        # then what has no answer is sent again
GIVE_UP_S = 20.0     # without any
ETHERTYPE_IP = 0x0800
UDP_AT = 34


def echo(server, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
    s.bind((server, port))
    print("ready", flush=True)
    while True:
        data, sender = s.recvfrom(2048)
        s.sendto(data, sender)


def checksum(header):
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


class Crowd:
    def __init__(self, clients, flows, server, port):
        self.clients, self.flows = clients, flows
        self.sockets, self.heads = [], []
        self.port = port
        self.poll = select.epoll()
        self.of = {}
        for i in range(clients):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE_IP))
            s.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)
            s.bind(("m%d" % i, ETHERTYPE_IP))
            s.setblocking(False)
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0,
                             socket.inet_aton("10.139.0.%d" % (i + 1)), socket.inet_aton(server))
            ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
            mac = s.getsockname()[4]
            self.heads.append(b"\xfe" + b"\xff" * 5 + mac + struct.pack("!H", ETHERTYPE_IP) + ip)
            self.sockets.append(s)
            self.of[s.fileno()] = i
            self.poll.register(s, select.EPOLLIN)

    def send(self, flow):
        client = flow % self.clients
        udp = struct.pack("!HHHH", PORT_FIRST + flow, self.port, 8, 0)
        try:
            self.sockets[client].send(self.heads[client] + udp)
        except BlockingIOError:
            pass  # it is sent again

    def answers(self, timeout):
        for fd, _ in self.poll.poll(timeout):
            client = self.of[fd]
            try:
                while True:
                    frame = self.sockets[client].recv(2048)
                    if len(frame) < UDP_AT + 8 or frame[23] != 17 or frame[6:12] != b"\xfe" + b"\xff" * 5:
                        continue
                    flow = struct.unpack_from("!H", frame, UDP_AT + 2)[0] - PORT_FIRST
                    if 0 <= flow < self.flows and flow % self.clients == client:
                        yield flow
            except BlockingIOError:
                pass

    def round(self):
        todo, under_way, done, again = iter(range(self.flows)), set(), set(), 0
        begun = news = time.monotonic()
        while len(done) < self.flows:
            for flow in todo:
                self.send(flow)
                under_way.add(flow)
                if len(under_way) >= WINDOW:
                    break
            for flow in self.answers(0.05):
                under_way.discard(flow)
                done.add(flow)
                news = time.monotonic()
            if time.monotonic() - news > GIVE_UP_S:
                print("%d of %d flows answered, no more to come" % (len(done), self.flows), flush=True)
                return False
            if under_way and time.monotonic() - news > STALL_S:
                for flow in list(under_way):
                    self.send(flow)
                    again += 1
                for flow in self.answers(0.5):
                    under_way.discard(flow)
                    done.add(flow)
                    news = time.monotonic()
        print("%d flows of %d clients answered in %.1f s, %d sent again"
              % (self.flows, self.clients, time.monotonic() - begun, again), flush=True)
        return True


def main():
    if sys.argv[1] == "echo":
        echo(sys.argv[2], int(sys.argv[3]))
    crowd = Crowd(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    if not crowd.round():
        return 1
    for _ in sys.stdin:
        if not crowd.round():
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
