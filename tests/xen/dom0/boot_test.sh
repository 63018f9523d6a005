# SPDX-License-Identifier: ISC
# The guest comes up, in its time, serves, sleeps when there is nothing to do, and does so in any
# size of memory and with any command line.
. ./lib.sh
. ./net.sh

# --- how long until (the bar: first line 0.5 s, store and first client 2 s from unpause) ----------
first_answer() { # is a ping of c1 answered? Asks ten times a second.
	in_ns c1 ping -c 50 -i 0.1 -W 1 192.0.2.1 2>/dev/null | grep -q -m 1 'bytes from'
}
took() { awk -v from="$from" -v now="$1" 'BEGIN {printf "%.2f s", now - from}'; }
netns_add up
netns_add c1
in_ns up ip addr add 192.0.2.1/32 dev lo
guest_start fw "$uplink_config" || fail "created"
store_start
rules_write 10.138.0.5 action=accept
(until says fw 'postern starts' 2>/dev/null; do sleep 0.02; done; now_s >/run/first) &
(until grep -q '^guest write /qubes-firewall-handled' /run/qdb.log; do sleep 0.02; done; now_s >/run/synced) &
xl unpause fw
from=$(now_s) # xl itself takes as long as the guest's whole boot
vifs "$domid" make 40 10.138.0.5 $handmade
uplink_take
client_take c1 10.138.0.5
check "serves a client" until_ok first_answer
served=$(now_s)
until_ok test -s /run/first
until_ok test -s /run/synced
note "from unpause: first console line $(took "$(cat /run/first)"), rules in force $(took "$(cat /run/synced)")," \
	"first client served $(took "$served")"
check "says how many flows it has room for" says fw 'room for [1-9][0-9]* flows'
cpu=$(cpu_s fw)
sleep 2
check "sleeps while nothing happens: $cpu s, then $(cpu_s fw) s" awk -v a="$cpu" -v b="$(cpu_s fw)" 'BEGIN {exit !(b > 0 && b - a < 0.5)}'
refuse "did not crash" says fw panic
vifs "$domid" drop 40 $handmade
kill $store
guest_end fw

# What a Linux kernel gets of Qubes when the feature no-default-kernelopts is not set.
LINUX_WORDS='root=/dev/mapper/dmroot ro nomodeset console=hvc0 rd_NO_PLYMOUTH rd.plymouth.enable=0'
LINUX_WORDS="$LINUX_WORDS plymouth.enable=0 xen_privcmd.unrestricted swiotlb=2048"
GUEST_MIB=16 guest_start small '' "cmdline = '$LINUX_WORDS'" && guest_run small
until_ok says small 'postern on xen'
check "runs in 16 MiB, with Linux's words on its command line" says small 'postern on xen'
guest_end small
many=$(awk 'BEGIN {for (i = 0; i < 80; i++) printf "--word-%d=%d,[{;} ", i, i}')
GUEST_MIB=301 guest_start large '' "cmdline = '$many'" && guest_run large
until_ok says large 'postern on xen'
check "and in 301, with a thousand bytes of others" says large 'room for [1-9][0-9]\{5,\} flows'
guest_end large
netns_del up
netns_del c1
finish
