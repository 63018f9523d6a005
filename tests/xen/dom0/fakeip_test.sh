# SPDX-License-Identifier: ISC
# net.fake-ip (Qubes' integration tests 200 to 204): a client, and the firewall itself, that are told other
# addresses than those that the toolstack, rules and the other side know.
. ./lib.sh
. ./net.sh

lab_start || fail "the lab stands"
names_start
check "the client pings under its own address" until_ok pings c1 192.0.2.1

in_ns c1 ip addr flush dev eth0
in_ns c1 ip addr add 192.168.1.128/32 dev eth0
in_ns c1 ip route replace 192.168.1.1 dev eth0
in_ns c1 ip route replace default via 192.168.1.1
refuse "under another one it spoofs" pings c1 192.0.2.1
tell write /mapped-ip/10.138.0.5/visible-ip 192.168.1.128
tell write /mapped-ip/10.138.0.5/visible-gateway 192.168.1.1
check "200 unless it was told that one" until_ok pings c1 192.0.2.1
check "200 and has names" named a
check "200 its gateway answers by the address that it was told" pings c1 192.168.1.1
check "200 and asked for it on the link" in_ns c1 arping -c 1 -w 2 -I eth0 192.168.1.1
check "200 and refuses what is not for it" icmp c1 udp 192.168.1.1 1234 '3/10 from 192.168.1.1 '

mkdir -p /run/www
dd if=/dev/urandom of=/run/www/blob bs=64k count=8 2>/dev/null
in_ns up httpd -p 192.0.2.1:80 -h /run/www
check "TCP passes" in_ns c1 timeout 20 wget -q -O /run/blob http://192.0.2.1/blob
check "every byte of it" cmp /run/www/blob /run/blob
rules_set 10.138.0.5 'action=accept proto=icmp'
check "202 rules are the real address's: ping" pings c1 192.0.2.1
refused() { in_ns c1 nc -w 3 "$1" "$2" </dev/null 2>&1 | grep -qi "$3"; }
check "and no TCP, with an error that it takes for its own" refused 192.0.2.1 80 'no route'
check "prohibited by the rules, says the gateway that it was told of" icmp c1 tcp 192.0.2.1 80 '3/13 from 192.168.1.1 '
explain() { qrx "$domid" "user:QUBESRPC postern.Explain+$1 dom0" </dev/null; }
says_drop() { explain "10.138.0.5+tcp+10.138.0.5+40000+192.0.2.1+80" | grep -q '"verdict":"drop"'; }
check "postern.Explain says the same" says_drop
refuse "and that a question makes no sense" explain carrots
refuse "203 no ping to another client" pings c1 10.138.0.9
refuse "203 nor from one" pings c2 10.138.0.5
tell write /postern/between/0000 action=accept src4=10.138.0.9 dst4=10.138.0.5 proto=icmp
tell write /postern/between
check "203 but where a rule allows it, by the real address" until_ok pings c2 10.138.0.5
refuse "203 and not by the visible one" pings c2 192.168.1.128

# --- 201: an address of its own, and the gateway that is so ------------------------------------------------
tell write /mapped-ip/10.138.0.5/visible-gateway 10.138.0.1
in_ns c1 ip route replace 10.138.0.1 dev eth0
in_ns c1 ip route replace default via 10.138.0.1
in_ns c1 ip route del 192.168.1.1 dev eth0
rules_set 10.138.0.5 'action=accept proto=icmp' 'action=accept specialtarget=dns'
check "201 ping" until_ok pings c1 192.0.2.1
check "201 names" named b
check "201 its gateway answers by its own" pings c1 10.138.0.1

# --- 204: the firewall is told another address and gateway, by a netvm that hides its own ---------------------
# Its clients' gateway is what it sees of itself (qubes.md 2.1); dom0's end has both addresses, as that netvm's NAT has.
in_ns up ip addr add 192.168.1.1/32 dev "vif$domid.0"
in_ns up ip addr del 10.137.0.1/32 dev "vif$domid.0"
in_ns up ip route replace 192.168.1.128 dev "vif$domid.0"
in_ns up ip route del 10.137.0.6 dev "vif$domid.0"
tell write /mapped-ip/10.138.0.9/visible-ip 10.138.0.9
tell write /mapped-ip/10.138.0.9/visible-gateway 192.168.1.128
tell write /qubes-ip 192.168.1.128
tell write /qubes-netmask 255.255.255.0
tell write /qubes-gateway 192.168.1.1
tell write /qubes-netvm-gateway 192.168.1.128
in_ns c2 ip route replace 192.168.1.128 dev eth0
in_ns c2 ip route replace default via 192.168.1.128
check "204 a client pings" until_ok pings c2 192.0.2.1
check "204 and has names" until_ok named_of c2 c
check "204 its gateway answers" pings c2 192.168.1.128
rules_set 10.138.0.9 'action=accept dsthost=d.example.com'
check "204 so has the firewall: a rule with one" until_ok pings c2 192.0.2.1
check "204 by the visible address" sh -c "[ -n \"\$(nsenter --net=/proc/$ns_up/ns/net ip neigh show 192.168.1.128)\" ]"
refuse "did not crash" says fw panic
kill "$names"
lab_end
finish
