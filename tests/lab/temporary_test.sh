#!/bin/sh
# SPDX-License-Identifier: ISC
# What holds for a while, what an operator stops at once, and sets that many rules share:
# with the store killed, and what of it dies or lives in open connections.
# Topology: lab.sh.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

can_reach() { peer "$1" tcp "$SERVER" "$2" | grep -q "^ok $FW"; }
is_refused() { peer "$1" tcp "$SERVER" "$2" | grep -q '^error EHOSTUNREACH'; }
no_answer() { ! can_reach "$1" "$2"; }
code_is() { # exit code, then a command
	want=$1
	shift
	"$@"
	[ $? = "$want" ]
}
store_dies() {
	kill -9 "$STORE_PID"
	wait "$STORE_PID" 2>/dev/null
	rm -f "$POSTERN_STORE" "$LAB/link"
}
linked() { "$POSTERN" status -j | grep -q '"store": "synced"'; }
hold() { # client, port, a name: a connection that counts in $LAB/NAME; its pid is in $pid
	background_peer "$LAB/$3.log" "$1" hold "$SERVER" "$2" "$LAB/$3"
	wait_for 10 counts_up "$LAB/$3"
}

test_allow() {
	check "what is not allowed is refused" is_refused c1 81
	check_says "allow says what it is called" "^allow-1: " \
		"$POSTERN" allow "$C1" "$SERVER" tcp 81 for "$1s" "a look at the new server"
	check "a connection of it works" hold c1 81 held
	held=$pid
	store_dies
	check "its time passes with the store dead" wait_for $(($1 + 5)) is_refused c1 81
	check "and its connection is cut" stands_still "$LAB/held"
	stop "$held"
	check "what was allowed before still is" can_reach c1 80
	check "the store comes back" lab_store
	check "and the appliance finds it" wait_for 15 linked
	check "what is over does not come back with it" is_refused c1 81
	check "nothing is listed any more" nothing_listed
	check_says "the log says why" "a look at the new server" "$POSTERN" log
}
nothing_listed() { "$POSTERN" allow -l -j | grep -q "\"rules\": \[\]"; }

test_revoke() {
	check "allowed for an hour, by a name" "$POSTERN" allow "$C2" "$SERVER" tcp 81 label=look for 1h
	check "it is" can_reach c2 81
	check "to nobody else" is_refused c1 81
	check_says "it is listed with the time left" "look +$C2 +[0-9hms]+ " "$POSTERN" allow -l
	check "the name cannot be had twice" code_is 5 "$POSTERN" allow "$C1" "$SERVER" label=look for 1h
	store_dies
	check "the store starts again" lab_store
	check "the appliance finds it" wait_for 15 linked
	check "still allowed" can_reach c2 81
	check "the dead line of before has gone with the next change" not dead_line
	check "revoked" "$POSTERN" revoke look
	check "it is no more" is_refused c2 81
	check "and cannot be again" code_is 1 "$POSTERN" revoke look
	check "a rule that cannot be is refused" code_is 2 "$POSTERN" allow "$C1" "$SERVER" tpc 81 for 1h
	check "and what does not accept" code_is 2 "$POSTERN" allow "$C1" drop for 1h
	check "and so is a time" code_is 2 "$POSTERN" allow "$C1" "$SERVER" tcp 81 for ever
	check "or one beyond what a rule can say" code_is 2 "$POSTERN" allow "$C1" "$SERVER" tcp 81 until 2150-01-01
}
dead_line() { "$POSTERN" allow "$C1" "$NOBODY" for 1m && "$POSTERN" rules "$C1" | grep -q allow-1.*81; }

test_isolate() {
	check "one connection of each client" hold c1 80 one
	one=$pid
	check "and the other" hold c2 80 two
	two=$pid
	check "isolated" "$POSTERN" isolate "$C1" "it talks to strangers"
	check "its connection is cut" stands_still "$LAB/one"
	check "the other's is not" counts_up "$LAB/two"
	check "nothing of it passes" no_answer c1 80
	check_drop "all its packets are dropped for that" isolated peer c1 udp "$SERVER" 53
	check "not even to the firewall" no_ping c1 10.137.0.1
	check_says "listed, and why" "$C1 +it talks to strangers" "$POSTERN" isolate -l
	check_says "and shown" "$C1 +open, isolated" "$POSTERN" status
	store_dies
	check "with the store dead it stays isolated" no_answer c1 80
	check "the appliance itself ends it" "$POSTERN" isolate "$C1" off
	check "the rules were never touched" can_reach c1 80
	check "the store comes back" lab_store
	check "and learns it" wait_for 15 store_knows_end
	check "nobody is isolated" can_reach c1 80
	check "the other has not noticed" counts_up "$LAB/two"
	stop "$one"
	stop "$two"
}
no_ping() { ! in_ns "$1" ping -c 1 -W 1 "$2"; }
store_knows_end() { "$POSTERN" isolate -l -j | grep -q '"isolated": \[\]'; }

test_panic() {
	check "one connection" hold c2 80 busy
	busy=$pid
	store_dies
	check_says "panic, with the store dead" "store is away" "$POSTERN" panic on "what is going on"
	check "the connection is cut" stands_still "$LAB/busy"
	check "nothing passes" no_answer c2 80
	check_says "and status says so first" "PANIC IS ON" "$POSTERN" status
	check "the store comes back" lab_store
	check "and learns it" wait_for 15 store_knows_panic
	check "still nothing passes" no_answer c1 80
	check "panic off" "$POSTERN" panic off
	check "everything passes again" wait_for 5 can_reach c1 80
	check "for both" can_reach c2 80
	stop "$busy"
	test_store_lost
}
store_knows_panic() { [ "$("$POSTERN" store read /postern/panic)" = "${1:-what is going on}" ]; }

test_store_lost() { # what the appliance was told stands, until somebody says off
	store_dies
	mkdir "$LAB/older" && cp "$LAB"/store.db* "$LAB/older"
	check "the store is there again" lab_store
	wait_for 15 linked
	check "panic" "$POSTERN" panic on "once more"
	check "which the store keeps" store_knows_panic "once more"
	store_dies
	rm "$LAB"/store.db* && cp "$LAB"/older/* "$LAB"
	check "an older copy of the store comes in its place" lab_store
	check "and is told" wait_for 15 store_knows_panic "asked for at the appliance"
	check "still nothing passes" no_answer c1 80
	store_dies
	background "$LAB/unlinked.log" "$O/postern-store" --db "$LAB/store.db" --socket "$POSTERN_STORE"
	STORE_PID=$pid
	wait_for 5 "$POSTERN" store list /
	check "off, to the store alone, which is not linked" "$POSTERN" panic --control /nowhere off
	store_dies
	check "it is linked again" lab_store
	check "and everything passes" wait_for 15 can_reach c1 80
}

sets_file() { # the members of lab, and of more
	cat <<-END
		set lab $1
		set more $2
		[$C1]
		accept @lab tcp 80
		accept @more tcp 81
		[$C2]
		accept @lab tcp
	END
}

test_sets() {
	sets_file "$SERVER" "$SERVER" >"$LAB/sets.rules"
	check_says "a file with sets is good" "3 rules for 2 clients, 2 sets" "$POSTERN" check "$LAB/sets.rules"
	check "it is applied" "$POSTERN" apply "$LAB/sets.rules"
	check "rules go by them" can_reach c1 80
	check "of both clients" can_reach c2 81
	check "one connection by a set" hold c1 80 first
	first=$pid
	check "one by another set" hold c1 81 second
	second=$pid
	check "and one of the other client" hold c2 81 third
	third=$pid
	sets_file "$NOBODY" "$SERVER" >"$LAB/moved.rules"
	check_says "diff shows the set" "^set lab: - $SERVER [+] $NOBODY" "$POSTERN" diff "$LAB/moved.rules"
	check_says "and lists the flows it would cut" "tcp +$C1:[0-9]+ +$SERVER:80" "$POSTERN" diff -v "$LAB/moved.rules"
	check_says "of both clients" "tcp +$C2:[0-9]+ +$SERVER:81" "$POSTERN" diff -v "$LAB/moved.rules"
	"$POSTERN" diff -v "$LAB/moved.rules" >"$LAB/out" 2>&1
	check "but none of the other set" not has_line "$LAB/out" "$C1:[0-9]+ +$SERVER:81"
	check "the set changes" "$POSTERN" set remove lab "$SERVER"
	check "what it admitted is cut, for both clients" both_stand_still
	check "what the other set admitted lives" counts_up "$LAB/second"
	check "an empty set admits nothing" is_refused c2 80
	check_says "explain names it" "dstset=lab .*[(]dstset" "$POSTERN" explain "$C2" tcp "$C2" 40000 "$SERVER" 80
	check "for a moment only" "$POSTERN" set add --confirm 3s lab "$SERVER/31" 198.51.100.0/24
	check "it admits" can_reach c2 80
	check_says "it shows its members" "^198.51.100.0/24$" "$POSTERN" set show lab
	check "then it is as before" wait_for 9 is_refused c2 80
	check "in the store too" code_is 1 "$POSTERN" set show lab
	check "rollback takes sets back" "$POSTERN" rollback "$("$POSTERN" log -j | first_generation)"
	check "and they hold" can_reach c2 80
	check "a set that goes" "$POSTERN" set delete lab
	check "takes what it admitted along" is_refused c2 80
	for p in "$first" "$second" "$third"; do stop "$p"; done
}
both_stand_still() {
	sleep "$LAB_WAIT"
	a=$(cat "$LAB/first" "$LAB/third")
	sleep "$LAB_WAIT"
	[ "$a" = "$(cat "$LAB/first" "$LAB/third")" ]
}
first_generation() { # in which sets were applied
	python3 -c 'import json, sys
print([g["number"] for g in json.load(sys.stdin)["generations"] if "set" in g["clients"]][0])'
}

lab_up "${MODE:-spt}"
seconds=8
[ "${MODE:-spt}" = spt ] || seconds=40
background_peer "$LAB/server.log" up serve "$SERVER" 80,81 53
wait_for 3 has_line "$LAB/server.log" ready
wait_for 10 linked
for c in "$C1" "$C2"; do
	printf 'accept %s tcp 80\naccept %s udp\ndrop\n' "$SERVER" "$SERVER" | rules_set "$c"
done
test_allow $seconds
test_isolate
[ "${MODE:-spt}" != spt ] || test_revoke
[ "${MODE:-spt}" != spt ] || test_panic
[ "${MODE:-spt}" != spt ] || test_sets
lab_summary
