# SPDX-License-Identifier: ISC
# Every protection of the guest's address space, broken on purpose by a guest made for it (fault_main.c).
. ./lib.sh

KERNEL=fault.elf
GUEST_MIB=16
crashed() { xl list | awk -v n="$1" '$1 == n && $5 ~ /c/ {found = 1} END {exit !found}'; }

fault() { # data/fault, what the console says, what that shows
	guest_start fault || { fail "created"; return; }
	xenstore-write "/local/domain/$domid/data/fault" "$1"
	guest_run fault
	check "$3: crashes" until_ok crashed fault
	check "$3: is said" until_ok says fault "panic: $2"
	refuse "$3: nothing else" says fault 'NOTHING HAPPENED'
	guest_end fault
}

fault t 'exception 14 error 0003 .* address 0000000000200000' "text cannot be written"
fault r 'exception 14 error 0003' "nor read-only data"
fault 0 'exception 14 error 0002 .* address 0000000000000010' "nothing lies at 0"
fault d 'exception 14 error 0011' "data cannot be run"
fault a 'exception 14 error 0011' "nor the arena"
fault w 'exception 14 error 0002' "nothing lies before the window"
fault s 'exception 14 error 0002' "a page guards the stack"
fault c 'stack smashed' "a canary guards its frames"
fault i 'exception 6 ' "an instruction that is none"

guest_start fault || fail "created"
xenstore-write "/local/domain/$domid/data/fault" halt
guest_run fault
check "an upcall that comes in front of the halt ends it" until_ok says fault 'NOTHING HAPPENED'
guest_end fault
finish
