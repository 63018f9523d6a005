# SPDX-License-Identifier: ISC
# The guest comes up, in its time, serves, sleeps when there is nothing to do, and does so in any
# size of memory and with any command line.
. ./lib.sh
. ./net.sh

# --- how long until (the bar: first line 0.5 s, store and first client 2 s from unpause) ----------
# The uplink's other end is up before, as sys-net's is; the client is a frontend in a program, so
# that no process of dom0's is counted as the guest's time.
first_said() { sed -n "s/^$1 //p" /run/first; }
since() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f s", b - a}'; }
netns_add up
netns_add c1
in_ns up ip addr add 192.0.2.1/32 dev lo
guest_start fw "$uplink_config" || fail "created"
store_start
rules_write 10.138.0.5 action=accept
uplink_take
sleep 1 # xl still works behind its own return
when "$(console fw)" 'postern starts' >/run/line &
when /run/qdb.log 'guest write /qubes-firewall-handled' >/run/synced &
check "serves a client" vifs "$domid" first 41 10.138.0.5 192.0.2.1
cp /run/check /run/first
unpaused=$(first_said unpaused)
until_ok test -s /run/line
until_ok test -s /run/synced
after() { since "$unpaused" "$1"; }
note "from unpause: first console line $(after "$(cat /run/line)"), rules in force $(after "$(cat /run/synced)")," \
	"first client connected $(after "$(first_said connected)"), served $(after "$(first_said served)")"
from=$(now_s)
vifs "$domid" make 40 10.138.0.5 $handmade
client_take c1 10.138.0.5
check "serves one of dom0's kernel" until_ok pings c1 192.0.2.1
note "the next one, of dom0's kernel, after $(since "$from" "$(now_s)")"
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
