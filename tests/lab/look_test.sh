#!/bin/sh
# SPDX-License-Identifier: ISC
# Looking at it while it runs: flows filtered, sorted and killed; rates; metrics.
#
#   lab.sh's topology
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"
HERE=$ROOT/tests/lab
MODE=${MODE:-spt}

flows_are() { # how many, then options
	n=$1
	shift
	[ "$("$POSTERN" flows -j "$@" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["flows"]))')" = "$n" ]
}
exits() { # status, then a command
	wanted=$1
	shift
	"$@" </dev/null
	[ $? = "$wanted" ]
}
rates_show() { # is the client busy, and is there a rule that is?
	"$POSTERN" top -j >"$LAB/rates" && python3 - "$LAB/rates" "$C1" <<'END'
import json, sys
rates = json.load(open(sys.argv[1]))
client = [c for c in rates["clients"] if c["ip"] == sys.argv[2]][0]
rule = [r for r in rates["rules"] if r["client"] == sys.argv[2]][0]
assert client["flows"] >= 1 and client["up_bps"] > 0 and client["down_bps"] > 0, client
assert rule["rule"] == 0 and rule["flows"] >= 1 and rule["up_pps"] > 0, rule
END
}

lab_up "$MODE"
background_peer "$LAB/server.log" up serve "$SERVER" 80 -
wait_for 3 has_line "$LAB/server.log" ready
check "rules" rules_set "$C1" <<END
action=accept
END
check "rules of another" rules_set "$C2" <<END
action=accept proto=tcp
END
background_peer "$LAB/hold1.log" c1 hold "$SERVER" 80 "$LAB/hold1"
background_peer "$LAB/hold2.log" c2 hold "$SERVER" 80 "$LAB/hold2"
check "a connection of each is busy" counts_up "$LAB/hold1"
check "and the other" counts_up "$LAB/hold2"

check "flows by client" flows_are 1 --client "$C1" --proto tcp
check "flows by destination and port" flows_are 2 --dst "$SERVER/32:80" --state established
check "flows of nobody" flows_are 0 --dst "$SERVER:81"
check "the busiest one" flows_are 1 --sort bytes --top 1
check_says "a state that is none is told" "not a state" "$POSTERN" flows --state opened
check "and is a usage error" exits 2 "$POSTERN" flows --state opened
check "rates are seen" wait_for 10 rates_show
check_says "rates as a table" "^CLIENT +RULE +FLOWS" "$POSTERN" top --once

check "killing everything must be said" exits 2 "$POSTERN" flows kill
check "killing what is not there" exits 1 "$POSTERN" flows kill --dst "$SERVER:81"
check_says "one flow is killed" "^1 killed" "$POSTERN" flows kill --client "$C1" --proto tcp --dst "$SERVER:80"
check "its connection is dead" stands_still "$LAB/hold1"
check "the other lives" counts_up "$LAB/hold2"
check "and has its flow" flows_are 1 --client "$C2" --rule 0
lab_summary
