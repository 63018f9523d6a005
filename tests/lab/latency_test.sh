#!/bin/sh
# SPDX-License-Identifier: ISC
# What the latency tools say, against a path whose delays are known one by one.
#
#    namespace a                    namespace mid                  namespace b
#   +------------------+          +---------------+          +--------------------+
#   | veth 10.99.0.1   +---a0-----+     relay     +-----b0---+   veth 10.99.0.2   |
#   | probe            |          |  writes down  |          |   reflect          |
#   +------------------+          |  each delay   |          +--------------------+
#                                 +---------------+
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"
HERE=$ROOT/tests/lab
B=10.99.0.2

topology() {
	for n in a mid b; do new_namespace "$LAB_ID-$n" || return 1; done
	for n in a b; do
		ip -n "$LAB_ID-mid" link add "${n}0" type veth peer name veth netns "$LAB_ID-$n" &&
			ip -n "$LAB_ID-mid" link set "${n}0" up && ip -n "$LAB_ID-$n" link set veth up || return 1
	done
	ip -n "$LAB_ID-a" addr add 10.99.0.1/24 dev veth && ip -n "$LAB_ID-b" addr add $B/24 dev veth
}

relay() { # a log, then seed, delay, jitter, slow, slow-us, stall-every, stall
	log=$1
	shift
	background "$LAB/relay.out" ip netns exec "$LAB_ID-mid" "$LAB/relay" a0 b0 "$log" "$@"
	RELAY_PID=$pid
	wait_for 10 has_line "$LAB/relay.out" ready
}

probe() { # a run, then options
	run=$1
	shift
	in_ns a "$POSTERN" latency probe --quiet -j -o "$run" "$@" $B
}

LAB_MODE='' LAB_SLOW=1
[ "$(id -u)" = 0 ] || { echo "this needs root, for its namespaces" >&2; exit 1; }
trap lab_down EXIT
trap 'exit 143' INT TERM HUP
LAB=$(mktemp -d "${TMPDIR:-/tmp}/$LAB_ID.XXXXXX") || exit 1
"${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -o "$LAB/relay" "$HERE/relay.c" && topology || exit 1
background "$LAB/reflect.out" ip netns exec "$LAB_ID-b" "$POSTERN" latency reflect
wait_for 10 has_line "$LAB/reflect.out" reflecting

relay "$LAB/one.log" 7 2000 1000 40 20000 0 0
check "UDP through the relay" probe "$LAB/one.run" --rate 500 --duration 6
stop "$RELAY_PID"
check "its p50 and p99 are the relay's" python3 "$HERE/latency_truth.py" path "$LAB/one.run" "$LAB/one.log"
[ -z "${V:-}" ] || [ "$V" = 0 ] || sed 's/^/          /' "$LAB/out"

relay "$LAB/two.log" 8 200 100 0 0 400 100
check "UDP through a relay that stalls" probe "$LAB/two.run" --rate 500 --duration 6
stop "$RELAY_PID"
relay "$LAB/three.log" 8 200 100 0 0 400 100
in_ns a python3 "$HERE/closed_loop.py" $B 8719 4 >"$LAB/closed"
check "the stalls show, as a closed loop does not show them" \
	python3 "$HERE/latency_truth.py" omission "$LAB/two.run" "$LAB/two.log" "$LAB/closed"
[ -z "${V:-}" ] || [ "$V" = 0 ] || sed 's/^/          /' "$LAB/out"
check "TCP through it" probe "$LAB/tcp.run" --tcp --rate 200 --duration 2
check_says "and nothing of it is lost" '"lost": ?0' cat "$LAB/tcp.run"
check "ICMP echo through it" probe "$LAB/icmp.run" --icmp --rate 200 --duration 1
stop "$RELAY_PID"

check "a run that was saved is shown again" "$POSTERN" latency show "$LAB/one.run"
check "and in every other form the same" python3 "$HERE/latency_truth.py" outputs "$POSTERN" "$LAB/one.run"
check "and drawn over another" "$POSTERN" latency show --svg "$LAB/both.svg" "$LAB/one.run" "$LAB/two.run"
check "the drawing is XML" python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$LAB/both.svg"
check "nobody there is an answer too" probe "$LAB/none.run" --rate 100 --duration 1
check_says "namely that none came" 'no reply' cat "$LAB/none.run"
check "match finds what a generator hid in two captures" \
	python3 "$HERE/latency_match.py" "$POSTERN" "$LAB"
lab_summary
