# SPDX-License-Identifier: ISC
# net.fake-ip (Qubes' integration tests 200, 202, 203): a client that is told another address than
# the one that the toolstack, its rules and the uplink know.
. ./lib.sh
. ./net.sh

lab_start || fail "the lab stands"
check "the client pings under its own address" until_ok pings c1 192.0.2.1

in_ns c1 ip addr flush dev eth0
in_ns c1 ip addr add 192.168.1.128/32 dev eth0
in_ns c1 ip route replace 192.168.1.1 dev eth0
in_ns c1 ip route replace default via 192.168.1.1
refuse "under another one it spoofs" pings c1 192.0.2.1
tell write /mapped-ip/10.138.0.5/visible-ip 192.168.1.128
tell write /mapped-ip/10.138.0.5/visible-gateway 192.168.1.1
check "unless it was told that one" until_ok pings c1 192.0.2.1

mkdir -p /run/www
dd if=/dev/urandom of=/run/www/blob bs=64k count=8 2>/dev/null
in_ns up httpd -p 192.0.2.1:80 -h /run/www
check "TCP passes" in_ns c1 timeout 20 wget -q -O /run/blob http://192.0.2.1/blob
check "every byte of it" cmp /run/www/blob /run/blob
rules_set 10.138.0.5 'action=accept proto=icmp'
check "rules are the real address's: ping" pings c1 192.0.2.1
refused() { in_ns c1 nc -w 3 "$1" "$2" </dev/null 2>&1 | grep -qi "$3"; }
check "and no TCP, with an error that it takes for its own" refused 192.0.2.1 80 'no route'
check "prohibited by the rules, on the wire" icmp c1 tcp 192.0.2.1 80 '3/13 '
explain() { qrx "$domid" "user:QUBESRPC postern.Explain+$1 dom0" </dev/null; }
says_drop() { explain "10.138.0.5+tcp+10.138.0.5+40000+192.0.2.1+80" | grep -q '"verdict":"drop"'; }
check "postern.Explain says the same" says_drop
refuse "and that a question makes no sense" explain carrots
refuse "no ping to another client" pings c1 10.138.0.9
lab_end
finish
