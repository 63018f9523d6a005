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
assert client["flows"] >= 1 and client["up_bytes_s"] > 0 and client["down_bytes_s"] > 0, client
assert rule["rule"] == 0 and rule["flows"] >= 1 and rule["up_packets_s"] > 0, rule
END
}

top_ends() { # on a terminal of its own: two pictures, then q
	timeout 120 python3 - "$POSTERN" <<'END'
import os, pty, subprocess, sys, termios
master, slave = pty.openpty()
before = termios.tcgetattr(slave)
top = subprocess.Popen([sys.argv[1], "top"], stdin=slave, stdout=slave)
seen = b""
while seen.count(b"\x1b[H") < 2:
    seen += os.read(master, 65536)
assert b"CLIENT" in seen and termios.tcgetattr(slave) != before, seen
os.write(master, b"q")
assert top.wait(60) == 0
assert termios.tcgetattr(slave) == before
END
}

# A request as it is, over the server's socket; the answer on standard output.
http() { python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(30)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode().decode("unicode_escape").encode())
while b := s.recv(65536):
    sys.stdout.write(b.decode())' "$LAB/metrics.sock" "$1"; }
openmetrics() { # file, what else is to hold
	python3 "$HERE/openmetrics_check.py" "$@"
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
check_says "rates as a table" "^CLIENT +RULE +ID +FLOWS" "$POSTERN" top --once

check "on a terminal it draws until q, and leaves the terminal as it was" top_ends
check "killing everything must be said" exits 2 "$POSTERN" flows kill
check "killing what is not there" exits 1 "$POSTERN" flows kill --dst "$SERVER:81"
check_says "one flow is killed" "^1 killed" "$POSTERN" flows kill --client "$C1" --proto tcp --dst "$SERVER:80"
check "its connection is dead" stands_still "$LAB/hold1"
check "the other lives" counts_up "$LAB/hold2"
check "and has its flow" flows_are 1 --client "$C2" --rule 0

"$POSTERN" metrics >"$LAB/page"
check "metrics are strict OpenMetrics" openmetrics "$LAB/page" postern_up=1 postern_client_open=2 \
	postern_port_receive_packets_total=10 postern_flows_cut_total=1
check "there is traffic in the histogram" wait_for 10 sh -c "'$POSTERN' metrics >'$LAB/page'
	python3 '$HERE/openmetrics_check.py' '$LAB/page' postern_latency_seconds_count=1"
# A reason shows from its first drop on.
check_drop "a packet is dropped" policy peer c2 udp "$SERVER" 9
"$POSTERN" metrics >"$LAB/page"
check "all that the dashboard asks for is there" openmetrics "$LAB/page" "$ROOT/tools/dashboard/postern-grafana.json"
check "as a textfile" "$POSTERN" metrics --textfile "$LAB/postern.prom"
check_says "counters are named as its readers want" "^# TYPE postern_drops_total counter" cat "$LAB/postern.prom"
check "nothing is left beside it" test "$(find "$LAB" -name 'postern.prom*' | wc -l)" = 1
check "only loopback is served" exits 2 "$POSTERN" metrics --listen 192.0.2.1:9100
background "$LAB/metrics.log" "$POSTERN" metrics --listen "unix:$LAB/metrics.sock"
METRICS_PID=$pid
wait_for 5 test -S "$LAB/metrics.sock"
http 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text;version=1.0.0\r\n\r\n' |
	sed '1,/^.$/d' >"$LAB/page"
check "over HTTP" openmetrics "$LAB/page" postern_up=1
check_says "plain text unless asked" "text/plain; version=0.0.4" http 'GET /metrics HTTP/1.0\r\n\r\n'
check_says "another page is not there" "^HTTP/1.0 404" http 'GET / HTTP/1.0\r\n\r\n'
check_says "and nothing is taken" "^HTTP/1.0 405" http 'POST /metrics HTTP/1.0\r\n\r\n'
check_says "nonsense is told so" "^HTTP/1.0 400" http 'nonsense\n\n'
check "silence is hung up on" http 'GET /metr'
check_says "and the next is served" "^postern_up 1" http 'GET /metrics HTTP/1.0\r\n\r\n'
stop "$METRICS_PID"
check "its socket goes with it" not test -e "$LAB/metrics.sock"
lab_summary
