#!/bin/sh
# SPDX-License-Identifier: ISC
# `postern run` from a file: two clients, a third by SIGHUP, a store and a tender that are
# killed, and an end that leaves nothing behind. Topology: lab.sh, and a namespace c3.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

C3=10.137.0.7
NS_C3=$LAB_ID-c3
WATCHDOG_S=10
[ "${MODE:-spt}" = spt ] || WATCHDOG_S=3600

config_head() {
	cat <<-END
		# as an operator writes it
		mode $LAB_MODE
		tender $LAB/tender
		sockets $LAB/run
		database $LAB/db/store.db
		watchdog $WATCHDOG_S
		metrics unix:$LAB/metrics.sock
		web unix:$LAB/web.sock

		[uplink]
		tap up0
		netns $NS_UP
		address $FW/24   # ours
		gateway $GATEWAY
	END
}

config_client() { # name, namespace, address
	printf '\n[client %s]\ntap eth0\nnetns %s\naddress %s\n' "$1" "$2" "$3"
}

config() { # clients: c1, c2, c3
	config_head >"$LAB/conf.new"
	for c; do
		case $c in
		c1) config_client c1 "$NS_C1" "$C1" ;;
		c2) config_client c2 "$NS_C2" "$C2" ;;
		c3) config_client c3 "$NS_C3" "$C3" ;;
		away) config_client away "$LAB_ID-away" 10.137.0.8 ;;
		esac >>"$LAB/conf.new"
	done
	mv "$LAB/conf.new" "$LAB/postern.conf"
}

# A service manager's end of NOTIFY_SOCKET: its words, a line each.
listen_for_words() {
	background "$LAB/words" python3 -u -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode(), flush=True)' "$LAB/notify"
	wait_for 5 test -S "$LAB/notify"
}

lab_store() {
	cat >"$LAB/tender" <<-END
		#!/bin/sh
		while [ -e "$LAB/slow" ]; do echo waits >>"$LAB/waits"; sleep 0.1; done
		exec "$O/postern-tender" "\$@"
	END
	chmod +x "$LAB/tender"
	listen_for_words
}

lab_tender() { # in the place of lab.sh's: one program starts them all
	POSTERN_STORE=$LAB/run/store.sock POSTERN_CONTROL=$LAB/run/control.sock
	config c1 c2
	NOTIFY_SOCKET=$LAB/notify background "$LAB/run.log" "$POSTERN" run -c "$LAB/postern.conf"
	RUN_PID=$pid
	wait_for 20 has_line "$LAB/words" '^READY=1'
}

child_of_run() { # a program's name: its pid
	for p in $(cat "/proc/$RUN_PID/task/$RUN_PID/children" 2>/dev/null); do
		[ "$(readlink "/proc/$p/exe")" != "$O/$1" ] || echo "$p"
	done
}
runs_again() { p=$(child_of_run "$1"); [ -n "$p" ] && [ "$p" != "$2" ]; }
ports_are() {
	"$POSTERN" status -j | python3 -c '
import json, sys
names = sorted(p["name"] for p in json.load(sys.stdin)["ports"])
sys.exit(names != sorted(sys.argv[1:]))' "$@"
}
reload() { # then what must come of it
	kill -HUP "$RUN_PID"
	wait_for 20 "$@"
}
reaches() { peer "$1" tcp "$SERVER" 80 | grep -q "^ok $FW"; }
reloads() { grep -c '^RELOADING=1' "$LAB/words"; }
reloads_past() { [ "$(reloads)" -gt "$1" ]; }

lab_up "${MODE:-spt}"
new_namespace "$NS_C3" && lab_link "$NS_C3" eth0 && ip -n "$NS_C3" addr add "$C3/32" dev eth0 &&
	ip -n "$NS_C3" link set eth0 up && ip -n "$NS_C3" route add default via 10.137.0.1 dev eth0 onlink
background_peer "$LAB/server.log" up serve "$SERVER" 80,81 -
wait_for 3 has_line "$LAB/server.log" ready

check_says "the file is good" "good: the uplink and 2 clients" "$POSTERN" run --check -c "$LAB/postern.conf"
check "both clients have ports" ports_are up0 c1 c2
for c in "$C1" "$C2" "$C3"; do
	check "rules for $c" rules_set "$c" <<-END
		action=accept proto=tcp dstports=80-80
	END
done
check "the first client passes" reaches c1
check "the second client passes" reaches c2
check_says "and is refused" "^error EHOSTUNREACH" peer c1 tcp "$SERVER" 81
check_says "metrics are served" "^postern_" \
	curl -sS --max-time 10 --unix-socket "$LAB/metrics.sock" http://localhost/metrics
check_says "and a page" "<html|<!doctype|<!DOCTYPE" \
	curl -sS --max-time 10 --unix-socket "$LAB/web.sock" http://localhost/
check "the doctor finds nothing wrong" "$POSTERN" doctor -c "$LAB/postern.conf"
check_says "and says so to machines" '"good": true' "$POSTERN" doctor -j -c "$LAB/postern.conf"
sed "s/netns $NS_C2/netns nowhere/" "$LAB/postern.conf" >"$LAB/sick.conf"
check_says "what is wrong comes with what helps" "ip netns add nowhere" "$POSTERN" doctor -c "$LAB/sick.conf"
check "and with another status" not "$POSTERN" doctor -c "$LAB/sick.conf"
check_says "a second one at the same place is refused" "another .postern run. uses it" \
	"$POSTERN" run -c "$LAB/postern.conf"

# bash completes with what is there now; its verbs and options are those of the usage.
completes() { # the words that must be offered, quoted; then the command line, its last word being typed
	want=$1
	shift
	bash -c '. "$0"; want=$1; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _postern
		for w in $want; do printf "%s\n" "${COMPREPLY[@]}" | grep -qxF -- "$w" || { echo "no $w: ${COMPREPLY[*]}"; exit 1; }; done' \
		"$ROOT/tools/completion/postern.bash" "$want" "$POSTERN" "$@"
}
check "completion: verbs" completes "run doctor rules detach help" ""
check "completion: clients" completes "$C1 $C2 set" rules ""
check "completion: ports" completes "up0 c1 c2" detach ""
check "completion: rule ids" completes "policy" flows --rule ""
check "completion: choices" completes "bytes packets idle" flows --sort ""
check "completion: options" completes "--check -c -j --help" run -
check "completion: keys" completes "/qubes-firewall/$C1/policy" store read /qubes
check "completion: generations" completes "$("$POSTERN" log -j | sed -n 's/^ *"number": \([0-9]*\).*/\1/p' | tail -n 1)" rollback ""
check "completion: files" completes "$LAB/postern.conf" check "$LAB/postern"

# A third client comes while it runs; one whose namespace is not there yet harms nobody.
config c1 c2 c3 away
check "SIGHUP brings a third port" reload ports_are up0 c1 c2 c3
check "the third client passes" reaches c3
check_says "the one that cannot come is named" "client away: not attached" cat "$LAB/run.log"
new_namespace "$LAB_ID-away"
check "and comes when its namespace does" wait_for 30 ports_are up0 c1 c2 c3 away

# A file that is wrong changes nothing.
n=$(reloads)
printf '[cleint c4]\n' >>"$LAB/postern.conf"
kill -HUP "$RUN_PID"
check "a wrong file is read" wait_for 10 reloads_past "$n"
check "and pointed at" wait_for 10 has_line "$LAB/run.log" "did you mean 'client'"
check "and all ports stay" ports_are up0 c1 c2 c3 away
config c1 c3
check "what is no longer in the file goes" reload ports_are up0 c1 c3

# Whatever dies comes back.
p=$(child_of_run postern-store)
kill -9 "$p"
check "a store that is killed comes back" wait_for 20 runs_again postern-store "$p"
check "meanwhile and afterwards the client passes" reaches c1
handled_again() { "$POSTERN" store read /qubes-firewall/10.137.0.5/0000 | grep -q dstports; }
check "with what it knew" wait_for 20 handled_again
p=$(child_of_run postern-tender)
kill -9 "$p"
check "a tender that is killed comes back" wait_for 20 runs_again postern-tender "$p"
check "with its ports" wait_for 20 ports_are up0 c1 c3
check "the first client passes again" wait_for 20 reaches c1
check "the third client passes again" wait_for 20 reaches c3

# It starts with the file as it was; what has changed since is made up for.
touch "$LAB/slow"
kill -9 "$(child_of_run postern-tender)"
check "one that is slow to start" wait_for 20 test -s "$LAB/waits"
config c1
kill -HUP "$RUN_PID"
rm "$LAB/slow"
check "has no ports that went meanwhile" wait_for 20 ports_are up0 c1

if [ "$LAB_MODE" = spt ]; then
	p=$(child_of_run postern-tender)
	kill -STOP "$p"
	check "one that hangs is ended, and comes back" wait_for 60 runs_again postern-tender "$p"
	check "and the client passes" wait_for 20 reaches c1
fi

pids="$(child_of_run postern-store) $(child_of_run postern-tender) $(child_of_run postern)"
kill -TERM "$RUN_PID"
wait "$RUN_PID"
check "SIGTERM ends it well" test $? = 0
all_gone() { for p in $pids; do gone "$p" || return 1; done; }
check "its children end with it" wait_for 10 all_gone
check "and no socket is left" not test -e "$LAB/run"
check_says "the manager was told" "^STOPPING=1" cat "$LAB/words"
lab_summary
