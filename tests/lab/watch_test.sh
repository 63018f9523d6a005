#!/bin/sh
# SPDX-License-Identifier: ISC
# Captures, traces and events of real packets, held against what was sent.
#
#   lab.sh's topology; the server on 192.0.2.10 echoes UDP 53
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"
HERE=$ROOT/tests/lab
MODE=${MODE:-spt}
SENT=20

events_say() { "$POSTERN" events | grep -qE -- "$1"; }
watches() { "$POSTERN" events | grep -cE 'watch .*state=runs'; }
watches_past() { [ "$(watches)" -gt "$1" ]; }
begun() { # returns when one more watch runs than when it began: command...
	watches_before=$(watches)
	"$@"
	wait_for 5 watches_past "$watches_before"
}
exits() { # status, then a command
	wanted=$1
	shift
	"$@" </dev/null
	[ $? = "$wanted" ]
}
ended() { # pid: it ends by itself, well
	wait_for 20 gone_or_zombie "$1" && wait "$1"
}
gone_or_zombie() { ! grep -q '^State:[^Z]*$' "/proc/$1/status" 2>/dev/null; }
check_py() { python3 "$HERE/capture_check.py" "$@"; }

# Datagrams one by one: "allowed-i" to port 53, and their echoes; "refused-i" to port 5000.
send_both() {
	in_ns c1 python3 - "$SERVER" "$SENT" "$LAB_WAIT" <<'END'
import socket, sys, time
server, count, wait = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10 * wait)
for i in range(count):
    s.sendto(b"allowed-%d" % i, (server, 53))
    got = s.recv(100)
    assert got.endswith(b"allowed-%d" % i), got
r = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(count):
    r.sendto(b"refused-%d" % i, (server, 5000))
    time.sleep(0.002)
END
}
send_refused() { # client, how many
	in_ns "$1" python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(int(sys.argv[2])): s.sendto(b"x", (sys.argv[1], 5001))' "$SERVER" "$2"
}
echo_server() {
	background "$LAB/echo.log" ip netns exec "$NS_UP" python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    data, peer = s.recvfrom(2048)
    s.sendto(data, peer)' "$SERVER"
	wait_for 5 has_line "$LAB/echo.log" ready
}
rules() {
	rules_set "$C1" <<-END
		action=accept dst4=$SERVER/32 proto=udp dstports=53-53 label=web
		action=drop
	END
	rules_set "$C2" <<-END
		action=drop
	END
}

test_capture() {
	begun background "$LAB/capture.log" "$POSTERN" capture -w "$LAB/nat.pcapng" 'client' "$C1"
	capture=$pid
	begun background "$LAB/dropped.log" "$POSTERN" capture -w "$LAB/dropped.pcapng" --dropped --client "$C2" \
		--match 'udp and dport 5001'
	dropped=$pid
	check_says "a third one is told that there are two" "two others" "$POSTERN" capture -w "$LAB/third" --count 1
	check "what is allowed and what is refused is sent" send_both
	send_refused c2 3
	kill "$capture" "$dropped"
	check "a capture that is ended ends well" ended "$capture"
	check "so does the other" ended "$dropped"
	check_says "and says how much it is" "packets, 0 lost; ended: stopped" cat "$LAB/capture.log"
	check "both sides, verdicts, answers and echoes are as they were sent" \
		check_py nat "$LAB/nat.pcapng" "$C1" "$FW" "$SERVER" "$SENT"
	check "a filtered one has only what it asked for" \
		check_py all "$LAB/dropped.pcapng" verdict=dropped reason=rule "client=$C2" rule=0
	if command -v tshark >/dev/null; then
		check_says "tshark reads it, comments and all" "verdict=passed rule=0 id=web" \
			tshark -r "$LAB/nat.pcapng" -T fields -e frame.comment
	fi
}

test_flows() {
	check_says "flows are found by the same words" "^udp .*$SERVER:53 .*web" \
		"$POSTERN" flows client "$C1" and dport 53 not port 5000
	check_says "or not" "^0\$" sh -c "'$POSTERN' flows dport 5000 | wc -l"
}

test_ends() {
	begun background "$LAB/pipe.log" sh -c "\"\$0\" capture -w - -c 2 rule web >\"$LAB/pipe.pcapng\"" "$POSTERN"
	pipe=$pid
	check "more is sent" send_both
	check "a capture of two packets ends after them" ended "$pipe"
	check "what a rule let through is found by its id" check_py all "$LAB/pipe.pcapng" id=web
	check "an expression that makes no sense is refused" exits 4 "$POSTERN" capture -w "$LAB/none" carrots
	check_says "with its column" "column 10: not an address" "$POSTERN" trace tcp host carrots
	check "a file is wanted" exits 2 "$POSTERN" capture
}

test_trace() {
	begun background "$LAB/trace.log" "$POSTERN" trace -c 3 --client "$C1" udp
	trace=$pid
	send_both
	check "a trace ends by itself" ended "$trace"
	check_says "it shows the rule that let a packet through" "HIT .*label=web" cat "$LAB/trace.log"
	check_says "and what it left as" "leaves as $FW:[0-9]+ -> $SERVER:53, by up0, next hop $GATEWAY" cat "$LAB/trace.log"
	begun background "$LAB/refused.log" "$POSTERN" trace -j -c 1 --dropped --client "$C1"
	trace=$pid
	send_refused c1 1
	check "so does one of what is refused" ended "$trace"
	check_says "every rule that was tried is there" '"trial": "dstports"' cat "$LAB/refused.log"
	check "a trace of nothing ends by its time, with a no" exits 1 "$POSTERN" trace --seconds 1 host 203.0.113.99
}

two_starts() { [ "$(grep -c '"seq":1,"kind":"start"' "$LAB/follow.log")" = 2 ]; }
told_all() { check_py events "$LAB/follow.log" rule "$1" >/dev/null 2>&1; }

test_events() {
	counted=$(drops rule)
	background "$LAB/follow.log" "$POSTERN" events -f -j --since 1
	follow=$pid
	send_refused c1 40
	wait_for 5 drops_past rule "$((counted + 39))"
	counted=$(drops rule)
	wait_for 10 told_all "$counted" # what is left out is told a window later
	wait_for 5 has_line "$LAB/follow.log" '"suppressed"'
	check "drops are told, and what is left out is counted" check_py events "$LAB/follow.log" rule "$counted"
	new_namespace "$LAB_ID-c3" && lab_link "$LAB_ID-c3" eth0
	"$POSTERN" attach "tap=eth0,netns=$LAB_ID-c3,ip=10.137.0.7,name=c3" >/dev/null
	check "a port that comes is an event" wait_for 5 events_say 'what=attached .*name=c3'
	"$POSTERN" detach c3 >/dev/null
	check "and one that goes" wait_for 5 events_say 'what=detached .*name=c3'
	rules
	printf '[%s]\naccept\n' "$C2" >"$LAB/for-a-while"
	"$POSTERN" apply "$LAB/for-a-while" --confirm 60s >/dev/null
	check "a generation is, when it is in force" wait_for 5 events_say 'generation .*in force until confirmed'
	"$POSTERN" confirm >/dev/null
	check "and when it is confirmed" wait_for 5 events_say 'generation .*text=confirmed'
	check "rules that change are" wait_for 5 events_say "client .*client=$C1 .*state=open"
	stop "$STORE_PID"
	check "a store that dies is" wait_for 5 events_say 'store .*state=down'
	lab_store
	check "and one that is back" wait_for 5 has_line "$LAB/follow.log" '"state":"synced"'
	boots=$(grep -o '"boot":"[0-9a-f]*"' "$LAB/follow.log" | sort -u | wc -l)
	check "all of it was one start of the appliance" test "$boots" = 1
	stop "$TENDER_PID"
	lab_tender
	check "who follows finds the next one" wait_for 10 two_starts
	check "and says so" test "$(grep -o '"boot":"[0-9a-f]*"' "$LAB/follow.log" | sort -u | wc -l)" = 2
	kill "$follow"
	check "and ends well" ended "$follow"
}

test_dead_reader() { # it takes ten seconds, in which others are tested
	check "one whose reader died is over by itself" wait_for 15 events_say 'watch .*state=ended .*why=silence'
}

lab_up "$MODE"
echo_server
rules
send_both # and so the neighbours are known
if [ "$MODE" = spt ]; then # what does not depend on what carries the requests
	background "$LAB/dead.log" "$POSTERN" capture -w "$LAB/dead.pcapng" client 203.0.113.1
	wait_for 5 watches_past 0
	kill -9 "$pid"
	test_trace
	test_flows
	test_ends
	test_dead_reader
fi
test_capture
test_events
lab_summary
