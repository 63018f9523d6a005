#!/bin/sh
# SPDX-License-Identifier: ISC
# Names in rules, resolved by the appliance itself from real name servers beyond its uplink.
# Topology: lab.sh; in the namespace up, on lo:
#   192.0.2.53, .54, .55   name servers, as each test starts them
#   192.0.2.10, .20, .21   web servers that the names lead to
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"

DNS=192.0.2.53
DNS2=192.0.2.54
LIAR=192.0.2.55
A=192.0.2.20
B=192.0.2.21

set_dns() { "$POSTERN" store write /qubes-primary-dns "$1" /qubes-secondary-dns "${2:-$1}"; }

# The records are read again by dns_reload; an answer is good for LAB_TTL seconds.
dns_start() { # address
	background "$LAB/dns-$1.log" ip netns exec "$NS_UP" dnsmasq --keep-in-foreground --conf-file=/dev/null \
		--no-resolv --local=/lab/ --no-hosts --addn-hosts="$LAB/hosts" --cname=alias.lab,web.lab --local-ttl="${LAB_TTL:-600}" \
		--listen-address="$1" --bind-interfaces --user=root --pid-file= --log-queries --log-facility=-
	DNS_PID=$pid
	wait_for 5 has_line "$LAB/dns-$1.log" "started"
}
dns_reload() { kill -HUP "$DNS_PID"; }

hosts() { # pairs of ADDRESS NAME; every other name is refused as unknown
	: >"$LAB/hosts.new"
	while [ $# -gt 0 ]; do
		echo "$1 $2" >>"$LAB/hosts.new"
		shift 2
	done
	mv "$LAB/hosts.new" "$LAB/hosts"
}

name_is() { # name, a pattern for what follows it in its line of the table
	"$POSTERN" names | grep -qE "^$1 +$2"
}
becomes() { # the same, asking for it again and again
	"$POSTERN" names --refresh >/dev/null
	name_is "$@"
}
store_has() { "$POSTERN" store read "$1" | grep -qE "$2"; }
generation() { "$POSTERN" status -j | python3 -c '
import json, sys
print(*[c["generation"] for c in json.load(sys.stdin)["clients"] if c["ip"] == sys.argv[1]])' "$1"; }

test_unresolved() {
	set_dns "$DNS"
	check "rules with names are accepted" rules_set "$C1" <<-END
		accept web.lab tcp 80
		accept nowhere.lab tcp 80
		accept $SERVER tcp 81
		drop
	END
	check "and for the other client" rules_set "$C2" <<-END
		drop web.lab tcp 81
		accept
	END
	check "without a server the name is not resolved" wait_for 20 name_is web.lab "unresolved +- .*no server answers"
	check_says "what accepts it permits nothing" "^error EHOSTUNREACH" peer c1 tcp "$A" 80
	check_says "a rule beside it works" "^ok $FW" peer c1 tcp "$SERVER" 81
	check_says "what drops it forbids everything" "^error EHOSTUNREACH" peer c2 tcp "$SERVER" 81
	check_says "and nothing else" "^ok $FW" peer c2 tcp "$A" 80
	check "the log says so" has_line "$LAB/tender.log" "name web.lab: no server answers: until it is resolved"
}

test_resolved() {
	hosts "$A" web.lab
	check "a name server starts" dns_start "$DNS"
	check "the name is resolved" wait_for 20 becomes web.lab "resolved +$A "
	check_says "its address may pass" "^ok $FW" peer c1 tcp "$A" 80
	check_says "another may not" "^error EHOSTUNREACH" peer c1 tcp "$B" 80
	check_says "the drop rule lets others pass" "^ok $FW" peer c2 tcp "$SERVER" 81
	check_says "but not the name" "^error EHOSTUNREACH" peer c2 tcp "$A" 81
	check "a name that is not there is told apart" wait_for 10 name_is nowhere.lab "unresolved .*no such name"
	check_says "explain says the name" "HIT +action=accept dsthost=web.lab" \
		"$POSTERN" explain "$C1" tcp "$C1" 40000 "$A" 80
	check "the store is told" wait_for 5 store_has "/dns/$C1/web.lab" "\{.$A/32.\}"
	check_says "the JSON has the addresses" "\"$A\"" "$POSTERN" names -j
}

test_change() {
	background_peer "$LAB/hold-a.log" c1 hold "$A" 80 "$LAB/hold-a"
	background_peer "$LAB/hold-s.log" c1 hold "$SERVER" 81 "$LAB/hold-s"
	check "a connection by name is busy" counts_up "$LAB/hold-a"
	check "one by address too" counts_up "$LAB/hold-s"
	before=$(generation "$C1")
	check "asked again, with the same answer" wait_for 10 becomes web.lab "resolved +$A +0 "
	check "the rules are the same as before" test "$(generation "$C1")" = "$before"
	check "the connection lives" counts_up "$LAB/hold-a"
	hosts "$B" web.lab
	dns_reload
	check "the name moves" wait_for 20 becomes web.lab "resolved +$B "
	check_says "to its new address" "^ok $FW" peer c1 tcp "$B" 80
	check "the connection to the old one is cut" stands_still "$LAB/hold-a"
	check "the other one lives" counts_up "$LAB/hold-s"
	check_says "the old one is refused" "^error EHOSTUNREACH" peer c1 tcp "$A" 80
	hosts "$A" web.lab "$B" web.lab
	dns_reload
	check "a second address comes" wait_for 20 becomes web.lab "resolved +$A,$B "
	check_says "both may pass" "^ok $FW" peer c1 tcp "$A" 80
	check_says "the one and the other" "^ok $FW" peer c1 tcp "$B" 80
	check "and the store is told of both" wait_for 5 store_has "/dns/$C1/web.lab" "$A/32., .$B/32"
	check "the generation is another" test "$(generation "$C1")" -gt "$before"
}

test_alias() {
	check "rules with other names are accepted" rules_set "$C1" <<-END
		accept alias.lab tcp 80
		accept many.lab tcp 81
	END
	check "the alias leads to the addresses" wait_for 10 name_is alias.lab "resolved +$A,$B "
	check_says "that may pass" "^ok $FW" peer c1 tcp "$B" 80
	check "names that no rule has are forgotten" not name_is nowhere.lab unresolved
	# shellcheck disable=SC2046
	hosts $(seq -f "192.0.2.%g many.lab" 10 60) "$A" web.lab
	dns_reload
	check "an answer that is cut short is taken as far as it goes" wait_for 20 becomes many.lab "resolved +192.0.2."
	check_says "with the most addresses there are" '"192.0.2.[0-9]+"(, *"192.0.2.[0-9]+"){15} *\]' \
		sh -c "'$POSTERN' names -j | tr -d '\n' | tr -s ' '"
}

test_servers() {
	rules_set "$C1" <<-END
		accept web.lab tcp 80
	END
	hosts "$A" web.lab
	dns_reload
	check "the name is resolved as before" wait_for 20 becomes web.lab "resolved +$A "
	stop "$DNS_PID"
	check "a server that is gone makes it stale" wait_for 20 becomes web.lab "stale +$A .*no server answers"
	check_says "and the last answer holds" "^ok $FW" peer c1 tcp "$A" 80
	hosts "$B" web.lab
	dns_start "$DNS2"
	set_dns "$DNS" "$DNS2"
	check "the second server is asked when the first is silent" wait_for 20 name_is web.lab "resolved +$B "
	check_says "and believed" "^ok $FW" peer c1 tcp "$B" 80
	check "clients ask as before" rules_set "$C2" <<-END
		accept
	END
	check_says "the same server" "web.lab. 0.*$B|Address.*$B|$B" in_ns c2 python3 -c "
import socket, struct
s = socket.socket(type=socket.SOCK_DGRAM)
s.settimeout(5 * $LAB_WAIT)
s.sendto(struct.pack('>6H', 7, 256, 1, 0, 0, 0) + b'\3web\3lab\0\0\1\0\1', ('$DNS2', 53))
print('.'.join(map(str, s.recv(512)[-4:])))"
	stop "$DNS_PID"
}

test_liar() {
	background "$LAB/liar.log" ip netns exec "$NS_UP" python3 "$ROOT/tests/lab/dns_liar.py" "$LIAR" "$B" "$A"
	wait_for 5 has_line "$LAB/liar.log" ready
	rules_set "$C1" <<-END
		accept truth.lab tcp 80
	END
	set_dns "$LIAR"
	check "among lies the truth is found" wait_for 20 becomes truth.lab "resolved +$A "
	check "the lies were told" has_line "$LAB/liar.log" "lied about truth"
	check_says "the true address may pass" "^ok $FW" peer c1 tcp "$A" 80
	check_says "the false one may not" "^error EHOSTUNREACH" peer c1 tcp "$B" 80
	check_says "lies are counted" '"foreign": [1-9]' "$POSTERN" names -j
}

# By itself, without anybody asking for it: 30 seconds is the shortest time to live.
test_ttl() {
	hosts "$A" web.lab
	LAB_TTL=1
	dns_start "$DNS"
	set_dns "$DNS"
	rules_set "$C1" <<-END
		accept web.lab tcp 80
	END
	check "a name with a short time to live" wait_for 20 becomes web.lab "resolved +$A .* 30 "
	hosts "$B" web.lab
	dns_reload
	check "is asked for again in time" wait_for 40 name_is web.lab "resolved +$B "
	check_says "and its rules follow" "^ok $FW" peer c1 tcp "$B" 80
	stop "$DNS_PID"
}

lab_up "${MODE:-spt}"
for address in "$DNS" "$DNS2" "$LIAR" "$A" "$B"; do
	ip -n "$NS_UP" addr add "$address/32" dev lo
done
for address in "$SERVER" "$A" "$B"; do
	background_peer "$LAB/server-$address.log" up serve "$address" 80,81 -
	wait_for 3 has_line "$LAB/server-$address.log" ready
done
test_unresolved
test_resolved
test_change
test_alias
test_servers
test_liar
[ "$LAB_MODE" != spt ] || test_ttl
lab_summary
