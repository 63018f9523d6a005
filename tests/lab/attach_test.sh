#!/bin/sh
# SPDX-License-Identifier: ISC
# Ports come and go while it runs: 256 clients, ten times over (fewer where the guest is
# emulated). Memory, descriptors and ports end where they began, and the uplink never stops.
#
#   lab.sh's topology, and a namespace "many" whose taps m0...mN the tender makes itself
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

MODE=${MODE:-spt}
ROUNDS=10 MANY=254 # with c1 and c2: 256
[ "$MODE" = spt ] || ROUNDS=2 MANY=32
RSS_SLACK_KB=2048
NS_MANY=$LAB_ID-many

# Other addresses in every round: what a client leaves behind must not add up either.
address() { echo "10.$((138 + round)).$(($1 / 250)).$(($1 % 250 + 1))"; }

attach_all() {
	i=0
	while [ $i -lt $MANY ]; do
		"$POSTERN" attach "tap=m$i,netns=$NS_MANY,ip=$(address $i),name=m$i" || return 1
		i=$((i + 1))
	done
}

detach_all() {
	i=0
	while [ $i -lt $MANY ]; do
		"$POSTERN" detach "m$i" || return 1
		i=$((i + 1))
	done
}

taps() { ip -n "$NS_MANY" -o link | grep -c ': m[0-9]*:'; }
taps_are() { [ "$(taps)" = "$1" ]; }
rss() {
	for p in $(tender_pids); do awk '/^VmRSS/ {print $2}' "/proc/$p/status"; done |
		awk '{s += $1} END {print s}'
}
descriptors() {
	for p in $(tender_pids); do find "/proc/$p/fd" -mindepth 1 | wc -l; done |
		awk '{s += $1} END {print s}'
}
descriptors_are() { [ "$(descriptors)" = "$1" ]; }
# Every answer follows its predecessor; those under way when ping was ended do not count.
all_in_order() {
	sed -n 's/.* icmp_seq=\([0-9]*\) .*/\1/p' "$LAB/ping.log" |
		awk '$1 != ++n {print "ping " n " has no answer"; bad = 1; exit}
			END {exit bad || n < 10}'
}
ports() {
	"$POSTERN" status -j | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["ports"]))'
}

lab_up "$MODE"
new_namespace "$NS_MANY"
background_peer "$LAB/server.log" up serve "$SERVER" 80 -
wait_for 3 has_line "$LAB/server.log" ready
check "rules for a client that stays" rules_set "$C1" <<END
action=accept
END
background_peer "$LAB/hold.log" c1 hold "$SERVER" 80 "$LAB/hold"
check "its connection is busy" counts_up "$LAB/hold"
background "$LAB/ping.log" ip netns exec "$NS_C1" ping -n -i 0.2 "$SERVER"
PING_PID=$pid

round=1
while [ $round -le $ROUNDS ]; do
	check "round $round: $MANY clients attach" attach_all
	check "round $round: their taps are there" wait_for 5 taps_are $MANY
	if [ "$round" = 1 ] && [ $MANY = 254 ]; then
		check_says "one more is refused, and says why" "no free port" \
			"$POSTERN" attach "tap=extra,netns=$NS_MANY,ip=10.138.9.9"
	fi
	check "round $round: they detach" detach_all
	check "round $round: their taps are gone" wait_for 5 taps_are 0
	check "round $round: the open connection goes on" counts_up "$LAB/hold"
	if [ $round = 1 ]; then
		# The first round touches what is allocated once; growth counts from here.
		rss_before=$(rss) fds_before=$(descriptors) ports_before=$(ports)
	fi
	round=$((round + 1))
done

rss_after=$(rss)
echo "  $((ROUNDS * MANY)) attached and detached: resident $rss_before -> $rss_after kB," \
	"descriptors $fds_before -> $(descriptors), ports $ports_before -> $(ports)"
check "no growth in memory" test "$rss_after" -le $((rss_before + RSS_SLACK_KB))
check "descriptors as before" wait_for 3 descriptors_are "$fds_before"
check "ports as before: the uplink and two clients" test "$ports_before" = 3
check "and no more of them at the end" test "$(ports)" = "$ports_before"

kill -INT "$PING_PID"
wait "$PING_PID"
check "no ping was lost meanwhile" all_in_order

# The client's own link vanishing under the tender is an event, never an end.
"$POSTERN" attach "tap=m0,netns=$NS_MANY,ip=$(address 0),name=m0" >/dev/null
ip -n "$NS_MANY" link set m0 down
ip -n "$NS_MANY" link del m0 2>/dev/null
check "a tap that vanishes ends nothing" counts_up "$LAB/hold"
"$POSTERN" detach m0 >/dev/null 2>&1
check "and its place is free again" \
	"$POSTERN" attach "tap=m0,netns=$NS_MANY,ip=$(address 0),name=m0"
check "the tender still runs" kill -0 "$TENDER_PID"
lab_summary
