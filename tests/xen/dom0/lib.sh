# SPDX-License-Identifier: ISC
# For the tests in dom0: `. ./lib.sh`, checks, then `finish`. Functions that wait are generous: this
# is an emulated machine, perhaps on a busy host.
set -u
failed=0
WAIT_S=${WAIT_S:-60} # netback looks at every folder twice in it

now_s() { cut -d' ' -f1 /proc/uptime; }

note() { echo "NOTE $(cut -d' ' -f1 /proc/uptime) $*"; }

pass() { echo "PASS $*"; }

fail() {
	echo "FAIL $*"
	failed=$((failed + 1))
}

check() { # what is so, then the command that says it
	what=$1
	shift
	if "$@" >/run/check 2>&1; then
		pass "$what"
	else
		fail "$what"
		head -n 20 /run/check
	fi
}

refuse() { # what is not so
	what=$1
	shift
	if "$@" >/run/check 2>&1; then
		fail "$what"
		head -n 20 /run/check
	else
		pass "$what"
	fi
}

until_ok() { # a command that will succeed sooner or later
	end=$(($(cut -d. -f1 /proc/uptime) + WAIT_S))
	until "$@" >/dev/null 2>&1; do
		[ "$(cut -d. -f1 /proc/uptime)" -lt $end ] || return 1
		sleep 0.1
	done
}

# --- the guest ---------------------------------------------------------------------------------

console() { echo "/var/log/xen/console/guest-$1.log"; }

says() { grep -q "$2" "$(console "$1")"; } # guest, words of its console

guest_config() { # name, vif list or nothing, more lines
	cat <<END
name = '$1'
kernel = '/test/${KERNEL:-postern.elf}'
type = 'pvh'
memory = ${GUEST_MIB:-32}
vcpus = 1
tsc_mode = 'native'
driver_domain = 1
on_crash = '${ON_CRASH:-preserve}'
vif = [ ${2:-} ]
${3:-}
END
}

guest_start() { # the same; leaves its domain in $domid
	guest_config "$@" >"/run/$1.xl"
	rm -f "$(console "$1")"
	xl create -p "/run/$1.xl" >/run/create 2>&1 || { cat /run/create; return 1; }
	domid=$(xl domid "$1")
}

guest_run() { xl unpause "$1"; }

guest_end() {
	xl destroy "$1" 2>/dev/null
	until_ok sh -c "! xl domid $1"
}

cpu_s() { xl list | awk -v n="$1" '$1 == n {print $6}'; } # seconds it has run

# --- networks in dom0 ---------------------------------------------------------------------------

netns_add() { # name: a namespace held by a sleeping process
	unshare -n sleep 100000 &
	eval "ns_$1=$!"
	until_ok sh -c "[ \$(readlink /proc/$!/ns/net) != \$(readlink /proc/self/ns/net) ]"
	in_ns "$1" ip link set lo up
}

in_ns() { # name, command
	eval "pid=\$ns_$1"
	shift
	nsenter --net="/proc/$pid/ns/net" "$@"
}

netns_del() {
	eval "kill \$ns_$1"
}

finish() {
	if [ $failed -gt 0 ]; then
		for log in /var/log/xen/console/guest-*.log; do
			[ ! -f "$log" ] || sed "s,^,GUEST ," "$log" | tail -n 40
		done
		[ "$(xl list | wc -l)" -le 2 ] || xl list
	fi
	exit $failed
}
