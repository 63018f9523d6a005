#!/bin/sh
# SPDX-License-Identifier: ISC
# What the appliance does to real packets, and that it counts what it drops. Topology: lab.sh.
#   MODE=spt|hvt tests/lab/firewall_test.sh
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

SNIFF_UP='' SNIFF_C2=''
MANY_TCP=300 MANY_UDP=2000
[ "${MODE:-spt}" = spt ] || MANY_TCP=20 MANY_UDP=60

start_peers() {
	background_peer "$LAB/server.log" up serve "$SERVER" 80,81,82,8080 53,1235
	background_peer "$LAB/sniff-up" up sniff up0
	SNIFF_UP=$LAB/sniff-up
	background_peer "$LAB/sniff-c2" c2 sniff eth0
	SNIFF_C2=$LAB/sniff-c2
	for f in "$LAB/server.log" "$SNIFF_UP" "$SNIFF_C2"; do
		wait_for 3 has_line "$f" ready || fail "a peer did not start"
	done
}

ping_from() { ns=$1; shift; in_ns "$ns" ping -n -q -c 1 -W "${LAB_WAIT%.*}" "$@"; }
ping_says() { what=$1 pattern=$2 ns=$3; shift 3; check_says "$what" "$pattern" in_ns "$ns" ping -n -c 1 -W "${LAB_WAIT%.*}" "$@"; }

# Whatever was sent before this ping is through, or dropped, once its answer is here.
settle() { ping_from c1 "$SERVER" >/dev/null 2>&1; }

test_closed_at_first() {
	check_drop "a client that never had rules is closed" closed ping_from c1 "$SERVER"
	check "nothing of it reached the uplink" not has_line "$SNIFF_UP" "in .* $SERVER icmp"
}

test_allowed() {
	check "the rules are taken in" rules_set "$C1" <<-END
		action=accept dst4=$SERVER/32 proto=tcp dstports=80-81
		action=accept dst4=192.0.2.0/24 proto=udp dstports=1235-1235
		action=accept proto=icmp
		action=drop
	END
	check "ping passes" ping_from c1 "$SERVER"
	check "ping of the on-link gateway passes" ping_from c1 "$GATEWAY"
	check_says "TCP arrives from the firewall's address, its port preserved" \
		"^ok $FW 40001$" peer c1 tcp "$SERVER" 80 40001
	check_says "UDP likewise" "^ok $FW 40002$" peer c1 udp "$SERVER" 1235 40002
	check "TTL is one less" has_line "$SNIFF_UP" "^in $FW $SERVER tcp 80 63$"
	check "the client's own address never shows at the uplink" \
		not has_line "$SNIFF_UP" "^in $C1 "
	check_says "200 kB through one connection and back" "^ok 200000$" \
		peer c1 upload "$SERVER" 80 200000
}

test_refused() {
	check_says "refused TCP gets ICMP 3/13 from the firewall" \
		"^error EHOSTUNREACH icmp 3/13 $FW" peer c1 tcp "$SERVER" 8080
	check_says "refused UDP likewise" \
		"^error EHOSTUNREACH icmp 3/13 $FW" peer c1 udp "$SERVER" 53
	check_drop "a refusal is counted" rule peer c1 tcp "$SERVER" 8080
	check "nothing refused reached the uplink" \
		not has_line "$SNIFF_UP" "^in .* (tcp 8080|udp 53) "
	check_says "the other client is still closed" "^error" peer c2 tcp "$SERVER" 80
}

test_to_the_firewall() {
	check "ping of the firewall is answered" ping_from c1 "$FW"
	check_says "TCP to the firewall is refused with 3/10" \
		"^error EHOSTUNREACH icmp 3/10" peer c1 tcp "$FW" 22
	check_drop "and counted" local-refused peer c1 tcp "$FW" 22
	check_says "UDP port 68 gets silence" "^error timeout$" peer c1 udp "$FW" 68
	check_drop "and is counted" local-silent peer c1 udp "$FW" 68
}

test_spoofed() {
	check_drop "a stranger's source address is dropped" spoofed \
		peer c1 send 10.137.1.128 "$NOBODY" icmp 0 3
	check_drop "another client's source address is dropped" spoofed \
		peer c1 send "$C2" "$NOBODY" udp 1235 3
	settle
	check "no spoofed packet reached the uplink" \
		not has_line "$SNIFF_UP" "^in (10\.137\.|.* $NOBODY )"
}

test_between_clients() {
	rules_set "$C2" <<-END
		action=accept
	END
	check_says "both clients may reach the server" "^ok $FW" peer c2 tcp "$SERVER" 80
	check_drop "ping from one client to another is dropped" inter-client ping_from c1 "$C2"
	check_drop "also where the rules accept everything" inter-client ping_from c2 "$C1"
	check_says "TCP between clients gets silence" "^error timeout$" peer c2 tcp "$C1" 80
	check "nothing of one client reached the other" not has_line "$SNIFF_C2" "^in $C1 "
}

test_from_the_uplink() {
	check_drop "unsolicited UDP to the firewall's address is dropped" new-from-uplink \
		peer up send "$SERVER" "$FW" udp 5000 2
	check_drop "a client's address as source on the uplink is dropped" client-address \
		peer up send "$C1" "$FW" udp 5000 2
	in_ns up python3 "$PEER" send "$SERVER" "$C2" udp 5000 2
	in_ns up python3 "$PEER" send "$SERVER" "$C2" syn 80 2
	settle
	check "nothing unsolicited reached a client" not has_line "$SNIFF_C2" "^in .* (5000|80) 6"
}

test_odd_packets() {
	ping_says "an expired TTL is answered" "From $FW .*Time to live exceeded" c1 -t 1 "$SERVER"
	check "fragments pass, both ways" ping_from c1 -s 4000 "$SERVER"
	check "so do ten fragments" ping_from c1 -s 14000 "$SERVER"
	check_drop "an ACK out of nowhere is invalid" ct-invalid \
		peer c1 send "$C1" "$SERVER" ack 80
	check_drop "a short frame is counted" frame-short \
		peer c1 frame eth0 "feffffffffff02000000000108004500"
	check_drop "IPv6 is counted" ipv6 peer c1 frame eth0 \
		"feffffffffff02000000000186dd6000000000003b40$(printf '%064d' 1)"
}

test_live_change() {
	background_peer "$LAB/hold-80.log" c1 hold "$SERVER" 80 "$LAB/hold-80"
	background_peer "$LAB/hold-81.log" c1 hold "$SERVER" 81 "$LAB/hold-81"
	check "a first connection is busy" counts_up "$LAB/hold-80"
	check "a second connection is busy" counts_up "$LAB/hold-81"
	check "the rules change" rules_set "$C1" <<-END
		action=accept dst4=$SERVER/32 proto=tcp dstports=81-82
		action=accept proto=icmp
		action=accept proto=udp
	END
	check "the connection now forbidden is cut" stands_still "$LAB/hold-80"
	check "the other one survives" counts_up "$LAB/hold-81"
	check_says "a new connection to the old port is refused" \
		"^error EHOSTUNREACH icmp 3/13" peer c1 tcp "$SERVER" 80
	check_says "and the newly opened port works" "^ok $FW" peer c1 tcp "$SERVER" 82
	check "a flow of a client whose rules did not change still opens" \
		peer c2 tcp "$SERVER" 80
}

test_many_flows() {
	check_says "$MANY_TCP connections at once" "^ok $MANY_TCP $FW$" \
		peer c2 many tcp "$SERVER" 80 "$MANY_TCP"
	check_says "$MANY_UDP UDP flows at once" "^ok $MANY_UDP $FW$" \
		peer c1 many udp "$SERVER" 1235 "$MANY_UDP"
	"$POSTERN" flows -j >"$LAB/flows" 2>&1
	check "the flows are listed as JSON" python3 -m json.tool "$LAB/flows"
	check_says "and name the client and the server" "$SERVER" cat "$LAB/flows"
	check "one port for two clients: the second one is moved" two_on_one_port
}

two_on_one_port() {
	background_peer "$LAB/hold-port.log" c2 tcp "$SERVER" 82 45000
	wait_for 2 has_line "$LAB/hold-port.log" "^ok"
	peer c1 tcp "$SERVER" 82 45000 >"$LAB/moved"
	cat "$LAB/moved"
	has_line "$LAB/moved" "^ok $FW" && not has_line "$LAB/moved" " 45000$"
}

test_clean_end() {
	family=$(tender_pids)
	kill -TERM "$TENDER_PID"
	check "SIGTERM ends the tender" wait_for 5 gone "$TENDER_PID"
	wait "$TENDER_PID"
	code=$?
	check "with exit status 0 (was $code)" test "$code" = 0
	check "by the guest's own will" has_line "$LAB/tender.log" "shut down"
	for p in $family; do check "and leaves no process behind" wait_for 5 gone "$p"; done
}

test_smaller_uplink() {
	LAB_UPLINK_MTU=1280 lab_again
	rules_set "$C1" <<-END
		action=accept
	END
	ping_says "too big with DF: fragmentation needed, and the MTU named" \
		"From $FW .*(Frag needed|mtu *= *1280)" c1 -M "do" -s 1400 "$SERVER"
	check_says "TCP finds its way through the smaller MTU" "^ok 100000$" \
		peer c1 upload "$SERVER" 80 100000
}

lab_again() {
	lab_down
	lab_up "$LAB_MODE"
	start_peers
}

lab_up "${MODE:-spt}"
start_peers
test_closed_at_first
test_allowed
test_refused
test_to_the_firewall
test_spoofed
test_between_clients
test_from_the_uplink
test_odd_packets
test_live_change
test_many_flows
test_clean_end
test_smaller_uplink
lab_summary
