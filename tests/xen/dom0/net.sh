# SPDX-License-Identifier: ISC
# The firewall between an uplink and clients, dom0 playing both (source lib.sh first):
#
#   netns up: vif 10.137.0.1, lo 192.0.2.1 --- 10.137.0.6 [fw 10.138.0.1] --- 10.138.0.5 eth0, netns c1
#                                                                        \-- 10.138.0.9 eth0, netns c2

tell() { echo "$*" >/run/qdb; } # the QubesDB daemon
handled() { grep -c "guest write /qubes-firewall-handled/$1 " /run/qdb.log; }
handled_more() { [ "$(handled "$1")" -gt "$2" ]; }

rules_write() { # address, then a rule a word
	address=$1
	shift
	tell write "/qubes-firewall/$address/policy" drop
	number=0
	for rule in "$@"; do
		tell write "/qubes-firewall/$address/$(printf %04d $number)" "$rule"
		number=$((number + 1))
	done
	tell write "/qubes-firewall/$address"
}

rules_set() { # the same while it runs: returns when the firewall said that it is done
	before=$(handled "$1")
	tell rm "/qubes-firewall/$1/"
	rules_write "$@"
	until_ok handled_more "$1" "$before" || fail "rules of $1 handled"
}

uplink_config="'backend=0,ip=10.137.0.6,mac=00:16:3e:5e:6c:00,script=vif-none'"

store_start() { # the daemon with what qubesd writes before a start
	rm -f /run/qdb /run/qdb.log
	mkfifo /run/qdb
	qdbd "$domid" /run/qdb >/run/qdb.log 2>&1 &
	store=$!
	tell write /name fw
	tell write /qubes-mac 00:16:3e:5e:6c:00
	tell write /qubes-ip 10.137.0.6
	tell write /qubes-netmask 255.255.255.255
	tell write /qubes-gateway 10.137.0.1
	tell write /qubes-primary-dns 10.139.1.1
	tell write /qubes-netvm-gateway 10.138.0.1
	tell write /connected-ips "10.138.0.5 10.138.0.9"
}

# dom0's end of the uplink goes to netns up, under its own name.
uplink_take() {
	until_ok test -e "/sys/class/net/vif$domid.0" || return 1
	ip link set "vif$domid.0" netns "$ns_up"
	in_ns up ip addr add 10.137.0.1/32 dev "vif$domid.0"
	in_ns up ip link set "vif$domid.0" up
	in_ns up ip route replace "${uplink_ip:-10.137.0.6}" dev "vif$domid.0"
}

client_take() { # netns, address: the newest netfront becomes eth0 there
	until_ok sh -c 'ls /sys/class/net | grep -q ^eth' || return 1
	device=$(ls /sys/class/net | grep ^eth | head -n 1)
	eval "ip link set $device netns \$ns_$1 name eth0"
	in_ns "$1" ip addr add "$2/32" dev eth0
	in_ns "$1" ip link set eth0 up
	in_ns "$1" ip route add 10.138.0.1 dev eth0
	in_ns "$1" ip route add default via 10.138.0.1
}

client_add() { # netns, address, last byte of its MAC
	xl network-attach 0 backend=fw "ip=$2" "mac=00:16:3e:5e:6c:$3" script=vif-none || return 1
	client_take "$1" "$2"
}

# The same by the nodes alone, as libvirt writes them: without xl's second.
handmade=/local/domain/0/device/vif/40
client_add_quickly() { # netns, address
	vifs "$domid" make 40 "$2" $handmade || return 1
	client_take "$1" "$2"
}

lab_start() { # all of the picture, with rules that rules_write gave to the daemon before
	netns_add up
	netns_add c1
	netns_add c2
	in_ns up ip addr add 192.0.2.1/32 dev lo
	guest_start fw "$uplink_config" || return 1
	store_start
	rules_write 10.138.0.5 action=accept
	rules_write 10.138.0.9 action=accept
	[ ! -s "${lab_rules:-}" ] || cat "$lab_rules" >/run/qdb
	guest_run fw
	from=$(now_s)
	client_add_quickly c1 10.138.0.5 || return 1
	uplink_take || return 1
	client_add c2 10.138.0.9 09 || return 1
}

# A name server beyond the uplink, to which every name is 192.0.2.1; leaves its process in $names.
NAMES=10.139.1.1
names_start() {
	in_ns up ip addr replace $NAMES/32 dev lo
	in_ns up reflect $NAMES 53 192.0.2.1 &
	names=$!
}
named() { named_of c1 "$1"; }
named_of() { in_ns "$1" timeout 5 nslookup "$2.example.com" $NAMES 2>/dev/null | grep -q '192.0.2.1$'; }

counter() { guest_status | tr ',{}' '\n\n\n' | sed -n "s/^\"$1\"://p"; }

held() { # all that the guest holds of Xen, as one word
	guest_status | tr ',{}' '\n\n\n' |
		sed -nE 's/^"(grants_given|grants_mapped|channels|watches|pages_free|frames_[a-z]*_free)":/\1=/p' | tr '\n' ' '
}

held_is() { [ "$(held)" = "$1" ]; } # sooner or later: frames may be under way

guest_status() { timeout 10 qrx "$domid" 'root:QUBESRPC postern.Status dom0' </dev/null; }

lab_end() {
	[ $failed = 0 ] || guest_status
	kill "$store" 2>/dev/null
	# while their backend is there to answer: dom0 keeps the devices of one that is not
	! xenstore-exists $handmade || vifs "$domid" drop 40 $handmade
	for client in $(xenstore-list /local/domain/0/device/vif 2>/dev/null); do
		xl network-detach 0 "$client" >/dev/null 2>&1
	done
	guest_end fw
	netns_del up
	netns_del c1
	netns_del c2
}

icmp() { in_ns "$1" refusal "$2" "$3" "$4" | tee /run/icmp | grep -q "^$5"; } # netns, protocol, address, port, what came

pings() { in_ns "$1" ping -c 1 -W 2 "$2"; } # netns, address

serve() { # port, file: netns up keeps what one connection brings in the file
	sleep 1000 | in_ns up nc -l -p "$1" >"$2" 2>/dev/null & # nc ends with its input
	until_ok in_ns up sh -c "netstat -ltn | grep -q ':$1 '"
}
