#!/bin/sh
# SPDX-License-Identifier: ISC
# The store is killed in the middle of commits: what it acknowledged is there after the
# restart, the appliance keeps its last good rules meanwhile and catches up by itself; also
# from a store that breaks the protocol.
# Topology: lab.sh.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

KILLS=10 COMMITS=100 # between two kills
[ "${MODE:-spt}" = spt ] || KILLS=1 COMMITS=10

accept_port() { printf 'action=accept proto=tcp dstports=%d-%d\n' "$1" "$1"; }

# Commits one rule set after the other, port 1000 first, and notes each acknowledged one.
commit_on() {
	n=1000
	while accept_port $n >"$LAB/commit.rules" &&
		"$POSTERN" rules set "$C2" "$LAB/commit.rules" >/dev/null 2>&1; do
		echo $n >"$LAB/acked.new" && mv "$LAB/acked.new" "$LAB/acked"
		n=$((n + 1))
	done
}

commits_run() { [ "$(cat "$LAB/acked" 2>/dev/null || echo 0)" -ge "$1" ]; }

# The one that was under way may have been written without its answer having come back.
last_commit_is() {
	"$POSTERN" rules "$C2" >"$LAB/out" 2>&1
	grep -qE "dstports=($1-$1|$(($1 + 1))-$(($1 + 1)))( |$)" "$LAB/out"
}

kill_while_committing() {
	rm -f "$LAB/acked"
	commit_on &
	committer=$!
	LAB_PIDS="$LAB_PIDS $committer"
	# A few more each time, so that the kill falls into another moment of a commit.
	wait_for 20 commits_run $((1000 + COMMITS + $1)) || fail "commits do not proceed"
	kill -9 "$STORE_PID"
	wait "$STORE_PID" 2>/dev/null
	wait "$committer"
}

lab_up "${MODE:-spt}"
background_peer "$LAB/server.log" up serve "$SERVER" 80,81 -
wait_for 3 has_line "$LAB/server.log" ready
check "rules for a first client" rules_set "$C1" <<END
action=accept proto=tcp dstports=80-80
END
background_peer "$LAB/hold.log" c1 hold "$SERVER" 80 "$LAB/hold"
check "a connection is busy" counts_up "$LAB/hold"

k=1
while [ $k -le $KILLS ]; do
	kill_while_committing $k
	acked=$(cat "$LAB/acked")
	check "$k: without a store the open connection goes on" counts_up "$LAB/hold"
	check_says "$k: and the last good rules hold: accepted" "^ok $FW" peer c1 tcp "$SERVER" 80
	check_says "$k: and refused" "^error EHOSTUNREACH" peer c1 tcp "$SERVER" 81
	rm -f "$POSTERN_STORE" "$LAB/link"
	check "$k: the store starts again" lab_store
	check "$k: with the last acknowledged commit ($acked)" last_commit_is "$acked"
	check "$k: the appliance comes back and takes new rules" rules_set "$C1" <<-END
		action=accept proto=tcp dstports=80-80
		action=drop comment=$k
	END
	k=$((k + 1))
done

check "rules that open another port reach the appliance" rules_set "$C1" <<END
action=accept proto=tcp dstports=80-81
END
check_says "and are in force" "^ok $FW" peer c1 tcp "$SERVER" 81

# Changed while the appliance is not connected: it must notice by itself, with no commit.
stop "$STORE_PID"
rm -f "$POSTERN_STORE" "$LAB/link"
background "$LAB/store2.log" "$O/postern-store" --db "$LAB/store.db" --socket "$POSTERN_STORE"
STORE_PID=$pid
wait_for 3 test -S "$POSTERN_STORE"
accept_port 80 >"$LAB/rules"
check "the rules are narrowed behind the appliance's back" \
	"$POSTERN" rules set "$C1" "$LAB/rules"
stop "$STORE_PID"
rm -f "$POSTERN_STORE" "$LAB/link"
check "the store comes back" lab_store
refused_now() { peer c1 tcp "$SERVER" 81 | grep -q EHOSTUNREACH; }
check "the appliance resyncs by itself" wait_for 15 refused_now

# One that breaks the protocol is left, and tried again after a pause; nothing is lost or opened by that.
stop "$STORE_PID"
rm -f "$POSTERN_STORE" "$LAB/link"
background "$LAB/liar.log" python3 "$ROOT/tests/lab/store_liar.py" "$LAB/link"
liar=$pid
left_twice() { [ "$(grep -c left "$LAB/liar.log")" -ge 2 ]; }
check "a store that breaks the protocol is left, and tried again" wait_for 20 left_twice
check_says "the last good rules hold: accepted" "^ok $FW" peer c1 tcp "$SERVER" 80
check_says "and refused" "^error EHOSTUNREACH" peer c1 tcp "$SERVER" 81
said_each_time() { [ "$(grep -c 'not listening until' "$LAB/tender.log")" -le "$(grep -c connected "$LAB/liar.log")" ]; }
check "it is said once each time" said_each_time
stop "$liar"
rm -f "$LAB/link"
check "a genuine store comes back" lab_store
accepted_now() {
	rules_set "$C1" <<-END
		action=accept proto=tcp dstports=80-81
	END
}
check "and is listened to" wait_for 60 accepted_now
check_says "what it says is in force" "^ok $FW" peer c1 tcp "$SERVER" 81
check "the connection open since the start survived it all" counts_up "$LAB/hold"
lab_summary
