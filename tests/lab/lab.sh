# shellcheck shell=sh
# SPDX-License-Identifier: ISC
# The lab that the tests and the demonstration share. Sourced; the caller sets ROOT first.
#
#    namespace c1                                            namespace up
#   +-----------------+                                 +--------------------------+
#   | eth0 10.137.0.5 +--tap--+                         |                          |
#   +-----------------+       |  +------------------+   | up0 10.200.0.1 (gateway) |
#                             +--+  postern-tender  +-tap                          |
#    namespace c2             |  |   postern.elf    |   | lo  192.0.2.10 (servers) |
#   +-----------------+       |  |   10.200.0.2     |   |                          |
#   | eth0 10.137.0.6 +--tap--+  +--------+---------+   +--------------------------+
#   +-----------------+                   | byte channel
#     default via 10.137.0.1         postern-store
#
# Nothing outside the three namespaces, one temporary directory and the processes started
# here is touched, and all of it goes on every way out.

LAB_ID=${LAB_ID:-postern-$$}
O=${O:-build}
case $O in /*) ;; *) O=$ROOT/$O ;; esac
POSTERN=$O/postern
PEER=$ROOT/tests/lab/peer.py

NS_UP=$LAB_ID-up
NS_C1=$LAB_ID-c1
NS_C2=$LAB_ID-c2
C1=10.137.0.5
C2=10.137.0.6
FW=10.200.0.2
GATEWAY=10.200.0.1
SERVER=192.0.2.10
NOBODY=192.0.2.11 # routed to the uplink host; only spoofed packets name it

LAB=''
LAB_PIDS=''
LAB_NAMESPACES=''
pid=''
passed=0
failed=0

# --- counting ----------------------------------------------------------------
pass() {
	passed=$((passed + 1))
	[ -z "${V:-}" ] || [ "$V" = 0 ] || echo "  ok      $1"
}

fail() {
	failed=$((failed + 1))
	echo "  FAILED  $1"
	[ ! -s "$LAB/out" ] || sed 's/^/          /' "$LAB/out" | head -n 12
}

check() { # what should hold, then the command that says so
	what=$1
	shift
	if "$@" >"$LAB/out" 2>&1; then pass "$what"; else fail "$what"; fi
}

check_says() { # what, a pattern (grep -E) that the output must match, then the command
	what=$1 pattern=$2
	shift 2
	"$@" >"$LAB/out" 2>&1 || true
	if grep -qE -- "$pattern" "$LAB/out"; then pass "$what"; else fail "$what: no \"$pattern\""; fi
}

lab_summary() { # the last line, and the status of the whole script
	echo "$(basename "$0") ${LAB_MODE:-}: $passed passed, $failed failed"
	[ "$failed" = 0 ]
}

# --- waiting -----------------------------------------------------------------
wait_for() { # seconds (ten times as many where the guest is emulated), then a command
	until=$(($(date +%s) + $1 * LAB_SLOW + 1))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$until" ] || return 1
		sleep 0.05
	done
}

not() { ! "$@"; }
has_line() { grep -qE -- "$2" "$1" 2>/dev/null; }
tender_pids() { # the tender and whatever it started
	echo "$TENDER_PID"
	cat "/proc/$TENDER_PID"/task/*/children 2>/dev/null
}
gone() { ! kill -0 "$1" 2>/dev/null; }

# --- processes and namespaces --------------------------------------------------
in_ns() { # up|c1|c2, then a command
	ns=$LAB_ID-$1
	shift
	ip netns exec "$ns" "$@"
}

peer() { # up|c1|c2, then a verb of peer.py and its arguments
	ns=$1
	shift
	in_ns "$ns" python3 "$PEER" --wait="$LAB_WAIT" "$@"
}

background() { # log file, then a command; its pid is left in $pid
	log=$1
	shift
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	LAB_PIDS="$LAB_PIDS $pid"
}

background_peer() { # log file, up|c1|c2, verb...
	log=$1 ns=$LAB_ID-$2
	shift 2
	background "$log" ip netns exec "$ns" python3 "$PEER" --wait="$LAB_WAIT" "$@"
}

stop() { # pid: ends it and reaps it
	kill "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

new_namespace() {
	ip netns add "$1" || return 1
	LAB_NAMESPACES="$LAB_NAMESPACES $1"
	ip netns exec "$1" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
		echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null
	ip -n "$1" link set lo up
}

lab_link() { # namespace, device: the end of a cable whose other end is the tender's
	ip -n "$1" tuntap add dev "$2" mode tap
}

lab_client() { # namespace, address
	new_namespace "$1" && lab_link "$1" eth0 &&
		ip -n "$1" addr add "$2/32" dev eth0 &&
		ip -n "$1" link set eth0 up &&
		ip -n "$1" route add default via 10.137.0.1 dev eth0 onlink
}

lab_namespaces() {
	new_namespace "$NS_UP" && lab_link "$NS_UP" up0 &&
		ip -n "$NS_UP" addr add "$GATEWAY/24" dev up0 &&
		ip -n "$NS_UP" addr add "$SERVER/32" dev lo &&
		ip -n "$NS_UP" link set up0 mtu "${LAB_UPLINK_MTU:-1500}" up &&
		ip -n "$NS_UP" route add 10.137.0.0/24 via "$FW" &&
		lab_client "$NS_C1" "$C1" && lab_client "$NS_C2" "$C2"
}

# --- the programs ----------------------------------------------------------------
lab_store() {
	background "$LAB/store.log" "$O/postern-store" --db "$LAB/store.db" \
		--socket "$POSTERN_STORE" --link "$LAB/link"
	STORE_PID=$pid
	wait_for 3 test -S "$POSTERN_STORE"
}

lab_tender() { # LAB_TENDER_MORE: words of options
	# shellcheck disable=SC2086
	background "$LAB/tender.log" "$O/postern-tender" --image "$O/postern.elf" \
		--mode "$LAB_MODE" --mem 32 \
		--uplink "tap=up0,netns=$NS_UP,ip=$FW/24,gateway=$GATEWAY${LAB_UPLINK_MORE:-}" \
		--client "tap=eth0,netns=$NS_C1,ip=$C1,name=c1${LAB_C1_MORE:-}" \
		--client "tap=eth0,netns=$NS_C2,ip=$C2,name=c2" \
		--store "$LAB/link" --control "$POSTERN_CONTROL" ${LAB_TENDER_MORE:-}
	TENDER_PID=$pid
	wait_for 10 "$POSTERN" status || {
		echo "the tender does not answer; its log ends with:" >&2
		tail -n 5 "$LAB/tender.log" >&2
		return 1
	}
}

lab_up() { # spt|hvt: on return the appliance runs and its clients are closed
	LAB_MODE=$1
	LAB_SLOW=1 LAB_WAIT=1.5
	[ "$LAB_MODE" = spt ] || LAB_SLOW=10 LAB_WAIT=5
	[ "$(id -u)" = 0 ] || { echo "the lab needs root, for its namespaces" >&2; exit 1; }
	trap lab_down EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	LAB=$(mktemp -d "${TMPDIR:-/tmp}/$LAB_ID.XXXXXX") || exit 1
	export POSTERN_STORE="$LAB/store.sock" POSTERN_CONTROL="$LAB/control.sock"
	if ! { lab_namespaces && lab_store && lab_tender; }; then
		echo "the lab did not come up" >&2
		exit 1
	fi
}

lab_down() { # safe to call twice, and half way up
	[ "${LAB_KEEP_LOGS:-}" = "" ] || [ -z "$LAB" ] || cp "$LAB"/*.log "$LAB_KEEP_LOGS"/ 2>/dev/null
	for p in $LAB_PIDS; do kill "$p" 2>/dev/null; done
	for n in $LAB_NAMESPACES; do
		for p in $(ip netns pids "$n" 2>/dev/null); do kill "$p" 2>/dev/null; done
	done
	for p in $LAB_PIDS; do
		i=0
		while ! gone "$p" && [ $i -lt 50 ]; do i=$((i + 1)); sleep 0.1; done
		kill -9 "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	for n in $LAB_NAMESPACES; do ip netns del "$n" 2>/dev/null; done
	[ -z "$LAB" ] || rm -rf "$LAB"
	LAB='' LAB_PIDS='' LAB_NAMESPACES=''
	return 0
}

# --- what the appliance says -------------------------------------------------------
number_of() { # a JSON text on stdin, a key: the sum of the numbers that stand under it
	python3 -c '
import json, sys
def walk(v):
    if isinstance(v, dict):
        if v.get("reason") == sys.argv[1] and isinstance(v.get("count"), int):
            return v["count"]
        return sum(x if k == sys.argv[1] and isinstance(x, int) else walk(x)
                   for k, x in v.items())
    return sum(map(walk, v)) if isinstance(v, list) else 0
print(walk(json.load(sys.stdin)))' "$1"
}

drops() { "$POSTERN" status -j | number_of "$1"; } # a word of netstack/drop.h
drops_past() { [ "$(drops "$1")" -gt "$2" ]; }

check_drop() { # what, the drop's word, then the command that must make it count
	what=$1 word=$2
	shift 2
	before=$(drops "$word")
	"$@" >"$LAB/out" 2>&1 || true
	if wait_for 2 drops_past "$word" "$before"; then pass "$what"; else fail "$what ($word: $before)"; fi
}

# --- rules ---------------------------------------------------------------------------
handled() { # client: how often the appliance has taken rules in
	n=$("$POSTERN" store read "/qubes-firewall-handled/$1" 2>/dev/null) || n=0
	echo "${n:-0}"
}
handled_past() { [ "$(handled "$1")" -gt "$2" ]; }

rules_set() { # client; the lines on stdin. Returns when the appliance has handled them.
	handled_before=$(handled "$1")
	cat >"$LAB/rules"
	"$POSTERN" rules set "$1" "$LAB/rules" >/dev/null && wait_for 5 handled_past "$1" "$handled_before"
}

commit() { # client: what a commit is in the store
	handled_before=$(handled "$1")
	"$POSTERN" store write "/qubes-firewall/$1" "" >/dev/null &&
		wait_for 5 handled_past "$1" "$handled_before"
}

counts_up() { # a file that peer.py hold counts in: does it grow now?
	a=$(cat "$1" 2>/dev/null || echo 0)
	wait_for 2 counted_past "$1" "${a:-0}"
}
counted_past() { n=$(cat "$1" 2>/dev/null); [ "${n:-0}" -gt "$2" ]; }

stands_still() { # the same, for a connection that must be dead
	sleep "$LAB_WAIT"
	a=$(cat "$1")
	sleep "$LAB_WAIT"
	[ "$a" = "$(cat "$1")" ]
}
