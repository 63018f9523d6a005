#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A store that breaks the protocol on every connection.

  store_liar.py LINK     a line on the standard output for each connection, and one when its peer has left it
"""
import socket
import sys


def main():
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(sys.argv[1])
    server.listen()
    print("ready", flush=True)
    while True:
        peer, _ = server.accept()
        print("connected", flush=True)
        try:
            if peer.recv(72, socket.MSG_WAITALL):
                peer.sendall(b"\xff" * 72)
            while peer.recv(4096):
                pass
        except OSError:
            pass
        print("left", flush=True)
        peer.close()


main()
