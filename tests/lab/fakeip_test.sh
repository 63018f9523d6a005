#!/bin/sh
# SPDX-License-Identifier: ISC
# net.fake-ip: a client that is told another address than the one its rules, flows and the network
# know (Qubes' tests network 200-203). Topology: lab.sh; c1 calls itself 192.168.1.77.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

FAKE=192.168.1.77

call_c1() { # the address that c1 has on its own device
	ip -n "$NS_C1" addr flush dev eth0 &&
		ip -n "$NS_C1" addr add "$1/32" dev eth0 &&
		ip -n "$NS_C1" route replace default via 192.168.1.1 dev eth0 onlink
}

says_flow() { "$POSTERN" flows | grep -q "$1"; }
passes() { peer c1 tcp "$SERVER" 80 | grep -q "^ok $FW"; }

test_mapped() {
	rules_set "$C1" <<-END
		accept $SERVER tcp 80
		accept $SERVER udp 1235
		accept $SERVER icmp
		drop
	END
	call_c1 "$FAKE"
	check_drop "before it is mapped it spoofs" arp-spoofed peer c1 tcp "$SERVER" 80
	"$POSTERN" store write "/mapped-ip/$C1/visible-ip" "$FAKE"
	"$POSTERN" store write "/mapped-ip/$C1/visible-gateway" 192.168.1.1
	check "mapped, TCP passes" wait_for 5 passes
	check_says "UDP too" "^ok" peer c1 udp "$SERVER" 1235
	check "and ping" in_ns c1 ping -c1 -W "${LAB_WAIT%.*}" "$SERVER"
	check "the flow is the real address's" says_flow "$C1"
	check "nobody else sees the visible one" not says_flow "$FAKE"
	check_says "what its rules refuse is answered with an error that it takes for its own" \
		"^error EHOSTUNREACH icmp 3/13" peer c1 tcp "$SERVER" 81
	check_says "the other client is as it was" "^error" peer c2 tcp "$SERVER" 80
}

test_back() {
	"$POSTERN" store write "/mapped-ip/$C1/visible-ip" "$C1"
	call_c1 "$C1"
	check "no longer mapped, its own address passes" wait_for 5 passes
}

lab_up "${MODE:-spt}"
background_peer "$LAB/server.log" up serve "$SERVER" 80,81 1235
wait_for 3 has_line "$LAB/server.log" ready
test_mapped
test_back
lab_summary
