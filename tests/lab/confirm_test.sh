#!/bin/sh
# SPDX-License-Identifier: ISC
# Rules of two clients change at once, for good or until a deadline that the appliance keeps
# by itself: with the tool gone, the store killed, the control socket closed.
# Topology: lab.sh.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

both() { # the one port that both clients may reach, if any
	for c in "$C1" "$C2"; do
		printf '[%s]\n' "$c"
		[ -z "$1" ] || printf 'accept %s tcp %s\n' "$SERVER" "$1"
	done
}

apply() { # port, then options of postern apply
	both "$1" >"$LAB/both.rules"
	shift
	"$POSTERN" apply "$@" "$LAB/both.rules"
}

can_reach() { peer "$1" tcp "$SERVER" "$2" | grep -q "^ok $FW"; }
is_refused() { peer "$1" tcp "$SERVER" "$2" | grep -q '^error EHOSTUNREACH'; }
only_port() { # 80 or 81: what both clients may reach, and the other they may not
	for c in c1 c2; do
		can_reach $c "$1" && is_refused $c $((161 - $1)) || return 1
	done
}
code_is() { # exit code, then a command
	want=$1
	shift
	"$@"
	[ $? = "$want" ]
}
outcome_of() { # generation
	"$POSTERN" log -j | python3 -c 'import json, sys
print([g["outcome"] for g in json.load(sys.stdin)["generations"] if g["number"] == int(sys.argv[1])][0])' "$1"
}
outcome_is() { [ "$(outcome_of "$1")" = "$2" ]; }
newest() { "$POSTERN" log -j -n 1 | sed -n 's/^ *"number": \([0-9]*\).*/\1/p'; }
store_dies() {
	kill -9 "$STORE_PID"
	wait "$STORE_PID" 2>/dev/null
	rm -f "$POSTERN_STORE" "$LAB/link"
}
linked() { "$POSTERN" status -j | grep -q '"store": "synced"'; }

test_apply() {
	check_says "two clients get their rules at once" "generation [0-9]+: applied" apply 80
	check "both may reach port 80 only" only_port 80
	generation=$(newest)
	check_says "and others at once" "applied" apply 81 --reason "port moved"
	moved=$(newest)
	check "both may reach port 81 only" only_port 81
	check "an old generation is a conflict" code_is 5 apply 80 --if-generation "$generation"
	check "which changes nothing" only_port 81
	check_says "the log says why" "applied +2 clients +port moved" "$POSTERN" log
	check "rollback takes one step back" "$POSTERN" rollback
	check "and both clients" only_port 80
	check "rollback to a number" "$POSTERN" rollback "$moved"
	check "brings that generation back" only_port 81
	check "and again" "$POSTERN" rollback "$generation"
	printf '[%s]\naccept\n[%s]\naccept tcp\n' "$C1" "$C2" >"$LAB/bad.rules"
	check "a file with one bad line is refused" code_is 2 "$POSTERN" apply "$LAB/bad.rules"
	check "as a whole" only_port 80
}

lists_half() { "$POSTERN" "$@" | tee "$LAB/listed" | grep -qE 'half|action=accept *$' || ! [ -s "$LAB/listed" ]; }

test_diff() {
	background_peer "$LAB/hold.log" c1 hold "$SERVER" 80 "$LAB/hold"
	check "a connection is busy" counts_up "$LAB/hold"
	both 80 >"$LAB/same.rules"
	check "no difference is 0" "$POSTERN" diff "$LAB/same.rules"
	"$POSTERN" store write "/qubes-firewall/$C1/0000" action=accept "/qubes-firewall/$C1/0001" half
	check "nor is what somebody is still writing" "$POSTERN" diff "$LAB/same.rules"
	check "which is not listed" not lists_half rules
	check_says "nor exported" "tcp dport 80" "$POSTERN" nft export
	check "in part" not lists_half nft export
	both 81 >"$LAB/other.rules"
	check "a difference is 1" code_is 1 "$POSTERN" diff "$LAB/other.rules"
	check_says "it shows what goes" "- 0000  action=accept .*dstports=80-80" "$POSTERN" diff "$LAB/other.rules"
	check_says "and what comes" "[+] 0000  action=accept .*dstports=81-81" "$POSTERN" diff "$LAB/other.rules"
	check_says "and counts the flows that would die" "would die: [1-9]" "$POSTERN" diff "$LAB/other.rules"
	check_says "and lists them" "tcp +$C1:[0-9]+ +$SERVER:80" "$POSTERN" diff -v "$LAB/other.rules"
	check "which changes nothing" counts_up "$LAB/hold"
	check_says "two generations compare" "dstports=81-81" "$POSTERN" diff "$generation" "$moved"
	stop "$pid"
}

# What the tool would never send: half of it cannot hold, so none of it may.
test_refused() {
	cat >"$LAB/draft.py" <<-END
		import sys
		sys.path.insert(0, sys.argv[2])
		from storewire import *
		p = Peer(sys.argv[1])
		def put(path, value): print(p.ask(WRITE, path, value))
		put('/postern/apply', b'begin')
		for client, rule in ((sys.argv[3], b'action=accept'), (sys.argv[4], b'action=nonsense')):
		    tree = '/qubes-firewall/' + client
		    p.ask(RM, tree + '/')
		    put(tree + '/policy', b'drop')
		    put(tree + '/0000', rule)
		    put(tree, b'')
		put('/postern/apply', b'commit')
	END
	check "a change with one bad tree is sent" python3 "$LAB/draft.py" "$POSTERN_STORE" \
		"$ROOT/tests/lab" "$C1" "$C2"
	check "the appliance refuses it" wait_for 5 refused_is_said
	check_says "and says which client, rule and why" "client $C2: rule 0000 .*nonsense" "$POSTERN" log
	check "no client has changed" only_port 80
	check_says "and the store has taken it back" "dstports=80-80" "$POSTERN" rules "$C1"
}
refused_is_said() { "$POSTERN" log | grep -q refused; }

test_confirmed() {
	check "rules for a while" apply 81 --confirm 60s
	check "are in force" only_port 81
	check "nothing else may be applied meanwhile" code_is 5 apply 80
	check "confirm" "$POSTERN" confirm
	check "there is nothing more to confirm" code_is 1 "$POSTERN" confirm
	check "they stay in force" only_port 81
	check "back" apply 80
}

test_nobody_confirms() {
	# the tool has ended already when its deadline passes
	check "rules for a moment" apply 81 --confirm "${1}s"
	generation=$(newest)
	check "are gone after it" wait_for $(($1 + 5)) only_port 80
	check "and the log says so" wait_for 5 outcome_is "$generation" reverted
	check_says "the store has them no more" "dstports=80-80" "$POSTERN" rules "$C1"
	check "confirm comes too late" code_is 1 "$POSTERN" confirm
}

test_store_dies() {
	check "rules for a moment" apply 81 --confirm "${1}s"
	generation=$(newest)
	store_dies
	check "with the store killed they go by themselves" wait_for $(($1 + 5)) only_port 80
	check "the store starts again" lab_store
	check "with the old rules before anybody asks" "$POSTERN" rules "$C1"
	check_says "the old ones" "dstports=80-80" "$POSTERN" rules "$C1"
	check "it knows what happened" outcome_is "$generation" reverted
	check "the appliance finds it again" wait_for 15 linked
	check "and never takes the expired rules over" only_port 80
}

test_store_away_only() {
	check "rules for a minute" apply 81 --confirm 60s
	generation=$(newest)
	store_dies
	check "the control socket confirms" "$POSTERN" confirm
	check "the store comes back" lab_store
	check "and learns it" wait_for 15 outcome_is "$generation" confirmed
	check "the rules stay" only_port 81
	check "back" wait_for 15 apply 80
}

test_store_hangs() {
	check "rules for a minute" apply 81 --confirm 60s
	generation=$(newest)
	kill -STOP "$STORE_PID"
	check "with a store that hangs the control socket confirms" "$POSTERN" confirm
	kill -CONT "$STORE_PID"
	check "and it learns it" wait_for 15 outcome_is "$generation" confirmed
	check "the rules stay" only_port 81
	check "back" wait_for 15 apply 80
}

test_no_control() {
	check "rules for a moment" apply 81 --confirm "${1}s"
	rm -f "$POSTERN_CONTROL"
	store_dies
	check "with store and control socket gone they go by themselves" wait_for $(($1 + 5)) only_port 80
}

lab_up "${MODE:-spt}"
seconds=3
[ "${MODE:-spt}" = spt ] || seconds=8
background_peer "$LAB/server.log" up serve "$SERVER" 80,81 -
wait_for 3 has_line "$LAB/server.log" ready
wait_for 10 linked
test_apply
test_diff
test_refused
check "60 000 flows have room in the memory that is the default" test "$("$POSTERN" status -j | number_of flow_capacity)" -ge 60000
test_confirmed
test_nobody_confirms $seconds
test_store_dies $seconds
test_store_away_only
[ "${MODE:-spt}" != spt ] || test_store_hangs
test_no_control $seconds
lab_summary
