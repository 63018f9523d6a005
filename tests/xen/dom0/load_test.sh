# SPDX-License-Identifier: ISC
# As full as it gets: 64 clients, 60 000 flows that are all answered, a thousand rules for each of
# eight clients, in 32 MiB; the same at a tenth; then as many clients as there may be. They are vifs.c's.
. ./lib.sh
. ./net.sh

RULED=8
echo 12000 >/sys/module/xen_gntalloc/parameters/limit # pages that vifs may lend; the kernel's own limit is 1024

client_rules() { # address, number of rules: only the last one admits what the client does
	awk -v ip="$1" -v n="$2" 'BEGIN {
		print "write /qubes-firewall/" ip "/policy drop"
		for (i = 0; i < n - 1; i++)
			printf "write /qubes-firewall/%s/%04d action=accept dst4=198.18.%d.%d/32 proto=tcp dstports=%d-%d\n",
				ip, i, i / 250, i % 250, 1 + i, 1000 + i
		printf "write /qubes-firewall/%s/%04d action=accept\n", ip, n - 1
		print "write /qubes-firewall/" ip
	}'
}

dropped() { # the drops that a full table, or memory that is short, would be counted under
	guest_status | grep '"type":"drop"' | grep -E '"(flow-full|flow-share|nat-ports|no-buffer|tx-full)"'
}

vifs_say() { grep -q "$1" /run/vifs.log; }
vifs_say_or_end() { vifs_say "$1" || ! kill -0 "$vifs" 2>/dev/null; }

load() { # MiB, clients, flows, rules of each of the first eight clients
	GUEST_MIB=$1
	connected_ips="$(i=1; while [ $i -le "$2" ]; do echo "10.139.0.$i"; i=$((i + 1)); done)"
	rm -f /run/rules /run/vifs /run/vifs.log
	for ip in $connected_ips; do
		i=${ip##*.}
		if [ "$i" -le $RULED ]; then client_rules "$ip" "$4"; else client_rules "$ip" 1; fi
	done >/run/rules
	lab_rules=/run/rules
	lab_start || fail "the lab stands"
	until_ok pings c1 192.0.2.1
	until_ok handled_more "10.139.0.$2" 0
	held_before=$(held)
	in_ns up reflect 192.0.2.1 7000 &
	reflect=$!
	mkfifo /run/vifs
	vifs "$domid" load "$2" "$3" 192.0.2.1 7000 /run/vifs >/run/vifs.log 2>&1 &
	vifs=$!
	note "rules of $2 clients handled"
	WAIT_S=900 until_ok vifs_say_or_end 'connected in'
	note "$(cat /run/vifs.log)"
	WAIT_S=300 until_ok vifs_say_or_end 'flows opened'
	check "$1 MiB: $2 clients, and $3 flows, each answered" vifs_say "$3 flows opened"
	vifs_say "$3 flows opened" || {
		sed 's/^/NOTE /' /run/vifs.log
		guest_status | grep -v '"type":"\(port\|client\)"'
		kill $vifs $reflect
		fail "goes no further"
		lab_end
		return
	}
	check "all of them in the table" test "$(counter flows)" -ge "$3"
	check "a client beside them pings" pings c1 192.0.2.1
	rules_set 10.138.0.5 'action=accept proto=icmp'
	client_rules 10.139.0.1 "$4" >/run/rules
	handled_before=$(handled 10.139.0.1)
	cat /run/rules >/run/qdb
	check "$4 rules change live" until_ok handled_more 10.139.0.1 "$handled_before"
	echo again >/run/vifs
	WAIT_S=300 until_ok vifs_say_or_end 'answered again'
	check "and all flows stand: each answers again" vifs_say "$3 flows answered again"
	check "in the same $3 flows" test "$(counter flows)" -lt $(($3 + 100))
	refuse "nothing was short: no drop says so" dropped
	check "no frame was wanting" test "$(counter frames_small_wanting) $(counter frames_large_wanting)" = "0 0"
	refuse "no line says so" says fw 'too many\|no room\|not enough'
	note "memory: $(guest_status | grep -o '"[a-z_]*_free":[0-9]*' | tr '\n' ' ')"
	echo end >/run/vifs
	WAIT_S=300 until_ok vifs_say_or_end 'detached'
	check "all go" wait $vifs
	sed '1d; s/^/NOTE /' /run/vifs.log
	check "and leave nothing" until_ok held_is "$held_before"
	kill $reflect
	refuse "did not crash" says fw panic
	lab_end
}

load "${LOAD_MIB:-32}" "${LOAD_CLIENTS:-64}" "${LOAD_FLOWS:-60000}" 1000
load 16 6 6000 100
# with xenstored's own limit about 70 find room; the others wait, which netback says
check "xenstored's quota is raised" vifs 0 quota 20000
load 64 250 6000 4
finish
