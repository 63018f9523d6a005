#!/bin/sh
# SPDX-License-Identifier: ISC
# What the appliance measures of itself: every packet once, by client and rule; its stages; its own
# reflector, which answers whom it should and nobody else; rules swept and put back.
#
#   lab.sh's topology; a reflector in up, probes in c1 and c2
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"
MODE=${MODE:-spt}

probe() { # c1|c2, a run, then options
	ns=$1 run=$2
	shift 2
	in_ns "$ns" "$POSTERN" latency probe --quiet -j -o "$run" "$@"
}

count() { # a view, a series: how many packets it has
	"$POSTERN" latency show -j $1 2>/dev/null | python3 -c '
import json, sys
said = sys.stdin.read()
for s in json.loads(said)["series"] if said else []:
    if s["name"].startswith(sys.argv[1]):
        print(s["count"])
        break
else:
    print(0)' "$2"
}

equals() { # what is, what should be
	echo "$1, wanted $2"
	[ "$1" = "$2" ]
}

measures() { # it knows how long a tick is
	[ "$(count '' 'up residence')" -gt 0 ]
}

send() { # client namespace, port, text
	in_ns "$1" bash -c "printf '$3' >/dev/udp/$SERVER/$2"
}

warmed() { # packets go until they are counted: the first second calibrates
	send c1 9 x
	measures
}

reflected() { # how many probes the appliance has answered
	"$POSTERN" latency reflect --appliance state -j | python3 -c 'import json, sys; print(json.load(sys.stdin)["answered"])'
}

lab_up "$MODE"
echo accept | rules_set "$C1"
printf 'accept %s udp 8719\ndrop\n' "$SERVER" | rules_set "$C2"
background "$LAB/reflect.out" ip netns exec "$NS_UP" "$POSTERN" latency reflect
wait_for 10 has_line "$LAB/reflect.out" reflecting
check "it begins to measure by itself" wait_for 10 warmed
check "and forgets" "$POSTERN" latency reset
check "nothing is left" equals "$(count '' 'up residence')" 0

check "one client sends" probe c1 "$LAB/one.run" --rate 200 --duration 1 $SERVER
check "the other sends" probe c2 "$LAB/two.run" --rate 100 --duration 1 $SERVER
for n in 1 2 3 4 5; do send c2 99 x; done
check "every packet of the one is its own" equals "$(count --clients "up residence $C1")" 200
check "and every answer" equals "$(count --clients "down residence $C1")" 200
check "of the other likewise" equals "$(count "--client $C2" "up residence $C2")" 100
check "and what was refused apart" test "$(count --clients "any drop $C2")" -ge 5
check "the rule that let it through has the same" equals "$(count --rules "up residence $C2 rule 0")" 100
check "the rule that refused has the rest" equals "$(count --rules "any drop $C2 rule 1")" 5
check "the whole is the sum" equals "$(count '' 'up residence')" 300
check "every stage has every packet, whatever became of it" test "$(count --stages 'any forward')" -ge 605
check "what the host does is measured" test "$(count --stages 'any host-in')" -ge 605
check "on both sides" test "$(count --stages 'any host-out')" -ge 600
check_says "tables" "$C2 rule 1 .* drop +5 " "$POSTERN" latency show --rules
[ -z "${V:-}" ] || [ "$V" = 0 ] || { sed 's/^/          /' "$LAB/out"; "$POSTERN" latency show --stages; }
check_says "in the order a packet comes by" 'host-in' sh -c "'$POSTERN' latency show --stages | sed -n 2p"
check_says "and as OpenMetrics" "postern_latency_seconds_count.*up residence $C1" "$POSTERN" latency show --clients --openmetrics
check "and drawn" "$POSTERN" latency show --clients --svg "$LAB/clients.svg"
check "which is XML" python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$LAB/clients.svg"
check_says "a stranger is no client" 'no such client' "$POSTERN" latency show --client 192.0.2.99

check_says "the reflector is off" 'port 0' "$POSTERN" latency reflect --appliance state
check_says "and a probe of it says so" 'reflector is off' probe c1 "$LAB/x.run" --reflector appliance --duration 0.1 $SERVER
check "probes to it are not answered" probe c1 "$LAB/off.run" --rate 50 --duration 0.2 $FW:8719
check_says "none" 'no reply' cat "$LAB/off.run"
check "it is switched on" "$POSTERN" latency reflect --appliance 8719
check "link and filter are told apart" probe c1 "$LAB/split.run" --rate 200 --duration 1 --reflector appliance $SERVER
check_says "in the run" '"link_ns":' cat "$LAB/split.run"
check "every probe to it was answered" equals "$(reflected)" 200
check "what is no probe is not" not in_ns c1 timeout 2 bash -c \
	"exec 3<>/dev/udp/$FW/8719; printf 'hello, are you there' >&3; head -c 1 <&3 | grep -q ."
in_ns up timeout 2 bash -c "exec 3<>/dev/udp/$FW/8719; printf 'PLT\\001aaaabbbbbbbb' >&3; head -c 1 <&3" >"$LAB/up.out" 2>/dev/null
check "nor one from the uplink" test ! -s "$LAB/up.out"
check "neither counted" equals "$(reflected)" 200
check "it is switched off" "$POSTERN" latency reflect --appliance off
check_says "what is no port is refused" 'takes a port' "$POSTERN" latency reflect --appliance 70000

"$POSTERN" rules "$C2" >"$LAB/before"
check "rules swept" probe c2 "$LAB/sweep.run" --rate 100 --duration 0.5 --sweep rules=0,50,500 --client "$C2" $SERVER
check_says "each in the run" 'rules=500' cat "$LAB/sweep.run"
check_says "and put back" "$(sed -n 2p "$LAB/before" | tr -s ' ' | cut -c 2-30)" sh -c "'$POSTERN' rules '$C2' | tr -s ' '"

# killed, it cannot put anything back: what it left ends by itself, and nobody goes on probing
background "$LAB/killed.out" ip netns exec "$NS_C2" "$POSTERN" latency probe --quiet --rate 100 --duration 60 \
	--sweep rules=3 --client "$C2" $SERVER
swept() { "$POSTERN" rules "$C2" | grep -q '0003 *action=accept expire='; }
check "rules of a sweep" wait_for 20 swept
prober=$(cat "/proc/$pid/task/$pid/children")
kill -9 "$pid"
check "all of them end" equals "$("$POSTERN" rules "$C2" | grep -c expire=)" 4
check "the prober goes" wait_for 10 gone "${prober:-$$}"
check_says "not before a trial could" ok sh -c "'$POSTERN' rules '$C2' | sed -n 's/.*expire=//p' |
	while read -r end; do [ \$end -gt $(($(date +%s) + 60)) ] && [ \$end -lt $(($(date +%s) + 300)) ] && echo ok; done"
printf 'accept %s udp 8719\ndrop\n' "$SERVER" | rules_set "$C2"

check "measuring is switched off" "$POSTERN" latency off
check "and its memory emptied" "$POSTERN" latency reset
check "packets pass all the same" probe c1 "$LAB/quiet.run" --rate 100 --duration 0.5 $SERVER
check "and nothing is counted" equals "$(count '' 'up residence')" 0
check "on again" "$POSTERN" latency stages
check "it counts again" wait_for 10 warmed
lab_summary
