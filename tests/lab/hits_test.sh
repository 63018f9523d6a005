#!/bin/sh
# SPDX-License-Identifier: ISC
# What each rule has let through and refused: under an id that stays its own while rules move, come and go, the store
# restarts, and its flows live and end. Topology: lab.sh.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

rule() { # client, an expression of r, the rule of that id or text: printed
	"$POSTERN" rules -s -j "$1" | python3 -c 'import json, sys
rules = json.load(sys.stdin)["rules"]
r = [r for r in rules if sys.argv[1] in (r["id"], r["text"], r["text"].split(" label=")[0])][0]
print(eval(sys.argv[2]))' "$2" "$3"
}
rule_is() { [ "$(rule "$1" "$2" "$3")" = True ] || { rule "$1" "$2" r; false; }; }
ids() { "$POSTERN" rules "$@" -j | python3 -c 'import json, sys
print(*[r["id"] for r in json.load(sys.stdin)["rules"]])'; }
unused_are() { # the ids, as one word
	[ "$(ids --unused "$C1")" = "$1" ]
}
code_is() { # exit code, then a command
	want=$1
	shift
	"$@"
	[ $? = "$want" ]
}
linked() { "$POSTERN" status -j | grep -q '"store": "synced"'; }
down() { ! linked; }
apply() { "$POSTERN" apply "$LAB/hits.rules"; }

HTTP="action=accept dst4=$SERVER/32 proto=tcp dstports=80-80"

lab_up "${MODE:-spt}"
background_peer "$LAB/server.log" up serve "$SERVER" 80,81,82 -
wait_for 3 has_line "$LAB/server.log" ready

cat >"$LAB/hits.rules" <<END
[$C1]
accept 198.51.100.7 tcp 443
accept $SERVER tcp 80
drop $SERVER tcp 82
END
check_says "rules are applied" applied apply
id=$(rule "$C1" "$HTTP" 'r["id"]')
check "a rule without a label has an id" expr "$id" : 'r-[0-9a-f]\{8\}$'
check "nothing has hit it" rule_is "$C1" "$id" '"last_s" not in r and r["packets"] == r["flows"] == 0'
check_says "it lets a connection through" "^ok" peer c1 tcp "$SERVER" 80
check "which is counted: as a flow, its packets both ways" \
	wait_for 2 rule_is "$C1" "$id" 'r["flows"] >= 1 and r["up_packets"] > 3 and r["down_packets"] > 2 and r["last_s"] <= r["first_s"]'
check "and the bytes of both ways" rule_is "$C1" "$id" 'r["bytes"] == r["up_bytes"] + r["down_bytes"] > 400'
check_says "what a drop rule refuses" "^error" peer c1 tcp "$SERVER" 82
check "is counted there" rule_is "$C1" "action=drop dst4=$SERVER/32 proto=tcp dstports=82-82" \
	'r["refused"] > 0 and r["packets"] == 0'
check_says "what the policy refuses" "^error" peer c1 tcp "$SERVER" 81
check "is counted at the policy" rule_is "$C1" policy 'r["refused"] > 0'
check "exactly the rule that nothing hit is unused" \
	unused_are "$(rule "$C1" 'action=accept dst4=198.51.100.7/32 proto=tcp dstports=443-443' 'r["id"]')"

flows=$(rule "$C1" "$id" 'r["flows"]')
background_peer "$LAB/hold.log" c1 hold "$SERVER" 80 "$LAB/hold"
check "a connection is busy" wait_for 10 counted_past "$LAB/hold" 0
check "and its packets count while it lives" rule_is "$C1" "$id" "r['live'] >= 1 and r['flows'] == $flows + 1"
before=$(rule "$C1" "$id" 'r["packets"]')
cat >"$LAB/hits.rules" <<END
[$C1]
accept 198.51.100.8 tcp 443 label=spare
accept 198.51.100.7 tcp 443
drop $SERVER tcp 82
drop - icmp
accept $SERVER tcp 80
END
check_says "rules move, and others come" applied apply
check "the id is the same" rule_is "$C1" "$HTTP" "r['id'] == '$id' and r['rule'] == 4"
check "its counters go on" rule_is "$C1" "$id" "r['packets'] >= $before and r['flows'] == $flows + 1"
check "the connection lives" counts_up "$LAB/hold"
check "and goes on counting" rule_is "$C1" "$id" "r['packets'] > $before"
check "the drop rule's counters too" rule_is "$C1" "action=drop dst4=$SERVER/32 proto=tcp dstports=82-82" 'r["refused"] > 0'
check_says "flows say the id" "$id" "$POSTERN" flows -j
check "and are found by it" expr "$("$POSTERN" flows -j --state established --rule "$id" | grep -c '"sport"')" = 1
check "the label is the id of a rule that has one" rule_is "$C1" spare 'r["labelled"] and r["rule"] == 0'
check_says "explain says it" "$id" "$POSTERN" explain "$C1" tcp "$C1" 40000 "$SERVER" 80
check_says "the busiest first" "$id" sh -c '"$0" rules -s --sort packets | sed -n 2p' "$POSTERN"
check "a time that no rule is old enough for" code_is 1 "$POSTERN" rules --unused --since 1d "$C1"
check "an unknown order is a usage error" code_is 2 "$POSTERN" rules -s --sort size

before=$(rule "$C1" "$id" 'r["packets"]')
stop "$STORE_PID"
check "without a store" wait_for 5 down
rm -f "$POSTERN_STORE" "$LAB/link"
lab_store
check "and with one again" wait_for 20 linked
check "the same rule counts on" rule_is "$C1" "$id" "r['packets'] >= $before and r['rule'] == 4"

cat >"$LAB/hits.rules" <<END
[$C1]
accept - tcp label=spare
END
check_says "another rule takes the connection over" applied apply
check "which is its flow then, with what comes from now on" \
	wait_for 5 rule_is "$C1" spare 'r["flows"] == r["live"] >= 1 and 0 <= r["packets"] < 10**9'
check "and lives" counts_up "$LAB/hold"
check "the label kept its account over another text" rule_is "$C1" spare 'r["up_packets"] > 0 and r["last_s"] <= r["since_s"]'
check_says "it can be watched" 'postern_rule_packets_total\{client="10.137.0.5",rule="spare"\} [1-9]' "$POSTERN" metrics
lab_summary
