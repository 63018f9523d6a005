#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Reads pcapng as its draft describes it, with nothing of ours, and holds a capture against what was sent.

  capture_check.py nat FILE CLIENT OURS SERVER N      N datagrams "allowed-i" out, translated, and their echoes back;
                                                      N "refused-i", each with the ICMP error that answers it
  capture_check.py all FILE KEY=VALUE...              every packet's comment has all of these; there is at least one
  capture_check.py events FILE REASON N               of events -j: drops of it told and suppressed are N in all
"""
import json
import struct
import sys


def options(body, order):
    found, at = {}, 0
    while at + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, at)
        if code == 0:
            assert length == 0 and at + 4 == len(body), "the options end where the block does"
            break
        found.setdefault(code, []).append(body[at + 4:at + 4 + length])
        at += 4 + (length + 3) // 4 * 4
    return found


def read(path):
    """Interfaces, packets, statistics; every length is checked."""
    data = open(path, "rb").read()
    assert data[:4] == b"\x0a\x0d\x0d\x0a", "a section begins the file"
    order = "<" if data[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
    interfaces, packets, statistics, at = [], [], {}, 0
    while at < len(data):
        kind, length = struct.unpack_from(order + "II", data, at)
        assert length % 4 == 0 and length >= 12 and at + length <= len(data)
        assert struct.unpack_from(order + "I", data, at + length - 4)[0] == length, "both lengths of a block agree"
        body = data[at + 8:at + length - 4]
        at += length
        if kind == 1:
            link, _, snap = struct.unpack_from(order + "HHI", body)
            o = options(body[8:], order)
            assert link == 1 and o[9] == [b"\x09"], "Ethernet, nanoseconds"
            interfaces.append({"name": o[2][0].decode(), "snap": snap})
        elif kind == 6:
            i, high, low, kept, size = struct.unpack_from(order + "IIIII", body)
            padded = (kept + 3) // 4 * 4
            assert i < len(interfaces) and kept <= size and kept <= interfaces[i]["snap"]
            o = options(body[20 + padded:], order)
            words = dict(w.split("=", 1) for w in o[1][0].decode().split())
            packets.append({"on": interfaces[i]["name"], "ns": high << 32 | low, "bytes": body[20:20 + kept],
                            "len": size, "way": struct.unpack(order + "I", o[2][0])[0] & 3,
                            "id": struct.unpack(order + "Q", o[5][0])[0], "words": words})
        elif kind == 5:
            o = options(body[12:], order)
            statistics[interfaces[struct.unpack_from(order + "I", body)[0]]["name"]] = [
                struct.unpack(order + "Q", o[c][0])[0] for c in (4, 5)]
    return interfaces, packets, statistics


def address(b):
    return ".".join(map(str, b))


def udp(p):
    """(source, port, destination, port, payload), or None."""
    b = p["bytes"]
    if b[12:14] != b"\x08\x00" or b[23] != 17:
        return None
    sport, dport = struct.unpack_from("!HH", b, 34)
    return address(b[26:30]), sport, address(b[30:34]), dport, b[42:14 + struct.unpack_from("!H", b, 16)[0]]


def icmp(p):
    """(source, destination, type, code, the quoted datagram's ports), or None."""
    b = p["bytes"]
    if b[12:14] != b"\x08\x00" or b[23] != 1 or b[34] != 3:
        return None
    return address(b[26:30]), address(b[30:34]), b[34], b[35], struct.unpack_from("!HH", b, 42 + 20)


def twins(packets, p):
    return [q for q in packets if q["id"] == p["id"] and q is not p]


def nat(path, client, ours, server, count):
    interfaces, packets, statistics = read(path)
    assert {"up0", "c1", "c2"} <= {i["name"] for i in interfaces}, interfaces
    assert all(a["ns"] <= b["ns"] for a, b in zip(packets, packets[1:])), "in order of time"
    seen = {"out": set(), "back": set(), "refused": set()}
    for p in packets:
        u = udp(p)
        if not u or p["on"] != "c1" or b"-" not in u[4]:
            continue
        i, w = int(u[4].rsplit(b"-", 1)[1]), p["words"]
        others = twins(packets, p)
        if u[4].startswith(b"refused"):
            assert p["way"] == 1 and u[0] == client and u[2] == server and w["verdict"] == "dropped", p
            assert w["reason"] == "rule" and w["rule"] == "1" and w["id"].startswith("r-") and w["client"] == client, w
            assert int(w["generation"]) > 0 and i not in seen["refused"]
            seen["refused"].add(i)
            if others:  # the answers are bounded by a rate
                told = icmp(others[0])
                assert others[0]["way"] == 2 and others[0]["on"] == "c1" and others[0]["words"]["answer"] == "yes"
                assert told and told[1:4] == (client, 3, 13) and told[4] == (u[1], u[3]), told
        elif u[0] == client:
            assert p["way"] == 1 and i not in seen["out"]
            assert w["verdict"] in ("passed", "held") and w["rule"] == "0" and w["id"] == "web", w
            seen["out"].add(i)
            if w["verdict"] == "passed":
                v = udp(others[0])
                assert len(others) == 1 and others[0]["on"] == "up0" and others[0]["way"] == 2
                assert v[0] == ours and v[2:] == u[2:] and w["out"] == "up0" and others[0]["words"]["in"] == "c1", v
                assert others[0]["bytes"][22] == p["bytes"][22] - 1, "a hop less to live"
        else:
            v = udp(others[0])
            assert p["way"] == 2 and u[0] == server and u[2] == client and w["direction"] == "reply", p
            assert others[0]["on"] == "up0" and others[0]["way"] == 1 and v[2] == ours and v[4] == u[4]
            assert i not in seen["back"]
            seen["back"].add(i)
    everything = set(range(count))
    assert seen == {k: everything for k in seen}, {k: sorted(everything - v) for k, v in seen.items()}
    assert all(lost == 0 for _, lost in statistics.values())
    assert statistics["c1"][0] == sum(p["on"] == "c1" for p in packets), statistics
    print(len(packets), "packets as they were sent")


def every(path, wanted):
    packets = read(path)[1]
    assert packets, "a packet at least"
    for p in packets:
        for word in wanted:
            key, value = word.split("=", 1)
            assert p["words"].get(key) == value, (word, p["words"])


def events(path, reason, count):
    lines = [json.loads(line) for line in open(path)]
    assert [e["seq"] for e in lines] == list(range(lines[0]["seq"], lines[0]["seq"] + len(lines))), "none is missing"
    told = [e for e in lines if e.get("reason") == reason]
    drops = [e for e in told if e["kind"] == "drop"]
    left_out = sum(e.get("suppressed", 0) for e in drops)
    left_out += sum(e["count"] for e in told if e["kind"] == "suppressed")
    assert len(drops) + left_out == count, (len(drops), left_out, count)
    assert all(e["client"] and e["rule_id"].startswith("r-") and e["proto"] == "udp" for e in drops), drops
    print(len(drops), "told,", left_out, "left out")


if __name__ == "__main__":
    verb, words = sys.argv[1], sys.argv[2:]
    if verb == "nat":
        nat(*words[:4], int(words[4]))
    elif verb == "all":
        every(words[0], words[1:])
    else:
        events(words[0], words[1], int(words[2]))
