# SPDX-License-Identifier: ISC
# The guest comes up, sleeps when there is nothing to do, and does so in any size of memory.
. ./lib.sh

guest_start fw || fail "created"
guest_run fw
before=$(cut -d' ' -f1 /proc/uptime)
until_ok says fw 'postern starts' || fail "says that it starts"
note "first console line $(cut -d" " -f1 /proc/uptime) s, unpaused at $before s"
until_ok says fw 'postern on xen'
check "says how many flows it has room for" says fw 'room for [1-9][0-9]* flows'
cpu=$(cpu_s fw)
sleep 2
check "sleeps while nothing happens: $cpu s, then $(cpu_s fw) s" awk -v a="$cpu" -v b="$(cpu_s fw)" 'BEGIN {exit !(b > 0 && b - a < 0.5)}'
refuse "did not crash" says fw panic
guest_end fw

GUEST_MIB=16 guest_start small && guest_run small
until_ok says small 'postern on xen'
check "runs in 16 MiB" says small 'postern on xen'
guest_end small
GUEST_MIB=301 guest_start large && guest_run large
until_ok says large 'postern on xen'
check "and in 301" says large 'room for [1-9][0-9]\{5,\} flows'
guest_end large
finish
