#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A name server that lies before it tells the truth.

  dns_liar.py ADDRESS FALSE TRUE     for every A question: a forged answer with FALSE in every way below, then TRUE

Each forgery is wrong in one thing that a resolver must look at; the last ones cannot be read. One line a question.
"""
import socket
import struct
import sys


def rr(owner, kind, data, ttl=60):
    return owner + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def message(ident, question, records, flags=0x8180, questions=1):
    return struct.pack(">6H", ident, flags, questions, len(records), 0, 0) + question + b"".join(records)


def forgeries(ident, question, false):
    owner = b"\xc0\x0c"
    lie = [rr(owner, 1, false)]
    other = b"\x05other\x03lab\0" + question[-4:]
    here = 12 + len(question)
    yield message(ident ^ 1, question, lie)                        # another id
    yield message(ident, other, lie)                               # another question
    yield message(ident, question[:-4] + b"\0\x1c\0\1", lie)       # another type
    yield message(ident, question, lie, flags=0x0100)              # a question
    yield message(ident, question + question, lie, questions=2)    # two of them
    yield message(ident, question, [rr(struct.pack(">H", 0xC000 | here), 1, false)])  # a name that is itself
    yield message(ident, question, [rr(owner, 1, false + b"\0")])  # no address
    yield message(ident, question, lie)[:-2]                       # cut
    yield b"\xff" * 7


def main(address, false, true):
    s = socket.socket(type=socket.SOCK_DGRAM)
    s.bind((address, 53))
    elsewhere = socket.socket(type=socket.SOCK_DGRAM)
    elsewhere.bind((address, 5353))
    false, true = socket.inet_aton(false), socket.inet_aton(true)
    print("ready", flush=True)
    while True:
        asked, peer = s.recvfrom(2048)
        ident, question = struct.unpack(">H", asked[:2])[0], asked[12:]
        elsewhere.sendto(message(ident, question, [rr(b"\xc0\x0c", 1, false)]), peer)
        for lie in forgeries(ident, question, false):
            s.sendto(lie, peer)
        # the truth, with what is nobody's business beside it
        s.sendto(message(ident, question, [rr(b"\x05other\x03lab\0", 1, false), rr(b"\xc0\x0c", 1, true)]), peer)
        print("lied about", question[1:1 + question[0]].decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
