#!/bin/sh
# SPDX-License-Identifier: ISC
# Rule sets that are long, broken, gapped or end in a policy, against real packets.
# Topology: lab.sh.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

RULES=5000
[ "${MODE:-spt}" = spt ] || RULES=1000

# All but the last rule match other addresses; the last one decides.
long_rules() { # action of the last rule
	awk -v n="$RULES" -v last="$1" -v server="$SERVER" 'BEGIN {
		for (i = 1; i < n; i++)
			printf "action=%s dst4=198.%d.%d.%d/32 proto=tcp dstports=80-80\n",
				i % 2 ? "drop" : "accept", 18 + i % 2, i / 256, i % 256
		printf "action=%s dst4=%s/32 proto=tcp dstports=80-80\n", last, server
	}'
}

set_key() { "$POSTERN" store write "/qubes-firewall/$1" "$2"; }

test_long() {
	long_rules accept >"$LAB/long"
	check "$RULES rules are accepted" rules_set "$C1" <"$LAB/long"
	check_says "the last one lets through" "^ok $FW" peer c1 tcp "$SERVER" 80
	check_says "what none matches is refused" "^error EHOSTUNREACH icmp 3/13" \
		peer c1 tcp "$SERVER" 81
	long_rules drop >"$LAB/long"
	check "$RULES others are accepted" rules_set "$C1" <"$LAB/long"
	check_says "the last one refuses" "^error EHOSTUNREACH icmp 3/13" \
		peer c1 tcp "$SERVER" 80
}

test_one_bad_line() {
	rules_set "$C2" <<-END
		action=accept
	END
	set_key "$C1/policy" drop
	set_key "$C1/0000" "action=accept"
	set_key "$C1/0001" "action=accept proto=tcp dstports=90-80"
	check "a set with one bad rule is handled" commit "$C1"
	check_drop "and closes its client" closed peer c1 tcp "$SERVER" 80
	check_says "the status names the client and the rule" "$C1.*0*1" "$POSTERN" status
	check_says "and the reason" "port" "$POSTERN" status
	check_says "the other client goes on" "^ok $FW" peer c2 tcp "$SERVER" 80
	printf 'action=accept\naction=accept proto=carrots\n' >"$LAB/rules"
	check_says "a bad line in a file is refused with line and column" "2:[0-9]+|line 2" \
		"$POSTERN" rules set "$C2" "$LAB/rules"
	check_says "and changes nothing" "^ok $FW" peer c2 tcp "$SERVER" 80
	check "good rules open the client again" rules_set "$C1" <<-END
		action=accept
	END
	check_says "at once" "^ok $FW" peer c1 tcp "$SERVER" 80
}

test_gap() {
	"$POSTERN" store rm "/qubes-firewall/$C1/"
	set_key "$C1/policy" drop
	set_key "$C1/0000" "action=drop dst4=198.51.100.0/24"
	set_key "$C1/0002" "action=accept dst4=$SERVER/32 proto=tcp dstports=80-80"
	set_key "$C1/0010" "action=accept dst4=$SERVER/32 proto=udp dstports=1235-1235"
	check "gaps in the numbering are handled" commit "$C1"
	check_says "the rule behind the first gap counts" "^ok $FW" peer c1 tcp "$SERVER" 80
	check_says "and the one behind the second" "^ok $FW" peer c1 udp "$SERVER" 1235
	check_says "the rest is refused" "^error EHOSTUNREACH" peer c1 tcp "$SERVER" 81
}

test_policy() {
	"$POSTERN" store rm "/qubes-firewall/$C1/"
	set_key "$C1/policy" accept
	set_key "$C1/0000" "action=drop proto=tcp dstports=81-81"
	check "policy accept is handled" commit "$C1"
	check_says "a rule before it refuses" "^error EHOSTUNREACH icmp 3/13" \
		peer c1 tcp "$SERVER" 81
	check_says "the policy lets the rest through" "^ok $FW" peer c1 tcp "$SERVER" 80
	"$POSTERN" store rm "/qubes-firewall/$C1/"
	set_key "$C1/policy" drop
	check "policy drop without rules is handled" commit "$C1"
	check_drop "and refuses everything" policy peer c1 tcp "$SERVER" 80
	"$POSTERN" store rm "/qubes-firewall/$C1/"
	set_key "$C1/0000" "action=accept"
	check "a tree without a policy is handled" commit "$C1"
	check_drop "and closes its client" closed peer c1 tcp "$SERVER" 80
}

test_uncommitted() {
	rules_set "$C1" <<-END
		action=accept
	END
	set_key "$C1/policy" drop
	set_key "$C1/0000" "action=drop"
	settled=$(handled "$C2")
	commit "$C2" && check "what is not committed is not applied" peer c1 tcp "$SERVER" 80
	check "the other client's commit counted" test "$(handled "$C2")" -gt "$settled"
}

test_forms() {
	check "positional lines are accepted" rules_set "$C1" <<-END
		accept $SERVER tcp 80
		drop
	END
	check_says "and in force" "^ok $FW" peer c1 tcp "$SERVER" 80
	check_says "the rest is refused" "^error EHOSTUNREACH" peer c1 tcp "$SERVER" 81
	check_says "the set reads back in canonical form" \
		"action=accept dst4=$SERVER/32 proto=tcp dstports=80-80" "$POSTERN" rules "$C1"
}

lab_up "${MODE:-spt}"
background_peer "$LAB/server.log" up serve "$SERVER" 80,81 1235
wait_for 3 has_line "$LAB/server.log" ready
test_long
test_one_bad_line
test_gap
test_policy
test_uncommitted
test_forms
lab_summary
