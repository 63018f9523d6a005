# SPDX-License-Identifier: ISC
# A pause, a suspend that is resumed in place, and one that is restored in another domain. Beside
# it all an open connection, which outlives everything but the last.
. ./lib.sh
. ./net.sh
trap "" PIPE # a flow that ends its writer

hears() { # a word that c1 says on its open connection
	echo "$1" >&5
	until_ok grep -q "^$1\$" /run/got1234
}
# A checkpoint: the guest suspends, its memory is written out, and it goes on where it was.
checkpoint() { xl save -c fw /run/fw.save && rm -f /run/fw.save; }

lab_start || fail "the lab stands"
until_ok pings c1 192.0.2.1
serve 1234 /run/got1234
rm -f /run/in1234
mkfifo /run/in1234
in_ns c1 nc 192.0.2.1 1234 </run/in1234 >/dev/null 2>&1 &
exec 5>/run/in1234
check "a connection" hears one

xl pause fw
refuse "paused, it passes nothing" pings c1 192.0.2.1
xl unpause fw
check "unpaused, it goes on: ping" until_ok pings c1 192.0.2.1
check "and the connection" hears two

check "a suspend is offered" test "$(xenstore-read "/local/domain/$domid/control/feature-suspend")" = 1
held_before=$(held)
for round in 1 2; do
	check "it suspends when asked to, and is resumed" checkpoint
	check "says both" until_ok sh -c "[ \$(grep -c 'resumed' $(console fw)) = $round ] && grep -q 'dom0 asks to suspend' $(console fw)"
	check "pings" until_ok pings c1 192.0.2.1
	check "the connection goes on" hears "three$round"
	check "rules change" rules_set 10.138.0.5 action=accept
done
check "nothing was lost or got twice" until_ok held_is "$held_before"
note "held before and after: $held_before, $(held)"
exec 5>&-

# --- another domain: all is new to it but what the store and the toolstack say ----------------------
vifs "$domid" drop 40 $handmade
xl network-detach 0 0 >/dev/null 2>&1
check "it is saved" xl save fw /run/fw.save
kill "$store"
xl restore -p /run/fw.save >/run/restore 2>&1 || { fail "restored"; cat /run/restore; }
rm -f /run/fw.save
old=$domid
domid=$(xl domid fw)
store_start
rules_write 10.138.0.5 'action=accept proto=icmp'
guest_run fw
check "restored as domain $domid, once $old, it begins anew" until_ok says fw 'restored: all begins anew'
uplink_take
client_add_quickly c1 10.138.0.5
check "serves its client again" until_ok pings c1 192.0.2.1
check "by the rules of today" icmp c1 tcp 192.0.2.1 80 3/13
check "suspends and resumes there too" checkpoint
check "and pings" until_ok pings c1 192.0.2.1
refuse "did not crash" says fw panic
refuse "did nothing that would end the genuine daemon" grep VIOLATION /run/qdb.log
lab_end
finish
