#!/bin/sh
# SPDX-License-Identifier: ISC
# How the tender spends its CPU: nothing when nothing comes, no exit for every packet, and only
# on the CPUs it was given.
#
#   lab.sh's topology; c1 streams datagrams to a server in up that does not answer
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

MODE=${MODE:-spt}
PACKETS=2000
IDLE_S=2
EXITS_MAX=500 # for 1000 packets

first_cpu=$(python3 -c 'import os; print(min(os.sched_getaffinity(0)))')
last_cpu=$(python3 -c 'import os; print(max(os.sched_getaffinity(0)))')

ticks() { # of CPU that the tender has used, all threads
	sed 's/.*) //' "/proc/$TENDER_PID/stat" | awk '{print $12 + $13}'
}

idle() { # less than a twentieth of one CPU
	before=$(ticks)
	sleep "$IDLE_S"
	after=$(ticks)
	echo "$((after - before)) ticks in $IDLE_S s, of $(getconf CLK_TCK) a second"
	[ $(((after - before) * 20)) -lt $((IDLE_S * $(getconf CLK_TCK))) ]
}

exits() { "$POSTERN" status -j | number_of exits; }

up_tx() { ip netns exec "$NS_UP" cat /sys/class/net/up0/statistics/rx_packets; }
up_tx_past() { [ "$(up_tx)" -ge "$1" ]; }

sink() {
	background "$LAB/sink.log" ip netns exec "$NS_UP" python3 -c '
import signal, socket
s = socket.socket(type=socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 7000))
print("ready", flush=True)
signal.pause()'
	wait_for 5 has_line "$LAB/sink.log" ready
}

stream() { # datagrams, as fast as the sender can
	in_ns c1 python3 -c '
import socket, sys
s = socket.socket(type=socket.SOCK_DGRAM)
s.connect((sys.argv[1], 7000))
for i in range(int(sys.argv[2])):
    s.send(b"%6d" % i)' "$SERVER" "$1"
}

passes() {
	was=$(up_tx)
	stream 10 && wait_for 5 up_tx_past $((was + 10))
}

threads_on() { # the CPU of the first thread, and of the second
	for t in "/proc/$TENDER_PID/task"/*; do
		on=$(awk '/^Cpus_allowed_list/ {print $2}' "$t/status")
		echo "$t $on"
		want=$2
		[ "${t##*/}" != "$TENDER_PID" ] || want=$1
		[ "$on" = "$want" ] || return 1
	done
}

all_confined() { # every thread of every process: the filter, no capability, no way to new ones
	for p in $(tender_pids); do
		for t in "/proc/$p/task"/*; do
			echo "$t"
			grep -E '^(Seccomp|CapEff|CapPrm|CapBnd|NoNewPrivs):' "$t/status" | tr -s '\t\n' '  '
			for line in 'Seccomp:.2' 'CapEff:.0+' 'CapPrm:.0+' 'CapBnd:.0+' 'NoNewPrivs:.1'; do
				grep -qE "^$line\$" "$t/status" || return 1
			done
		done
	done
}

refuses_cpu() {
	"$O/postern-tender" --image "$O/postern.elf" --mode "$MODE" --cpus 1023
	[ $? = 1 ]
}

lab_up "$MODE"
check "nothing comes, nothing is done" wait_for 20 idle
check "all of its threads are confined" all_confined
sink
echo "accept" | rules_set "$C1"
check "packets pass" passes

was=$(up_tx)
exits_before=$(exits)
stream $PACKETS
check "a stream of $PACKETS passes" wait_for 20 up_tx_past $((was + PACKETS))
per_1000=$((($(exits) - exits_before) * 1000 / PACKETS))
[ "$MODE" = spt ] || echo "  $per_1000 exits for 1000 packets"
check "and no packet has an exit of its own" [ "$per_1000" -lt "$EXITS_MAX" ]
check_says "the status says so" '"exits_per_1000_packets": ?[0-9]' "$POSTERN" status -j
check "after it nothing is done again" wait_for 20 idle

stop "$TENDER_PID"
# shellcheck disable=SC2034
LAB_TENDER_MORE="--cpus $last_cpu,$first_cpu"
handled_before=$(handled "$C1")
check "it starts on the CPUs it is given" lab_tender
check "its threads are there and nowhere else" threads_on "$last_cpu" "$first_cpu"
wait_for 5 handled_past "$C1" "$handled_before"
check "and packets pass" passes
check_says "a CPU that is not there is refused, and the reason said" 'cpus' refuses_cpu
lab_summary
