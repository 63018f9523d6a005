#!/bin/sh
# SPDX-License-Identifier: ISC
# A storm of generations under traffic: each packet is judged by one of them, whole, and none that all of them permit is
# lost; and confirmations around the deadline, of which each is either in time or too late, never both.
# Topology: lab.sh.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"
HERE=$ROOT/tests/lab
GENERATIONS=${GENERATIONS:-1000}
SECONDS_AT_MOST=${SECONDS_AT_MOST:-20}

storm() { python3 "$HERE/storm.py" "$@"; }
# What must be the same afterwards.
room() {
	"$POSTERN" status -j | python3 -c 'import json, sys
def walk(v):
    if isinstance(v, dict):
        if "rules_free" in v: print("rules_free", v["rules_free"], "walked", v["clients_walked"])
        for x in v.values(): walk(x)
    elif isinstance(v, list):
        for x in v: walk(x)
walk(json.load(sys.stdin))'
	echo "rules" | control_says accounts
}
control_says() { # type of the line; the request on stdin
	python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(60)
s.connect(sys.argv[1])
s.sendall(sys.stdin.readline().encode())
for line in s.makefile():
    if line == ".\n": break
    if "\"type\":\"%s\"" % sys.argv[2] in line: print(line, end="")' "$POSTERN_CONTROL" "$1"
}
outside() { # what never reached the appliance, or got lost behind it: it counts none of that
	for ns in up c1 c2; do
		in_ns $ns sh -c 'cd /sys/class/net; grep -H . *0/statistics/*_dropped; grep ^Udp: /proc/net/snmp' |
			sed "s/^/          $ns: /"
	done
}
room_is() { [ "$(room)" = "$1" ]; }
room_again() { wait_for 20 room_is "$1" || { printf '%s\n' "$1" "now:" "$(room)" && false; }; }
harm() { # drops for any reason but those that the storm makes, or that come by themselves
	"$POSTERN" status -j | python3 -c 'import json, sys
usual = ("none", "rule", "flow-cut", "arp-consumed", "local-consumed", "local-silent", "local-refused")
def walk(v):
    if isinstance(v, dict):
        if "reason" in v and v["reason"] not in usual: print(v["reason"], v["count"])
        v = list(v.values())
    for x in v if isinstance(v, list) else (): walk(x)
walk(json.load(sys.stdin))'
}
apply() { # generation, options of postern apply
	storm rules "$1" "$SERVER" "$C1" "$C2" >"$LAB/storm.rules"
	shift
	"$POSTERN" apply "$@" "$LAB/storm.rules"
}
outcome_of() {
	"$POSTERN" log -j | python3 -c 'import json, sys
print([g["outcome"] for g in json.load(sys.stdin)["generations"] if g["number"] == int(sys.argv[1])][0])' "$1"
}
outcome_is() { [ "$(outcome_of "$1")" = "$2" ]; }
newest() { "$POSTERN" log -j -n 1 | sed -n 's/^ *"number": \([0-9]*\).*/\1/p'; }
in_force() { "$POSTERN" rules "$C1" | grep -q "label=yes-$1" && "$POSTERN" rules "$C2" | grep -q "label=yes-$1"; }
judged_by() { # the appliance itself, not the store
	"$POSTERN" explain "$C1" udp "$C1" 40000 "$SERVER" 1001 | grep -qE "(yes|no)-$1( |\$|\")"
}
linked() { "$POSTERN" status -j | grep -q '"store": "synced"'; }

test_storm() {
	check "the rules before" apply 0
	check "are in force" wait_for 10 judged_by 0
	before=$(room)
	harm >"$LAB/harm.before"
	check "each packet is judged by one generation, and none is lost" storm storm "$LAB_ID" "$POSTERN_STORE" \
		"$POSTERN_CONTROL" "$SERVER" "$C1" "$C2" "$GENERATIONS" "$SECONDS_AT_MOST"
	cp "$LAB/out" "$LAB/storm.log"
	sed -n 's/^\([0-9]* generations.*\)/  \1/p' "$LAB/storm.log"
	last=$(sed -n 's/^last //p' "$LAB/storm.log")
	harm >"$LAB/harm"
	check "refusals are counted" drops_past rule 100
	check "nothing is dropped for another reason than a rule" diff "$LAB/harm.before" "$LAB/harm"
	check "flows that the last generation forbids are cut, the others are its own" \
		wait_for 20 storm flows "$POSTERN" "${last:-0}" "$C1" "$C2"
	check "the rules before, again" apply 0
	check "there is as much room for rules and accounts as before" room_again "$before"
	[ "$failed" = 0 ] || outside
}

# Whoever was first, all say the same.
confirm_after() { # deadline, seconds between apply and confirm, seconds until it is looked at again
	check "rules for a moment" apply 1 --confirm "${1}s"
	generation=$(newest)
	sleep "$2"
	"$POSTERN" confirm >"$LAB/out" 2>&1
	code=$?
	case $code in
	0) said=confirmed holds=1 ;;
	1) said=reverted holds=0 ;;
	*)
		said=nothing holds=none
		fail "a confirmation after $2 s ends with $code"
		;;
	esac
	check "a confirmation after $2 s: $said, and so says the log" wait_for 20 outcome_is "$generation" "$said"
	check "so does the store" wait_for 20 in_force "$holds"
	check "and so does the appliance" wait_for 20 judged_by "$holds"
	sleep "$3"
	check "and it stays so" judged_by "$holds"
	[ "$holds" = 0 ] || check "back" apply 0
}

test_deadline() {
	confirm_after 4 0 4.5
	check "which was in time" test "$said" = confirmed
	for s in 1.85 1.95 2.05; do confirm_after 2 $s 0.4; done
	check "rules for a moment" apply 1 --confirm 1s
	check "are taken back" wait_for 20 outcome_is "$(newest)" reverted
	"$POSTERN" confirm >"$LAB/out" 2>&1
	check "and a confirmation after that says no" test $? = 1
	check "and changes nothing" judged_by 0
}

lab_up "${MODE:-spt}"
wait_for 10 linked
test_storm
test_deadline
lab_summary
