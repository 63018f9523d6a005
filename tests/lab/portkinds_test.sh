#!/bin/sh
# SPDX-License-Identifier: ISC
# Ports that are no taps: AF_PACKET and AF_XDP on veths, and what `auto` makes of an interface.
#
#    namespace c1                     namespace fw                      namespace up
#   +-----------------+        +-------------------------+        +--------------------------+
#   | eth0 10.137.0.5 +--veth--+ fc1   postern-tender fup +--veth--+ up0 10.200.0.1 (gateway) |
#   +-----------------+        |            |            |        | lo  192.0.2.10 (servers) |
#                              +------------|------------+        +--------------------------+
#                    c2: a tap, as in lab.sh: its super-frames go out of every kind
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

MODE=${MODE:-spt}
OFFLOAD_PEER=$ROOT/tests/lab/offload_peer.py
PORT=5005
NS_FW=$LAB_ID-fw
SIZES='1 1449 65535 1048583' TRAIN='28007 1400' CLIENTS='c1 c2'
[ "$MODE" = spt ] || SIZES='1449 65535' TRAIN='7007 1400' CLIENTS=c1

offload_peer() { # up|c1, then a verb and its arguments
	ns=$1
	shift
	in_ns "$ns" python3 "$OFFLOAD_PEER" "$@"
}

# Local peers leave their checksums to whoever sends; AF_XDP has no word for that.
plain_checksums() { # namespace, device
	ip netns exec "$1" python3 -c '
import array, fcntl, socket, struct, sys
s = socket.socket()
for command in (0x17, 0x1f, 0x24): # tx checksums, TSO, GSO: off
    value = array.array("B", struct.pack("II", command, 0))
    fcntl.ioctl(s, 0x8946, struct.pack("16sP16x", sys.argv[1].encode(), value.buffer_info()[0]))' "$2"
}

veth() { # namespace, device, its other end in fw
	ip link add "$2" netns "$1" type veth peer name "$3" netns "$NS_FW"
}

wires() { # the cables of the uplink and of c1
	veth "$NS_UP" up0 fup && veth "$NS_C1" eth0 fc1 &&
		ip -n "$NS_UP" addr add "$GATEWAY/24" dev up0 &&
		ip -n "$NS_UP" link set up0 up &&
		ip -n "$NS_UP" route add 10.137.0.0/24 via "$FW" &&
		ip -n "$NS_C1" addr add "$C1/32" dev eth0 &&
		ip -n "$NS_C1" link set eth0 up &&
		ip -n "$NS_C1" route add default via 10.137.0.1 dev eth0 onlink
}

# Both ends of lab.sh's cables become veths, and c2 keeps its tap.
lab_namespaces() {
	new_namespace "$NS_FW" && new_namespace "$NS_UP" && new_namespace "$NS_C1" &&
		ip -n "$NS_UP" addr add "$SERVER/32" dev lo && wires && lab_client "$NS_C2" "$C2"
}

lab_tender() { # UPLINK, CLIENT: kind=interface, and what else
	# shellcheck disable=SC2086
	background "$LAB/tender.log" "$O/postern-tender" --image "$O/postern.elf" \
		--mode "$LAB_MODE" --mem 32 \
		--uplink "$UPLINK,netns=$NS_FW,ip=$FW/24,gateway=$GATEWAY,name=up0" \
		--client "$CLIENT,netns=$NS_FW,ip=$C1,name=c1" \
		--client "auto=eth0,netns=$NS_C2,ip=$C2,name=c2" \
		--store "$LAB/link" --control "$POSTERN_CONTROL"
	TENDER_PID=$pid
	wait_for 10 "$POSTERN" status || {
		echo "the tender does not answer; its log ends with:" >&2
		tail -n 5 "$LAB/tender.log" >&2
		return 1
	}
}

restart() { # the uplink, the client
	stop "$TENDER_PID"
	UPLINK=$1 CLIENT=$2
	handled_before=$(handled "$C1")
	lab_tender && wait_for 5 handled_past "$C1" "$handled_before"
}

tender_says() { # port name, key: what the tender says of that port
	"$POSTERN" status -j | python3 -c '
import json, sys
for p in json.load(sys.stdin)["tender"]["ports"]:
    if p["name"] == sys.argv[1]:
        print(json.dumps(p.get(sys.argv[2])).strip("\""))' "$1" "$2"
}
says() { [ "$(tender_says "$1" "$2")" = "$3" ]; }

checksum_errors() {
	for ns in up c1 c2; do in_ns $ns cat /proc/net/snmp; done | awk '
		{proto = $1}
		proto != last {for (i = 1; i <= NF; i++) column[i] = $i; last = proto; next}
		{for (i = 2; i <= NF; i++) if (column[i] == "InCsumErrors") n += $i; last = ""}
		END {print n + 0}'
}

# A large buffer that someone keeps would be missed soon: there are few.
all_home() {
	"$POSTERN" status -j | python3 -c '
import json, sys
t = json.load(sys.stdin)["tender"]
sys.exit(t["large_buffers"] != t["large_buffers_free"])'
}

exercise() { # what to call it
	for client in $CLIENTS; do
		for size in $SIZES; do
			check "$1: $client, $size bytes up" offload_peer $client up "$SERVER" $PORT "$size"
			check "$1: $client, $size bytes down" offload_peer $client down "$SERVER" $PORT "$size"
		done
		# shellcheck disable=SC2086
		check "$1: $client, datagrams both ways" offload_peer $client train "$SERVER" $PORT $TRAIN
	done
	check "$1: every large buffer came home" wait_for 5 all_home
	check "$1: no wrong checksum" test "$(checksum_errors)" = 0
	for port in up0 c1; do
		check "$1: $port refused no descriptor" says $port tx_bad 0
	done
}

# What comes up again, what goes for good: events and counters, and the others notice nothing.
reach() { peer "$1" udp "$SERVER" 5006 | grep -q '^ok '; }
keep_asking() { reach c2 || true; says up0 link "$1"; } # a dead link is found by what is sent there
overrun() { # what to call it, the counter: more comes than the ring holds while nobody looks
	kill -STOP "$TENDER_PID"
	in_ns up python3 "$PEER" send "$SERVER" "$FW" udp 5000 6000
	kill -CONT "$TENDER_PID"
	check "$1: what comes next arrives" wait_for 5 reach c1
	check "$1: what the ring did not hold is counted" wait_for 10 not says up0 "$2" 0
}
breaks() { # what to call it
	check "$1: the client reaches the server" reach c1
	ip -n "$NS_FW" link set fup down
	check "$1: a link that is down is seen" wait_for 10 keep_asking down
	check_says "$1: a client is told at once that there is no way" "^error ENETUNREACH icmp 3/0 $FW" peer c2 tcp "$SERVER" 80
	ip -n "$NS_FW" link set fup up
	check "$1: and that it is up again" wait_for 10 says up0 link up
	check "$1: the client reaches the server again" wait_for 10 reach c1
	ip -n "$NS_FW" link del fc1
	check "$1: a client whose interface is gone disturbs nobody" reach c2
	check "$1: it is detached" "$POSTERN" detach c1
	ip -n "$NS_FW" link del fup
	check "$1: so is an uplink that is gone" wait_for 10 keep_asking gone
	check "$1: the appliance goes on" "$POSTERN" status
}

# The host side's kernel must not have taken part.
host_silent() {
	in_ns fw cat /proc/net/snmp | awk '$1 == "Ip:" && $3 ~ /^[0-9]/ {exit $4 + $11 > 0}'
}

# A tender that is about to refuse.
refused() { # the uplink
	timeout 20 "$O/postern-tender" --image "$O/postern.elf" --mode "$LAB_MODE" --uplink "$1,netns=$NS_FW"
}
tagged() { # device in fw: an ICMP echo to the firewall, in VLAN 5
	echo "$(ip -n "$NS_FW" -j link show "$1" | sed 's/.*"address":"\([0-9a-f:]*\)".*/\1/; s/://g')" \
		020000000001 81000005 0800 4500001c00010000400166410ac800010ac80002 0800f7ff00000000 | tr -d ' '
}
no_guard() { [ -z "$(in_ns fw nft list tables)" ]; }
has_xdp() { ip -n "$NS_FW" link show dev "$1" | grep -q 'prog/xdp'; }

UPLINK=packet=fup CLIENT=packet=fc1
lab_up "$MODE"
background "$LAB/server.log" ip netns exec "$NS_UP" python3 "$OFFLOAD_PEER" serve "$SERVER" $PORT
wait_for 5 has_line "$LAB/server.log" ready
background_peer "$LAB/peer.log" up serve "$SERVER" - 5006
wait_for 5 has_line "$LAB/peer.log" ready
for client in "$C1" "$C2"; do
	check "rules for $client" rules_set "$client" <<END
action=accept
END
done

name='packet, packet'
check "$name: status says so" says up0 driver packet
check "$name: the host's stack is kept away" says up0 guarded true
exercise "$name"
check "$name: super-frames were not cut here" says up0 tx_cut 0
check "$name: the host's own stack saw nothing" host_silent
check "auto takes a tap as one" says c2 driver tap
check "and says so" has_line "$LAB/tender.log" 'port c2: opened as tap'

stop "$TENDER_PID"
check "$name: the guard goes with it" wait_for 5 no_guard
check "$name: starts again" restart packet=fup packet=fc1
check "$name: a frame of another VLAN" in_ns up python3 "$PEER" frame up0 "$(tagged fup)"
check "$name: is lost, and counted" wait_for 5 not says up0 rx_drop 0
stop "$TENDER_PID"
check "$name: starts again" restart packet=fup packet=fc1
[ "$MODE" != spt ] || overrun "$name" rx_drop
breaks "$name"
wires

for kind in packet xdp auto; do
	check_says "$kind of no interface is refused" "^postern-tender: interface nope: No such device" \
		refused $kind=nope
done
ip -n "$NS_FW" link set fup mtu 9000
check_says "xdp with frames that fit no buffer is refused" "xdp on fup: the MTU is more than" refused xdp=fup
ip -n "$NS_FW" link set fup mtu 1500
check_says "a port that comes later is a tap" "a tap" "$POSTERN" attach packet=fc1,ip=10.137.0.9

name='auto, packet without offloads'
check "$name: starts" restart auto=fup packet=fc1,offload=off
check "$name: a veth cannot do without copies: packet" says up0 driver packet
check "$name: it says so" has_line "$LAB/tender.log" 'port up0: opened as packet'
exercise "$name"
check "$name: for the client super-frames were cut here" not says c1 tx_cut 0

name='xdp, xdp'
plain_checksums "$NS_UP" up0
plain_checksums "$NS_C1" eth0
if restart xdp=fup xdp=fc1; then
	check "$name: status says so" says up0 driver xdp
	exercise "$name"
	check "$name: the host's own stack saw nothing" host_silent
	check "$name: its program is there" has_xdp fup
	stop "$TENDER_PID"
	check "$name: and goes with it" wait_for 5 not has_xdp fup
	check "$name: starts again" restart xdp=fup xdp=fc1
	[ "$MODE" != spt ] || overrun "$name" ring_full
	breaks "$name"
else
	fail "$name: starts"
fi
if [ "$MODE" = spt ]; then
	check_says "more than the buffers bear is refused" "too many such ports for this --mem" \
		timeout 20 "$O/postern-tender" --image "$O/postern.elf" --mode spt --mem 8 \
			$(for i in 0 1 2 3 4; do
				ip -n "$NS_FW" link add x$i type veth peer name y$i
				echo "--client xdp=x$i,netns=$NS_FW,ip=10.137.1.$i"
			done)
fi
lab_summary
