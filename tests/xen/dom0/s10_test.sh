# SPDX-License-Identifier: ISC
# Qubes' own integration tests of a network-providing qube, by their numbers (core-admin
# qubes/tests/integ/network.py), as far as they can be asked of a guest without a shell, and the
# rules that qubes-mirage-firewall's client is tested with. Which of the others is held elsewhere: README.md.
. ./lib.sh
. ./net.sh

reaches() { # port: does a connection of c1 bring a word there?
	: >"/run/got$1"
	echo hello | in_ns c1 timeout 4 nc -w 3 192.0.2.1 "$1" >/dev/null 2>&1
	WAIT_S=3 until_ok grep -q hello "/run/got$1"
}
listen() { # port
	in_ns up nc -ll -p "$1" -e sh -c "cat >>/run/got$1" >/dev/null 2>&1 &
	until_ok in_ns up sh -c "netstat -ltn | grep -q ':$1 '"
}
up_packets() { in_ns up ip -s link show "vif$domid.0" | awk '/RX:/ {getline; print $2}'; }

lab_start || fail "the lab stands"
names_start
check "000 simple: ping by address" until_ok pings c1 192.0.2.1
check "000 simple: and by name" named a

# --- 030: rules, each within the 3 s that Qubes allows; rules_set returns when they are handled ------------
for port in 1234 1235; do listen $port; done
rules_set 10.138.0.5 'action=drop'
refuse "030 drop: no ping" pings c1 192.0.2.1
refuse "030 drop: no TCP" reaches 1234
rules_set 10.138.0.5 'action=accept proto=icmp'
check "030 icmp: ping" pings c1 192.0.2.1
refuse "030 icmp: no names" named b
rules_set 10.138.0.5 'action=accept proto=icmp' 'action=accept specialtarget=dns'
check "030 icmp, dns: names" named c
refuse "030 icmp, dns: no TCP" reaches 1234
rules_set 10.138.0.5 'action=accept dst4=192.0.2.1/32 proto=tcp dstports=1234-1234'
check "030 one port: TCP" reaches 1234
refuse "030 one port: no other" reaches 1235
refuse "030 one port: no ping" pings c1 192.0.2.1
rules_set 10.138.0.5 'action=drop dst4=192.0.2.1/32 proto=tcp dstports=1234-1234' action=accept
refuse "030 all but one: not that one" reaches 1234
check "030 all but one: ping" pings c1 192.0.2.1
check "030 all but one: another" reaches 1235

# --- 040, 050 ---------------------------------------------------------------------------------------------
refuse "040 between clients, one way" pings c1 10.138.0.9
refuse "040 and the other" pings c2 10.138.0.5
in_ns c1 ip addr add 10.137.1.128/32 dev eth0
before=$(up_packets)
refuse "050 a foreign source: no ping" in_ns c1 ping -I 10.137.1.128 -c 3 -i 0.2 -W 1 192.0.2.1
check "050 and not one packet upstream" test "$(up_packets)" = "$before"
in_ns c1 ip addr del 10.137.1.128/32 dev eth0

# --- QMF: its fetchmotron's rules and what must become of each attempt ---------------------------------------
rules_set 10.138.0.5 'action=accept specialtarget=dns' 'action=accept dst4=192.0.2.1/32 proto=udp dstports=1235-1235' \
	'action=accept dst4=192.0.2.1/32 proto=udp dstports=1338-1338' 'action=accept dst4=192.0.2.1/32 proto=tcp dstports=6668-6670' \
	'action=accept dst4=192.0.2.9/32 proto=icmp icmptype=8' 'action=drop dst4=198.51.100.0/24' \
	'action=accept proto=tcp dstports=443-443' 'action=drop'
for port in 443 6668 6670; do listen $port; done
check "QMF: names by the name server" named d
for port in 1235 1338; do
	check "QMF: a datagram to $port passes: the error is the far host's own" icmp c1 udp 192.0.2.1 $port '3/3 from 192.0.2.1 '
done
refuse "QMF: no ping elsewhere" pings c1 192.0.2.1
for port in 53 6667 6671 8082; do
	check "QMF: TCP $port is refused" icmp c1 tcp 192.0.2.1 $port 3/13
done
for port in 6668 6670 443; do check "QMF: TCP $port passes" reaches $port; done
check "QMF: names of another server are refused" icmp c1 udp 192.0.2.1 53 3/13
rules_set 10.138.0.5 action=accept

# --- 010: the way up changes: none, another one, the same one with another address ----------------------------
xl network-detach fw 0 >/dev/null 2>&1
until_ok says fw 'uplink.*: link down'
refuse "010 no netvm: no ping" pings c1 192.0.2.1
tell write /qubes-ip 10.137.0.16
tell write /qubes-gateway 10.137.0.1
xl network-attach fw backend=0 ip=10.137.0.16 mac=00:16:3e:5e:6c:00 script=vif-none >/dev/null
uplink_ip=10.137.0.16
uplink_take
check "010 another netvm and address: ping" until_ok pings c1 192.0.2.1
check "010 and names" until_ok named e
check "010 by the new address" sh -c "in=\$(nsenter --net=/proc/$ns_up/ns/net ip neigh show 10.137.0.16); [ -n \"\$in\" ]"

# --- 001, 111: a client's netvm is taken away and given back -------------------------------------------------
vifs "$domid" drop 40 $handmade
refuse "001 no netvm" pings c1 192.0.2.1
rules_set 10.138.0.5 action=accept
client_add_quickly c1 10.138.0.5
check "111 detached and attached" until_ok pings c1 192.0.2.1

# --- 112, 113, 114: the firewall ends under running clients: shut down, killed, crashed; and is started again --
ends() { # how, then a command
	how=$1
	shift
	check "$how ends" "$@"
	until_ok sh -c "! xl list fw 2>/dev/null | grep -v -- 's---\|-c--' | grep -q ^fw"
	kill "$store" "$names"
	wait "$names" 2>/dev/null
	guest_end fw
	xenstore-rm $handmade # as qubesd does, before the next start
	for client in $(xenstore-list /local/domain/0/device/vif 2>/dev/null); do
		xenstore-rm "/local/domain/0/device/vif/$client"
		! xenstore-exists "/libxl/0/device/vif/$client" || xenstore-rm "/libxl/0/device/vif/$client" # or xl counts on
	done
	until_ok sh -c "! nsenter --net=/proc/$ns_c1/ns/net ip link show eth0"
	guest_start fw "$uplink_config" || fail "$how: started again"
	store_start
	rules_write 10.138.0.5 action=accept
	# 100: the client is there before its firewall runs
	vifs "$domid" make 40 10.138.0.5 $handmade
	guest_run fw
	uplink_take
	client_take c1 10.138.0.5
	names_start
	check "$how: a running client is served again" until_ok pings c1 192.0.2.1
	check "$how: and has names" until_ok named f
}
uplink_ip=10.137.0.6
ends "112 shut down, it" xl shutdown fw
ends "113 killed, it" xl destroy fw
ON_CRASH=destroy ends "114 crashed, it" sh -c "xl trigger fw nmi || xl destroy fw"

# --- 010 again: no netvm and not a word of one when the firewall starts; both come later -------------------------
vifs "$domid" drop 40 $handmade
kill "$store" "$names"
wait "$names" 2>/dev/null
guest_end fw
guest_start fw || fail "010 started without a netvm"
rm -f /run/qdb /run/qdb.log
mkfifo /run/qdb
qdbd "$domid" /run/qdb >/run/qdb.log 2>&1 &
store=$!
tell write /name fw
tell write /qubes-netvm-gateway 10.138.0.1
tell write /connected-ips "10.138.0.5 10.138.0.9"
rules_write 10.138.0.5 action=accept
guest_run fw
client_add_quickly c1 10.138.0.5
check "010 no netvm at the start: a client is served all the same" until_ok pings c1 10.138.0.1
refuse "010 no netvm at the start: no ping beyond" pings c1 192.0.2.1
tell write /qubes-ip 10.137.0.6
tell write /qubes-gateway 10.137.0.1
xl network-attach fw backend=0 ip=10.137.0.6 mac=00:16:3e:5e:6c:00 script=vif-none >/dev/null
uplink_take
check "010 a netvm comes: ping" until_ok pings c1 192.0.2.1

# --- 210: an address of the user's own choice -----------------------------------------------------------------
vifs "$domid" drop 40 $handmade
rules_set 192.168.1.1 action=accept
client_add_quickly c1 192.168.1.1
check "210 a custom address" until_ok pings c1 192.0.2.1
rules_set 192.168.1.1 'action=accept proto=icmp'
refuse "212 with rules" reaches 1234
check "212 of its own" pings c1 192.0.2.1

refuse "did not crash by itself" says fw panic
refuse "did nothing that would end the genuine daemon" grep VIOLATION /run/qdb.log
lab_end
finish
