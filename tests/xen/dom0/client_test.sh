# SPDX-License-Identifier: ISC
# A client whose network device is dom0's netfront:
#
#   netns cl: eth0 10.138.0.5 --- [postern: 10.138.0.1]
. ./lib.sh

guest_start fw || fail "created"
guest_run fw
until_ok says fw 'postern on xen'
netns_add cl
check "attaches a client" xl network-attach 0 backend=fw ip=10.138.0.5 mac=00:16:3e:5e:6c:05 script=vif-none
check "says so" until_ok says fw 'client port 1 .* 10.138.0.5: attached'
until_ok sh -c 'ls -d /sys/class/net/eth0'
ip link set eth0 netns $ns_cl
in_ns cl ip addr add 10.138.0.5/32 dev eth0
in_ns cl ip link set eth0 up
in_ns cl ip route add 10.138.0.1 dev eth0
check "the link comes up" until_ok in_ns cl sh -c '[ $(cat /sys/class/net/eth0/carrier 2>/dev/null || ip link show eth0 | grep -c LOWER_UP) = 1 ]'
check "is answered when it asks for an address" until_ok in_ns cl arping -c 1 -w 1 -I eth0 10.138.0.1
# Its number, for xl counts on from devices whose guests were ended under them.
number=$(sed -n 's/.*client port 1 vif0\.\([0-9]*\) .*/\1/p' "$(console fw)" | tail -n 1)
check "detaches it, device $number" xl network-detach 0 "$number"
check "says so too" until_ok says fw 'client port 1.*: detached'

# Two of one address, but not of one MAC: the second waits until the first is gone.
a=/local/domain/0/device/vif/41 b=/local/domain/0/device/vif/42
vifs "$domid" make 41 10.138.0.7 $a
check "one has an address" until_ok says fw 'vif0.41 10.138.0.7: attached'
vifs "$domid" make 42 10.138.0.7 $b
check "a second one is refused" until_ok says fw 'vif0.42 10.138.0.7: refused'
vifs "$domid" drop 41 $a
check "and has it when the first is gone" until_ok says fw 'vif0.42 10.138.0.7: attached'
vifs "$domid" drop 42 $b
check "till it goes" until_ok sh -c "[ \$(grep -c ': detached' $(console fw)) -ge 3 ]"
guest_end fw
finish
