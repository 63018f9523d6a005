#!/bin/sh
# SPDX-License-Identifier: ISC
# Super-frames and partial checksums between taps that have offloads and taps that have none:
# every byte arrives as it was sent, and nothing leaves with a wrong checksum.
#
#   lab.sh's topology; uplink and client one each of "on" (virtio_net_hdr) and "off" (plain)
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

MODE=${MODE:-spt}
OFFLOAD_PEER=$ROOT/tests/lab/offload_peer.py
PORT=5005
SIZES='1 1447 1448 1449 65535 1048583' TRAIN='28007 1400' PAIRS='on/on on/off off/on off/off'
[ "$MODE" = spt ] || SIZES='1449 65535' TRAIN='7007 1400' PAIRS='on/on off/on'

offload_peer() { # up|c1|c3, then a verb and its arguments
	ns=$1
	shift
	in_ns "$ns" python3 "$OFFLOAD_PEER" "$@"
}

# Of both ends: the kernels that judge what arrived.
checksum_errors() {
	for ns in up c1; do in_ns $ns cat /proc/net/snmp; done | awk '
		{proto = $1}
		proto != last {for (i = 1; i <= NF; i++) column[i] = $i; last = proto; next}
		{for (i = 2; i <= NF; i++) if (column[i] == "InCsumErrors") n += $i; last = ""}
		END {print n + 0}'
}

tender_says() { # port name, key: a number of the tender's own account of that port
	"$POSTERN" status -j | python3 -c '
import json, sys
def ports(v):
    if isinstance(v, dict):
        if v.get("name") == sys.argv[1] and sys.argv[2] in v:
            yield v[sys.argv[2]]
        v = list(v.values())
    if isinstance(v, list):
        for x in v:
            yield from ports(x)
print(next(ports(json.load(sys.stdin))))' "$1" "$2"
}

restart() { # how the uplink and the client are opened
	stop "$TENDER_PID"
	LAB_UPLINK_MORE=,offload=$1 LAB_C1_MORE=,offload=$2
	handled_before=$(handled "$C1")
	lab_tender && wait_for 5 handled_past "$C1" "$handled_before"
}

watch() { # up|c1, device
	ns=$LAB_ID-$1 log=$LAB/watch.$1
	background "$log" ip netns exec "$ns" python3 "$OFFLOAD_PEER" watch "$2"
	wait_for 5 has_line "$log" ready
}

# Traffic of all sizes both ways, watched on both ends.
exercise() { # what to call it
	watch up up0
	watch_up=$pid
	watch c1 eth0
	watch_c1=$pid
	for size in $SIZES; do
		check "$1: $size bytes up" offload_peer c1 up "$SERVER" $PORT "$size"
		check "$1: $size bytes down" offload_peer c1 down "$SERVER" $PORT "$size"
	done
	# shellcheck disable=SC2086
	check "$1: datagrams sent as one, both ways" offload_peer c1 train "$SERVER" $PORT $TRAIN
	stop "$watch_up"
	stop "$watch_c1"
	for end in up c1; do
		check "$1: no wrong checksum arrives at $end" has_line "$LAB/watch.$end" ' bad 0 '
	done
	check "$1: the kernels found none either" test "$(checksum_errors)" = 0
	for port in up0 c1; do
		check "$1: $port refused no descriptor" test "$(tender_says $port tx_bad)" = 0
		check "$1: $port lost nothing" test "$(tender_says $port tx_drop)" = 0
	done
}

longest() { sed -n 's/.* longest //p' "$LAB/watch.$1"; }
is_super() { [ "$(longest "$1")" -gt 3000 ]; }

# A large buffer that someone keeps would be missed soon: there are few.
all_home() {
	"$POSTERN" status -j | python3 -c '
import json, sys
t = json.load(sys.stdin)["tender"]
sys.exit(t["large_buffers"] != t["large_buffers_free"])'
}

lab_up "$MODE"
background "$LAB/server.log" ip netns exec "$NS_UP" python3 "$OFFLOAD_PEER" serve "$SERVER" $PORT
wait_for 5 has_line "$LAB/server.log" ready
check "rules for the client" rules_set "$C1" <<END
action=accept
END

for pair in $PAIRS; do
	up=${pair%/*} client=${pair#*/}
	name="uplink $up, client $client"
	check "$name: starts" restart "$up" "$client"
	exercise "$name"
	[ "$up" = off ] && check "$name: nothing partial on the uplink" has_line "$LAB/watch.up" ' partial 0 '
	[ "$client" = off ] && check "$name: nothing partial on the client" has_line "$LAB/watch.c1" ' partial 0 '
	if [ $pair = on/on ]; then
		check "$name: super-frames went up whole" is_super up
		check "$name: and came down whole" is_super c1
		check "$name: nothing was cut here" test "$(tender_says up0 tx_cut)" = 0
	elif [ $pair = off/on ]; then
		check "$name: they were cut here" test "$(tender_says up0 tx_cut)" -gt 0
		check "$name: into what the link takes" not is_super up
	fi
	check "$name: every buffer came home" wait_for 5 all_home
done

# Frames that fit no small buffer without any offload.
ip -n "$NS_UP" link set up0 mtu 9000
ip -n "$NS_C1" link set eth0 mtu 9000
for pair in off/off on/off; do
	name="9000 bytes, uplink ${pair%/*}, client ${pair#*/}"
	check "$name: starts" restart "${pair%/*}" "${pair#*/}"
	exercise "$name"
	check "$name: frames went as they are" is_super up
	check "$name: every buffer came home" wait_for 5 all_home
done

# Ports that come later are the same: the tender finds out what it was given.
offloads_are() { # port name, what it has
	[ "$(tender_says "$1" offload)" = "$2" ]
}
"$POSTERN" attach "tap=later0,netns=$NS_C1,ip=10.137.0.7,name=later0" >/dev/null
"$POSTERN" attach "tap=later1,netns=$NS_C1,ip=10.137.0.8,name=later1,offload=off" >/dev/null
check "a port attached later has what the first have" offloads_are later0 "$(tender_says up0 offload)"
check "one that is told not to has none" offloads_are later1 '[]'
queue_of() { ip -n "$NS_C1" link show "$1" | sed -n 's/.* qlen \([0-9]*\).*/\1/p'; }
check "its queue is a long one" test "$(queue_of later1)" = 10000

# A tap that somebody else made, with the longer header of virtio 1.
C3=10.137.0.10
new_namespace "$LAB_ID-c3"
check_says "a header too long to be one is refused" "^error" \
	offload_peer c3 pass other 64 "$POSTERN_CONTROL" "attach client ip=$C3,name=other"
check_says "a tap with twelve bytes of header is taken" "^ok" \
	offload_peer c3 pass other 12 "$POSTERN_CONTROL" "attach client ip=$C3,name=other"
check "it has what the first have" offloads_are other "$(tender_says up0 offload)"
ip -n "$LAB_ID-c3" addr add $C3/32 dev other
ip -n "$LAB_ID-c3" link set other up
ip -n "$LAB_ID-c3" route add default via 10.137.0.1 dev other onlink
check "rules for it" rules_set $C3 <<END
action=accept
END
check "bytes go up through it" offload_peer c3 up "$SERVER" $PORT 65535
check "and down" offload_peer c3 down "$SERVER" $PORT 65535
check "none of them refused" test "$(tender_says other tx_bad)$(tender_says other tx_drop)" = 00
check_says "a word that is neither is refused" "on or off" \
	"$POSTERN" attach "tap=later2,netns=$NS_C1,ip=10.137.0.9,offload=maybe"
lab_summary
