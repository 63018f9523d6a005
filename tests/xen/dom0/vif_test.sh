# SPDX-License-Identifier: ISC
# Network devices that come, go, close, open again and lie; and what a packet costs.
. ./lib.sh
. ./net.sh

transfer() { # netns to take from, netns and address to give: 8 MB by TCP
	in_ns "$2" httpd -p "$3:8080" -h /run/www
	in_ns "$1" timeout 60 wget -q -O /run/blob "http://$3:8080/blob" && cmp /run/www/blob /run/blob
}

lab_start || fail "the lab stands"
until_ok pings c1 192.0.2.1
check "ping through NAT" pings c1 192.0.2.1
mkdir -p /run/www
dd if=/dev/urandom of=/run/www/blob bs=1M count=8 2>/dev/null

check "its status is whole" test "$(guest_status | grep -c platform)" -gt 0
# --- super-frames and hypercalls ---------------------------------------------------------------
costs() { # [what]: a note of what it cost since the last call
	guest_status | tr ',{}' '\n\n\n' |
		sed -nE 's/^"(hypercalls|grant_copy_calls|grant_copies|up_[a-z_]*|vif_[a-z_]*)":([0-9]*)$/\1=\2/p' >/run/now
	if [ $# = 0 ]; then
		mv /run/now /run/then
		return
	fi
	. /run/then
	sent_up=$up_tx
	calls=$hypercalls copies=$grant_copy_calls packets=$((up_rx + vif_rx)) told=$((up_notifies + vif_notifies))
	. /run/now
	calls=$((hypercalls - calls)) copies=$((grant_copy_calls - copies)) packets=$((up_rx + vif_rx - packets))
	told=$((up_notifies + vif_notifies - told))
	note "$1: $calls hypercalls for $packets packets: $copies copies, $told events, the rest sleeps and xenstore's"
}
costs
check "8 MB from the uplink" transfer c1 up 192.0.2.1
costs "8 MB from the uplink"
check "super-frames went through whole" test "$(counter vif_tx_super)" -gt 10
note "super-frames: uplink in $up_rx_super, client out $vif_tx_super; $grant_copies pieces in $grant_copy_calls copies"
serve 9999 /run/uploaded
costs
in_ns c1 timeout 60 nc 192.0.2.1 9999 </run/www/blob >/dev/null 2>&1 &
check "8 MB to the uplink" until_ok cmp /run/www/blob /run/uploaded
costs "8 MB to the uplink"
check "super-frames too" test "$(counter up_tx_super)" -gt 10
costs
check "datagrams by the thousand" in_ns c1 blast 192.0.2.1 9 20000 1000
costs "a burst of datagrams"
# How long such bursts get is the machine's affair, so only their being bursts is judged; not so where 64 are there at once.
check "fewer hypercalls than packets in a burst" test "$calls" -lt "$packets"
rules_set 10.138.0.77 action=accept
mkfifo /run/bursts
vifs "$domid" bursts 100 10.138.0.77 192.0.2.1 </run/bursts >/run/bursts.log &
sender=$!
exec 3>/run/bursts
until_ok grep -q connected /run/bursts.log
until_ok says fw '10.138.0.77: attached'
costs
echo go >&3
check "a hundred times 64 datagrams at once" until_ok grep -q ' 6400 answered' /run/bursts.log
costs "a hundred bursts of 64"
check "less than 0.2 hypercalls a packet" test $((calls * 5)) -lt "$packets"
check "all of them left by the uplink" test $((up_tx - sent_up)) -ge 6400
exec 3>&-
check "their client goes" wait $sender
in_ns c1 httpd -p 10.138.0.5:9000 -h /run/www # nobody may reach it
refuse "nothing comes in by itself" in_ns up timeout 3 wget -q -O /dev/null http://10.138.0.5:9000/blob

# --- the client closes and opens again ------------------------------------------------------------
rings=$(counter grants_mapped)
vif=vif-${handmade##*/} # c1's
for i in 1 2 3; do
	echo "$vif" >/sys/bus/xen/drivers/vif/unbind
	check "it closes" until_ok sh -c "[ \$(grep -c 'client port 1.*: link down' $(console fw)) = $i ]"
	echo "$vif" >/sys/bus/xen/drivers/vif/bind
	client_take c1 10.138.0.5
	check "and opens again" until_ok pings c1 192.0.2.1
done
check "a client that closed and opened again pings" pings c1 192.0.2.1
check "with no more mapped than before" test "$(counter grants_mapped)" = "$rings"

# --- many come and go ----------------------------------------------------------------------------------
connects=$(counter vif_connects)
held_before=$(held)
from=$(cut -d. -f1 /proc/uptime)
check "${CYCLES:-100} clients attached and detached" vifs "$domid" cycle "${CYCLES:-100}" 10.138.0.77
note "in $(($(cut -d. -f1 /proc/uptime) - from)) s"
note "$(($(counter vif_connects) - connects)) of ${CYCLES:-100} connected"
check "grants, channels, watches, pages and frames as before" until_ok held_is "$held_before"
note "held before and after: $held_before, $(held)"
check "nor is one counted" test "$(counter vifs)" = 2

# --- the uplink's backend -----------------------------------------------------------------------------------
check "the uplink is detached" xl network-detach fw 0
until_ok says fw 'uplink.*: link down'
refuse "no ping without one" pings c1 192.0.2.1
check "and attached again" xl network-attach fw backend=0 ip=10.137.0.6 mac=00:16:3e:5e:6c:00 script=vif-none
check "ping by the new one" sh -c ". ./lib.sh; . ./net.sh; domid=$domid ns_up=$ns_up ns_c1=$ns_c1; uplink_take; until_ok pings c1 192.0.2.1"
for i in 1 2; do
	backend="vif-$domid-0"
	until_ok test -e "/sys/bus/xen-backend/drivers/vif/$backend"
	echo "$backend" >/sys/bus/xen-backend/drivers/vif/unbind
	refuse "no ping while it is away" pings c1 192.0.2.1 # xenstore's states do not say so: Linux leaves Connected there
	echo "$backend" >/sys/bus/xen-backend/drivers/vif/bind
	uplink_take
	check "its backend was restarted: ping" until_ok pings c1 192.0.2.1
done
check "8 MB after all that" transfer c1 up 192.0.2.1

# --- a hostile client --------------------------------------------------------------------------------------
# Its folders are made by hand, away from device/vif, where dom0's own netfront would answer too.
back=/local/domain/$domid/backend/vif/0/99
front=/local/domain/0/liar/99
vifs "$domid" make 99 10.138.0.66 $front
broken=$(counter vif_broken)
liar "$domid" "$back" "$front" "${LIAR_S:-15}" >/run/liar &
liar=$!
bad=0
for i in 1 2 3 4 5 6 7 8; do
	in_ns c1 ping -c 1 -W 5 192.0.2.1 >/dev/null 2>&1 || bad=$((bad + 1))
	sleep 1
done
check "a client pings beside a liar" test $bad = 0
check "8 MB beside it" transfer c1 up 192.0.2.1
check "the liar ran its time" wait $liar
note "$(cat /run/liar)"
check "and was shut out" test "$(counter vif_broken)" -gt "$broken"
xenstore-write "$back/online" 0 "$back/state" 5
until_ok sh -c "! xenstore-exists $back"
xenstore-rm /local/domain/0/liar
check "nothing of it is held" test "$(counter grants_mapped)" = "$rings"

refuse "did not crash" says fw panic
lab_end
finish
