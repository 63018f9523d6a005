#!/bin/sh
# SPDX-License-Identifier: ISC
# Linux stands in for the appliance: the same store, the same peers, the same checks; first
# through the appliance (topology: tests/lab/lab.sh), then through a namespace with what
# `postern nft export --apply` made of the rules, the cables moved over to it.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

NS_FW=$LAB_ID-fw

the_same_for_both() { # who
	check_says "$1: TCP arrives from the firewall's address, its port preserved" \
		"^ok $FW 4000$2$" peer c1 tcp "$SERVER" 80 "4000$2"
	check_says "$1: UDP likewise" "^ok $FW" peer c1 udp "$SERVER" 1235
	check_says "$1: refused TCP gets ICMP 3/13" "^error EHOSTUNREACH icmp 3/13 $FW" peer c1 tcp "$SERVER" 8080
	check_says "$1: refused UDP likewise" "^error EHOSTUNREACH icmp 3/13 $FW" peer c1 udp "$SERVER" 53
	check_says "$1: to the firewall itself it is 3/10" "^error EHOSTUNREACH icmp 3/10" peer c1 tcp "$FW" 22
	check_says "$1: ping of the firewall is answered" " 0% packet loss" in_ns c1 ping -n -c 1 -W 5 "$FW"
	check_says "$1: nothing passes between clients, silently" "^error timeout$" peer c2 tcp "$C1" 80
	check_says "$1: nor from the uplink" "^error timeout$" peer up tcp "$C1" 80
	check_says "$1: a client without rules is closed" "^error EHOSTUNREACH icmp 3/13" peer c2 tcp "$SERVER" 80
}

cable() { # its namespace, its interface there, its address, the firewall's interface
	ip -n "$1" link del "$2"
	ip link add "$4" netns "$NS_FW" type veth peer name "$2" netns "$1" &&
		ip -n "$1" addr add "$3" dev "$2" && ip -n "$1" link set "$2" up && ip -n "$NS_FW" link set "$4" up
}

move_over() {
	new_namespace "$NS_FW" &&
		cable "$NS_UP" up0 "$GATEWAY/24" up0 && cable "$NS_C1" eth0 "$C1/32" c1 && cable "$NS_C2" eth0 "$C2/32" c2 &&
		ip -n "$NS_UP" route replace 10.137.0.0/24 via "$FW" &&
		ip -n "$NS_C1" route add default via 10.137.0.1 dev eth0 onlink &&
		ip -n "$NS_C2" route add default via 10.137.0.1 dev eth0 onlink &&
		ip -n "$NS_FW" addr add "$FW/24" dev up0 && ip -n "$NS_FW" route add default via "$GATEWAY" &&
		ip -n "$NS_FW" route add "$C1" dev c1 src "$FW" && ip -n "$NS_FW" route add "$C2" dev c2 src "$FW" &&
		in_ns fw sh -c 'cd /proc/sys/net/ipv4 && echo 1 >ip_forward && echo 0 >icmp_ratelimit &&
			echo 1 >conf/c1/proxy_arp && echo 1 >conf/c2/proxy_arp'
}

test_appliance() {
	check "the rules are taken in" rules_set "$C1" <<-END
		accept $SERVER tcp 80-81
		accept 192.0.2.0/24 udp 1235
		accept - icmp
	END
	the_same_for_both appliance 1
	check "the export takes uplink and ports from the appliance" \
		sh -c "'$POSTERN' nft export >'$LAB/running.nft'"
	"$POSTERN" nft export --uplink up0 --port "c1=$C1" --port "c2=$C2" >"$LAB/named.nft"
	check "and they are what they would be named" cmp "$LAB/running.nft" "$LAB/named.nft"
}

apply() { in_ns fw "$POSTERN" nft export --apply --uplink up0 --port "c1=$C1" --port "c2=$C2"; }

test_stand_in() {
	check "Linux takes the rules" apply
	the_same_for_both Linux 2
}

test_change() {
	background_peer "$LAB/hold80.log" c1 hold "$SERVER" 80 "$LAB/count80"
	background_peer "$LAB/hold81.log" c1 hold "$SERVER" 81 "$LAB/count81"
	check "two connections are open" counts_up "$LAB/count80"
	check "both of them" counts_up "$LAB/count81"
	"$POSTERN" rules set "$C1" - >/dev/null <<-END
		accept $SERVER tcp 80
	END
	check_says "one is cut when the rules change" "[1-9][0-9]* connections cut" apply
	check "the other goes on" counts_up "$LAB/count80"
	check "the forbidden one stands still" stands_still "$LAB/count81"
}

lab_up "${MODE:-spt}"
background_peer "$LAB/server.log" up serve "$SERVER" 80,81,8080 53,1235
wait_for 3 has_line "$LAB/server.log" ready
test_appliance
stop "$TENDER_PID"
move_over || fail "the cables could not be moved"
test_stand_in
test_change
lab_summary
