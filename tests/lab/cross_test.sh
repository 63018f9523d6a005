#!/bin/sh
# SPDX-License-Identifier: ISC
# What the world opens to a client, by a port of the firewall that leads there, and what one client opens to another:
# real connections, live changes, super-frames from client to client.
# Topology: lab.sh. Neither client has rules of its own: those are not asked.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

OFFLOAD_PEER=$ROOT/tests/lab/offload_peer.py
BULK=5006
SIZES='65535 1048583' TRAIN='28007 1400'
[ "${MODE:-spt}" = spt ] || SIZES='65535' TRAIN='7007 1400'

inbound() { # words to leave out
	printf '[inbound]\n'
	{
		echo "drop tcp 2222 from 192.0.2.0/24"
		echo "accept tcp 2222 to $C1:22 from $GATEWAY"
		echo "accept tcp 2223 to $C1:22 from 192.0.2.0/24"
		echo "accept udp 5000-5009 to $C1:5350-5359"
		echo "accept tcp 8080 to $C1"
	} | grep -v "$1"
}
between() {
	printf '[between]\n'
	echo "accept $C1 $C2 tcp 22"
	echo "accept $C1 $C2 tcp $BULK"
	echo "accept $C1 $C2 udp $BULK label=trains"
}
apply() { # the file on stdin; options
	cat >"$LAB/cross.rules"
	"$POSTERN" apply "$@" "$LAB/cross.rules"
}
offload_peer() { # c1, then a verb and its arguments
	ns=$1
	shift
	in_ns "$ns" python3 "$OFFLOAD_PEER" "$@"
}
ssh_inside() { peer up tcp "$FW" 2222 | grep -q "^ok $GATEWAY"; }

test_inside() {
	check_drop "nothing leads inside" new-from-uplink peer up tcp "$FW" 2222
	inbound none | check_says "rules of the world apply" "applied" apply
	check_says "a port of the firewall leads to the client" "^ok $GATEWAY" peer up tcp "$FW" 2222
	check_says "and others to where they are told" "^ok $GATEWAY" peer up udp "$FW" 5003
	check_says "or to the same" "^ok $GATEWAY" peer up tcp "$FW" 8080
	check_drop "not for another source" new-from-uplink peer up tcp "$FW" 2223
	check_drop "not beside the ports" new-from-uplink peer up udp "$FW" 5010
	check_says "the firewall's own address stays closed to clients" "^error EHOSTUNREACH icmp 3/10" \
		peer c2 tcp "$FW" 2222
	check_drop "and the client opens nothing by it" closed peer c1 tcp "$SERVER" 80
	check_says "flows say who opened them" "$GATEWAY:[0-9]+ +$FW:5003 +$C1:5353 .*inbound" "$POSTERN" flows
	check_says "rules are counted" "inbound" "$POSTERN" rules -s
	check_says "and listed" "0001  action=accept src4=$GATEWAY/32 proto=tcp dstports=2222-2222 to=$C1:22" \
		"$POSTERN" rules inbound
	check_says "it can be explained" "leads to $C1:22" \
		"$POSTERN" explain uplink tcp "$GATEWAY" 1000 "$FW" 2222
	check_says "why not, too" "src differs" "$POSTERN" explain uplink tcp "$GATEWAY" 1000 "$FW" 2223
}

test_live() {
	background_peer "$LAB/stay.log" up hold "$FW" 2222 "$LAB/stay"
	stay=$pid
	background_peer "$LAB/go.log" up hold "$FW" 8080 "$LAB/go"
	go=$pid
	check "two connections from outside are busy" wait_for 10 counted_past "$LAB/stay" 0
	check "both of them" wait_for 10 counted_past "$LAB/go" 0
	inbound 8080 >"$LAB/less.rules"
	check_says "it would die without its rule" "$GATEWAY:[0-9]+ +$FW:8080" "$POSTERN" diff -v "$LAB/less.rules"
	check "and the other would not" not grep -qE "$GATEWAY:[0-9]+ +$FW:2222" "$LAB/out"
	inbound 8080 | check_says "without that rule" "applied" apply --reason fewer
	check "its connection is dead" stands_still "$LAB/go"
	lives=$(cat "$LAB/stay")
	check "the other one lives" wait_for 10 counted_past "$LAB/stay" "$lives"
	check "rollback brings the rule back" "$POSTERN" rollback
	check_says "and what it permits" "^ok $GATEWAY" peer up tcp "$FW" 8080
	printf '[inbound]\n' | check_says "none at all, for a second" "in force for 1 s" apply --confirm 1s
	check "come back, since nobody confirmed" wait_for 5 ssh_inside
	stop $stay
	stop $go
}

test_between() {
	check_drop "nothing passes between clients" inter-client peer c1 tcp "$C2" 22
	between | check_says "rules between them apply" "applied" apply
	check_says "one way" "^ok $C1" peer c1 tcp "$C2" 22
	check_drop "not the other" inter-client peer c2 tcp "$C1" 22
	check_drop "not another port" inter-client peer c1 tcp "$C2" 23
	check_says "it can be explained" "leads to $C2:22" "$POSTERN" explain "$C1" tcp "$C1" 1000 "$C2" 22
	check_says "the inbound rules stand" "^ok $GATEWAY" peer up tcp "$FW" 2222
}

test_bulk() { # what to call it
	for size in $SIZES; do
		check "$1: $size bytes there" offload_peer c1 up "$C2" $BULK "$size"
		check "$1: $size bytes back" offload_peer c1 down "$C2" $BULK "$size"
	done
	# shellcheck disable=SC2086
	check "$1: datagrams sent as one, both ways" offload_peer c1 train "$C2" $BULK $TRAIN
}

restart() { # how the first client is opened
	stop "$TENDER_PID"
	LAB_C1_MORE=,offload=$1
	lab_tender && wait_for 5 ssh_inside
}

test_off() {
	printf '[inbound]\n[between]\n' | check_says "empty sections switch all of it off" "applied" apply
	check_drop "outside" new-from-uplink peer up tcp "$FW" 2222
	check_drop "and between" inter-client peer c1 tcp "$C2" 22
}

lab_up "${MODE:-spt}"
background_peer "$LAB/c1.log" c1 serve "$C1" 22,8080 5353
background_peer "$LAB/c2.log" c2 serve "$C2" 22,23 -
background "$LAB/bulk.log" ip netns exec "$NS_C2" python3 "$OFFLOAD_PEER" serve "$C2" $BULK
for log in c1 c2 bulk; do wait_for 5 has_line "$LAB/$log.log" ready; done
test_inside
test_live
test_between
test_bulk "super-frames"
if [ "$LAB_MODE" = spt ]; then
	check "the first client's tap without offloads: starts" restart off
	test_bulk "cut and summed here"
fi
test_off
lab_summary
