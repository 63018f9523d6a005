#!/bin/sh
# SPDX-License-Identifier: ISC
# Every lab test, the ones with real packets in both modes; ends with a count.
#   O=build tests/lab/run.sh [NAME...]     only the scripts whose names are given
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
O=${O:-build}
case $O in /*) ;; *) O=$ROOT/$O ;; esac
export O
HERE=$ROOT/tests/lab
LAB_ID=postern-$$
export LAB_ID
wanted=" $* "
passed=0
failed=0

asked_for() { [ "$wanted" = "  " ] || case $wanted in *" $1 "*) true ;; *) false ;; esac; }

run() { # the script's name, then how it is run
	script=$1
	shift
	asked_for "$script" || return 0
	[ -e "$HERE/$script" ] || return 0
	begun=$(date +%s)
	if "$@"; then passed=$((passed + 1)); else
		failed=$((failed + 1))
		echo "FAILED: $script ${MODE:-}"
	fi
	if [ -e /run/netns ] && ip netns list | grep -q "^$LAB_ID-"; then
		failed=$((failed + 1))
		echo "FAILED: $script left a namespace behind"
	fi
	[ -z "${V:-}" ] || [ "$V" = 0 ] || echo "  $script took $(($(date +%s) - begun)) s"
}

run store_crash.py python3 "$HERE/store_crash.py" "$O/postern-store"
run store_protocol.py python3 "$HERE/store_protocol.py" "$O/postern-store"
run tender_echo.sh "$HERE/tender_echo.sh"
run latency_test.sh "$HERE/latency_test.sh"
run latency_inside_test.sh env MODE=spt "$HERE/latency_inside_test.sh"
run latency_through_test.sh env MODE=spt "$HERE/latency_through_test.sh"
run load_test.sh env MODE=spt "$HERE/load_test.sh"
run storm_test.sh env MODE=spt "$HERE/storm_test.sh"
# what the core alone decides is the same in both modes, and takes minutes where the guest is emulated
run hits_test.sh env MODE=spt "$HERE/hits_test.sh"
run temporary_test.sh env MODE=spt "$HERE/temporary_test.sh"
run cross_test.sh env MODE=spt "$HERE/cross_test.sh"

modes='spt hvt'
if [ ! -e /dev/kvm ]; then
	modes='spt'
	echo "  SKIPPED hvt: this machine has no /dev/kvm"
fi
# tests/xen and the packages for dom0 hold theirs to the same
echo "  the image in$(for MODE in $modes; do printf ' %s' "$MODE"; done): sha256 $(sha256sum "$O/postern.elf" | cut -d' ' -f1)"
for MODE in $modes; do
	export MODE
	for script in firewall_test.sh rules_test.sh attach_test.sh offload_test.sh \
		store_restart_test.sh confirm_test.sh fakeip_test.sh sched_test.sh \
		portkinds_test.sh names_test.sh look_test.sh watch_test.sh run_test.sh; do
		run $script "$HERE/$script"
	done
done
echo "lab: $passed scripts passed, $failed failed"
[ "$failed" = 0 ]
