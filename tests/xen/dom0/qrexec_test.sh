# SPDX-License-Identifier: ISC
# The qrexec agent (qubes.md 6): services, refusals, one call after another.
. ./lib.sh

call() { # wanted status, command line, then its input
	wanted=$1
	printf '%s' "${3:-}" | qrx "$domid" "$2" >/run/said 2>/run/complained
	status=$?
	[ $status = "$wanted" ] || {
		echo "status $status"
		cat /run/said /run/complained
		return 1
	}
}

guest_start fw && guest_run fw || fail "created"
until_ok says fw 'postern on xen' || fail "runs"
check "asks dom0 to read its feature request" sh -c "qrx $domid trigger | grep -q '^dom0 qubes.FeaturesRequest'"
check "qubes.WaitForSession" call 0 'root:QUBESRPC qubes.WaitForSession none'
check "again, as another user" call 0 'user:nogui:QUBESRPC qubes.WaitForSession dom0'
check "a service that there is not: 127" call 127 'user:QUBESRPC qubes.VMShell dom0'
check "it says so" grep -q 'no such service' /run/complained
check "a plain command: 127" call 127 'user:reboot'
check "qubes.SetDateTime" call 0 'root:QUBESRPC qubes.SetDateTime dom0' '2026-11-21T08:12:54+00:00
'
check "not a date: 1" call 1 'root:QUBESRPC qubes.SetDateTime dom0' 'soon'
check "no uplink: 1" call 1 'root:QUBESRPC qubes.WaitForNetworkUplink dom0'
check "postern.Status" call 0 'user:QUBESRPC postern.Status dom0'
check "is the appliance's account" grep -q '"platform":"xen"' /run/said
check "with the counters of the platform" grep -q '"qrexec_calls":' /run/said
check "whole, without the protocol's end" sh -c '! grep -qv "^{.*}$" /run/said'
check "postern.Flows" call 0 'user:QUBESRPC postern.Flows dom0'
n=0
while [ $n -lt 20 ] && call 0 'root:QUBESRPC qubes.WaitForSession none'; do n=$((n + 1)); done
check "20 more calls leave nothing behind" test $n = 20
refuse "no vchan is advertised to nobody" sh -c "xenstore-ls /local/domain/$domid/data/vchan/0 | grep -v 512 | grep '^[0-9]'"
refuse "did not crash" says fw panic
guest_end fw
finish
