#!/bin/sh
# SPDX-License-Identifier: ISC
# The latency tools on the appliance itself: probed through, matched across its NAT, live, from captures and by
# its own flow table.
#
#   lab.sh's topology; a reflector in up, the probe in c1, both taps watched
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"
MODE=${MODE:-spt}

probe() { # a run, then options
	run=$1
	shift
	in_ns c1 "$POSTERN" latency probe --quiet -j -o "$run" "$@"
}

value() { # a run, a path of keys and indices
	python3 -c '
import functools, json, sys
at = lambda v, k: v[int(k)] if isinstance(v, list) else v[k]
print(functools.reduce(at, sys.argv[2:], json.load(open(sys.argv[1]))))' "$@"
}

equals() {
	echo "$1, wanted $2"
	[ "$1" = "$2" ]
}

watch_taps() { # a run: both taps, until it is told to end
	background "$LAB/watch.out" "$POSTERN" latency match -j -o "$1" --for 120 \
		-i "eth0@$NS_C1" -i "up0@$NS_UP" --filter "udp port 8719"
	WATCH=$pid
}

watching() { # it has its sockets: the kernel lists them
	[ "$(ip netns exec "$NS_UP" grep -c : /proc/net/packet)" -ge 0 ] &&
		ip netns exec "$NS_UP" awk 'NR > 1 {n++} END {exit !n}' /proc/net/packet &&
		ip netns exec "$NS_C1" awk 'NR > 1 {n++} END {exit !n}' /proc/net/packet
}

lab_up "$MODE"
echo accept | rules_set "$C1"
background "$LAB/reflect.out" ip netns exec "$NS_UP" "$POSTERN" latency reflect
wait_for 10 has_line "$LAB/reflect.out" reflecting

watch_taps "$LAB/match.run"
check "both taps are watched" wait_for 10 watching
check "UDP through the appliance" probe "$LAB/udp.run" --rate 500 --duration 3 --one-way $SERVER
sleep 0.5 # the watcher holds packets back for 0.2 s; what it misses would be at the edge, not lost
kill -INT "$WATCH"
wait "$WATCH"
check "nothing was lost" equals "$(value "$LAB/udp.run" series 0 counters lost)" 0
check "the same packets at both taps, out" equals "$(value "$LAB/match.run" series 0 counters matched)" 1500
check "and back" equals "$(value "$LAB/match.run" series 1 counters matched)" 1500
check "TCP through the appliance" probe "$LAB/tcp.run" --tcp --rate 200 --duration 2 $SERVER
check "the appliance's own answer to echo requests" probe "$LAB/icmp.run" --icmp --rate 50 --duration 1 "$FW"
check "is there" equals "$(value "$LAB/icmp.run" series 0 counters lost)" 0
check "compared with itself there is no difference" "$POSTERN" latency compare "$LAB/udp.run" "$LAB/udp.run"
check_says "rules swept: a program is run with each value" 'accept' \
	probe "$LAB/sweep.run" --rate 200 --duration 0.5 --values accept,drop --with echo $SERVER
check_says "what the appliance measured itself is shown" 'up residence' "$POSTERN" latency show
[ -z "${V:-}" ] || [ "$V" = 0 ] || sed 's/^/          /' "$LAB/out"
check "and saved" "$POSTERN" latency show -o "$LAB/own.run"
check "and read again" "$POSTERN" latency show "$LAB/own.run"
check_says "and exported" 'postern_latency_seconds_bucket.*up residence' "$POSTERN" latency show --openmetrics
"$POSTERN" flows -j >"$LAB/flows"
check "the flow table names the translation" grep -q nat_port "$LAB/flows"
lab_summary
