#!/bin/sh
# SPDX-License-Identifier: ISC
# As full as it gets: 64 clients, 60 000 flows that are all answered, a thousand rules for each of
# eight clients, in 32 MiB; then the same at a tenth.
#
#   lab.sh's topology, and a namespace "many" whose taps m0...mN the tender makes itself
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

MODE=${MODE:-spt}
RULED=8
NS_MANY=$LAB_ID-many

rules_of_all() { # clients, rules of each of the first eight: only their last one admits what they do
	awk -v clients="$1" -v ruled=$RULED -v rules="$2" 'BEGIN {
		for (c = 1; c <= clients; c++) {
			printf "[10.139.0.%d]\n", c
			for (i = 0; c <= ruled && i < rules - 1; i++)
				printf "accept 198.18.%d.%d tcp %d-%d\n", i / 250, i % 250, 1 + i, 1000 + i
			print "accept"
		}
	}'
}

short() { # drops that a full table, or memory that is short, would be counted under
	for reason in flow-full flow-share nat-ports no-buffer tx-full; do drops $reason; done | awk '{n += $1} END {print n + 0}'
}
flows() { "$POSTERN" status -j | python3 -c 'import json, sys; print(json.load(sys.stdin)["appliance"]["flows"])'; }

load() { # clients, flows, rules
	i=0
	while [ $i -lt "$1" ]; do
		"$POSTERN" attach "tap=m$i,netns=$NS_MANY,ip=10.139.0.$((i + 1)),name=m$i" >/dev/null || fail "client $i attached"
		ip -n "$NS_MANY" link set "m$i" up
		i=$((i + 1))
	done
	rules_of_all "$1" "$3" >"$LAB/all.rules"
	before=$(handled "10.139.0.$1")
	check "rules of $1 clients, $3 for each of $RULED" "$POSTERN" apply "$LAB/all.rules"
	check "in force" wait_for 20 handled_past "10.139.0.$1" "$before"
	rm -f "$LAB/orders"
	mkfifo "$LAB/orders"
	background "$LAB/crowd.log" ip netns exec "$NS_MANY" sh -c 'exec python3 "$0" "$@" <"$FIFO"' \
		"$ROOT/tests/lab/crowd.py" "$1" "$2" "$SERVER" 7000
	crowd=$pid
	exec 7>"$LAB/orders"
	check "$2 flows of $1 clients, each answered" wait_for 90 has_line "$LAB/crowd.log" answered
	count=$(flows)
	check "all of them in the table: $count" [ "$count" -ge "$2" ]
	check "a client beside them is served" peer c1 tcp "$SERVER" 80
	before=$(handled 10.139.0.1)
	rules_of_all 1 "$3" | sed 's/^accept$/drop - icmp\naccept/' >"$LAB/one.rules"
	check "$3 rules change live" "$POSTERN" apply "$LAB/one.rules"
	wait_for 20 handled_past 10.139.0.1 "$before"
	echo again >&7
	check "and all flows stand: each answers again" wait_for 90 eval "[ \$(grep -c answered '$LAB/crowd.log') = 2 ]"
	count=$(flows)
	check "in the same $2 flows: $count" [ "$count" -lt $(($2 + 100)) ]
	check "nothing was short" [ "$(short)" = 0 ]
	check "no line says so" not grep -qE 'too many|no room|not enough' "$LAB/tender.log"
	exec 7>&-
	check "the crowd is content" wait "$crowd"
	[ -z "${V:-}" ] || [ "$V" = 0 ] || sed 's/^/  /' "$LAB/crowd.log"
	i=0
	while [ $i -lt "$1" ]; do
		"$POSTERN" detach "m$i" || fail "client $i detached"
		i=$((i + 1))
	done
}

trap "" PIPE # a crowd that gave up reads no orders
lab_up "$MODE"
FIFO=$LAB/orders
export FIFO
new_namespace "$NS_MANY"
ip -n "$NS_UP" route add 10.139.0.0/16 via "$FW"
background_peer "$LAB/server.log" up serve "$SERVER" 80 -
background "$LAB/echo.log" ip netns exec "$NS_UP" python3 "$ROOT/tests/lab/crowd.py" echo "$SERVER" 7000
wait_for 3 has_line "$LAB/server.log" ready
wait_for 3 has_line "$LAB/echo.log" ready
check "rules for a client beside them" rules_set "$C1" <<END
accept
END
load 64 60000 1000
load 6 6000 100
lab_summary
