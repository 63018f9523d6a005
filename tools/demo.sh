#!/bin/sh
# SPDX-License-Identifier: ISC
# The demonstration: a unikernel firewall between an uplink and two clients, watched with
# ordinary programs. The machines are network namespaces; the picture is in tests/lab/lab.sh.
#   MODE=spt|hvt tools/demo.sh      spt: a confined process, hvt: a KVM guest; the same image
ROOT=$(cd "$(dirname "$0")/.." && pwd)
. "$ROOT/tests/lab/lab.sh"
MODE=${MODE:-spt}

BOLD='' PLAIN=''
[ -t 1 ] && BOLD=$(printf '\033[1m') PLAIN=$(printf '\033[0m')

chapter() { printf '\n%s%s%s\n' "$BOLD" "$1" "$PLAIN"; }
show() { sed 's/^/      /'; }

# Runs a command for all to see, and says whether it did what the story claims.
scene() { # what should come of it, the pattern that shows it, a readable command line, command
	claim=$1 pattern=$2 line=$3
	shift 3
	echo "    \$ $line"
	"$@" >"$LAB/out" 2>&1 || true
	grep -vE '^(PING .*|--- .*|[0-9]+ packets .*|)$' "$LAB/out" | head -n 4 | show
	verdict "$claim" grep -qE -- "$pattern" "$LAB/out"
}

verdict() { # a claim, the command that tells whether it is true
	claim=$1
	shift
	if "$@" >/dev/null 2>&1; then
		passed=$((passed + 1))
		echo "   -> $claim"
	else
		failed=$((failed + 1))
		echo "   ${BOLD}** NOT SO: $claim${PLAIN}"
	fi
}

counted() { # a claim about a drop, the drop's word, a readable command line, command
	claim=$1 word=$2 line=$3
	shift 3
	before=$(drops "$word")
	echo "    \$ $line"
	"$@" >/dev/null 2>&1 || true
	verdict "$claim (counter \"$word\")" wait_for 2 drops_past "$word" "$before"
}

web() { # client, port: fetches the page, which is the address the server saw
	in_ns "$1" curl -sS --max-time $((2 * ${LAB_WAIT%.*} + 1)) "http://$SERVER:$2/"
}

start_servers() {
	cat >"$LAB/web.py" <<-'END'
		import sys, threading
		from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
		class Page(BaseHTTPRequestHandler):
		    def do_GET(self):
		        self.send_response(200)
		        self.end_headers()
		        self.wfile.write(b"hello %s\n" % self.client_address[0].encode())
		    def log_message(self, *_):
		        pass
		for port in map(int, sys.argv[1:]):
		    server = ThreadingHTTPServer(("", port), Page)
		    threading.Thread(target=server.serve_forever).start()
		print("ready", flush=True)
	END
	background "$LAB/web.log" ip netns exec "$NS_UP" python3 "$LAB/web.py" 80 8080
	background_peer "$LAB/echo.log" up serve "$SERVER" 7 -
	background_peer "$LAB/sniff" up sniff up0
	for f in web.log echo.log sniff; do wait_for 4 has_line "$LAB/$f" ready; done
}

introduce() {
	chapter "Postern: one image, two clients, one uplink"
	echo "    image   $(sha256sum "$O/postern.elf" | cut -c1-64)"
	echo "            $(wc -c <"$O/postern.elf") bytes, run as $MODE"
	echo "    uplink  firewall $FW, gateway $GATEWAY, servers on $SERVER"
	echo "    clients $C1, $C2 (behind taps of their own)"
}

show_rules() {
	sed 's/^/      /' "$LAB/rules"
}

act_rules() {
	chapter "1. A client without rules is closed"
	counted "nothing gets out" closed "c1: ping $SERVER" in_ns c1 ping -c 1 -W 1 "$SERVER"

	chapter "2. It gets rules, and they are in force at once"
	rules_set "$C1" <<-END
		accept $SERVER tcp 80
		accept $SERVER tcp 7
		accept - icmp
		drop
	END
	verdict "the appliance has taken them in (postern rules set $C1 FILE)" test $? = 0
	show_rules
	scene "allowed TCP arrives, from the firewall's address" "^hello $FW" \
		"c1: curl http://$SERVER/" web c1 80
	scene "a refused connection is told so by ICMP 3/13 of the firewall" "icmp 3/13 $FW" \
		"c1: connect $SERVER 8080" peer c1 tcp "$SERVER" 8080
}

act_lies() {
	chapter "3. Lies and neighbours"
	rules_set "$C2" <<-END
		accept
	END
	counted "a forged source address is dropped" spoofed \
		"c1: send udp from 10.137.1.128" peer c1 send 10.137.1.128 "$NOBODY" udp 53
	counted "another client's address too" spoofed \
		"c1: send udp from $C2" peer c1 send "$C2" "$NOBODY" udp 53
	counted "clients never reach each other, though $C2 may go anywhere" inter-client \
		"c2: ping $C1" in_ns c2 ping -c 1 -W 1 "$C1"
	counted "and nobody comes in uncalled" new-from-uplink \
		"up: send udp to $FW" peer up send "$SERVER" "$FW" udp 5000
	scene "none of it reached the uplink" "^nothing$" "up: look for $NOBODY on the wire" \
		seen_for "$NOBODY"
}

seen_for() {
	web c2 80 >/dev/null 2>&1 # whatever was on its way has arrived once this is back
	grep -- " $1 " "$LAB/sniff" || echo nothing
}

act_live() {
	chapter "4. The rules change while connections are open"
	background_peer "$LAB/hold.log" c1 hold "$SERVER" 7 "$LAB/hold"
	verdict "c1 holds a connection to $SERVER:7 open and talks on it" counts_up "$LAB/hold"
	rules_set "$C1" <<-END
		accept $SERVER tcp 8080
		accept $SERVER tcp 7
		accept - icmp
		drop
	END
	verdict "new rules are in force: port 8080 instead of 80" test $? = 0
	scene "what worked is refused now" "icmp 3/13 $FW" \
		"c1: connect $SERVER 80" peer c1 tcp "$SERVER" 80
	scene "what was refused works now" "^hello $FW" "c1: curl http://$SERVER:8080/" web c1 8080
	verdict "the open connection never noticed" counts_up "$LAB/hold"
}

act_numbers() {
	chapter "5. What it says about itself"
	echo "    \$ postern status"
	"$POSTERN" status | sed '/^PLATFORM/,$d' | cat -s | show
	echo "    \$ postern flows"
	"$POSTERN" flows | head -n 8 | show
	"$POSTERN" flows >"$LAB/flows" 2>&1
	verdict "the open connection is among the flows" grep -q "$SERVER" "$LAB/flows"

	chapter "6. Latency through the firewall"
	echo "    \$ c1: ping -c 50 -i 0.02 $SERVER"
	in_ns c1 ping -n -q -c 50 -i 0.02 -W 2 "$SERVER" >"$LAB/ping" 2>&1
	tail -n 2 "$LAB/ping" | show
	verdict "no packet was lost" grep -q " 0% packet loss" "$LAB/ping"
}

act_end() {
	chapter "7. It ends when told to"
	kill -TERM "$TENDER_PID"
	wait_for 5 gone "$TENDER_PID"
	wait "$TENDER_PID"
	verdict "SIGTERM: exit status 0" test $? = 0
}

begun=$(date +%s)
lab_up "$MODE"
start_servers
introduce
act_rules
act_lies
act_live
act_numbers
act_end
lab_down
printf '\n%s%s claims held, %s did not; %s s; nothing is left behind%s\n' \
	"$BOLD" "$passed" "$failed" "$(($(date +%s) - begun))" "$PLAIN"
[ "$failed" = 0 ]
