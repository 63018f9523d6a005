# SPDX-License-Identifier: ISC
# Traffic through the firewall under Xen: what its rules say passes and nothing else, while they change.
. ./lib.sh
. ./net.sh
trap "" PIPE # a flow that was cut ends its writer

lab_start || fail "the lab stands"
until_ok pings c1 192.0.2.1
check "ping through NAT" pings c1 192.0.2.1
check "ping through NAT, the other client" until_ok pings c2 192.0.2.1
check "ping to the gateway" pings c1 10.138.0.1

mkdir -p /run/www
dd if=/dev/urandom of=/run/www/blob bs=1M count=4 2>/dev/null
in_ns up httpd -p 192.0.2.1:80 -h /run/www
check "TCP through NAT" in_ns c1 timeout 20 wget -q -O /run/blob http://192.0.2.1/blob
check "every byte of it" cmp /run/www/blob /run/blob

refuse "no ping from client to client" pings c1 10.138.0.9
in_ns c1 ip addr add 10.138.0.9/32 dev eth0
refuse "no ping with another's source address" in_ns c1 ping -I 10.138.0.9 -c 1 -W 2 192.0.2.1
in_ns c1 ip addr del 10.138.0.9/32 dev eth0
check "the rightful one still pings" pings c2 192.0.2.1

# --- rules change while two flows are open (Qubes' integration test 031) ------------------------
serve 1234 /run/got1234
serve 4321 /run/got4321
for port in 1234 4321; do
	rm -f /run/in$port
	mkfifo /run/in$port
	in_ns c1 nc 192.0.2.1 $port </run/in$port >/dev/null 2>&1 &
done
exec 5>/run/in1234 6>/run/in4321
echo one >&5
echo one >&6
check "a flow to 1234" until_ok grep -q one /run/got1234
check "a flow to 4321" until_ok grep -q one /run/got4321
rules_set 10.138.0.5 'action=drop proto=tcp dstports=1234-1234' action=accept
echo two >&5
echo two >&6
check "the second flow survives a rule against the first" until_ok grep -q two /run/got4321
sleep 2
refuse "which is cut" grep -q two /run/got1234
exec 5>&- 6>&-

refused() { in_ns c1 nc -w 3 "$1" "$2" </dev/null 2>&1 | grep -qi "$3"; }
check "a forbidden port is refused, not ignored" refused 192.0.2.1 1234 'no route'
check "by ICMP 3/13, the kernel's kind" icmp c1 tcp 192.0.2.1 1234 '3/13 from 10.13[78].0.[16] ttl 64 tos c0 quotes 60'
check "a port of the firewall itself too" refused 10.138.0.1 22 'no route'
check "by 3/10, another one" icmp c1 tcp 10.138.0.1 22 '3/10 from 10.138.0.1 ttl 64 tos c0 quotes 60'
check "datagrams to it too" icmp c1 udp 10.138.0.1 53 '3/10 from 10.138.0.1 '
check "but to a DHCP client's port: silence" icmp c1 udp 10.138.0.1 68 nothing

rules_set 10.138.0.5 'action=accept proto=icmp'
check "only ICMP: ping" pings c1 192.0.2.1
refuse "only ICMP: no TCP" in_ns c1 timeout 4 wget -q -O /run/blob http://192.0.2.1/blob
rules_set 10.138.0.5 'action=accept dst4=192.0.2.1/32 proto=tcp dstports=80-80'
refuse "only TCP to 80: no ping" pings c1 192.0.2.1
check "only TCP to 80: TCP" in_ns c1 timeout 20 wget -q -O /run/blob http://192.0.2.1/blob
rules_set 10.138.0.5
refuse "nothing: no ping" pings c1 192.0.2.1
check "the other client is not concerned" pings c2 192.0.2.1

# --- bad rules, each with its log line (the flood of lines itself: tests/unit/test_xen_console.c) ---
n=0
while [ $n -lt 10 ]; do
	rules_set 10.138.0.5 action=nonsense
	n=$((n + 1))
done
check "the other client pings while rules fail" pings c2 192.0.2.1
refuse "the one they are of does not" pings c1 192.0.2.1
rules_set 10.138.0.5 action=accept
check "until it has good ones" pings c1 192.0.2.1

refuse "did not crash" says fw panic
refuse "did nothing that would end the genuine daemon" grep VIOLATION /run/qdb.log
lab_end
finish
