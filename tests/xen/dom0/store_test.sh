# SPDX-License-Identifier: ISC
# QubesDB over vchan (qubes.md 1.3, 2.3): the dump, live rules, a daemon that restarts, and the end
# that the toolstack asks for.
. ./lib.sh

tell() { echo "$*" >/run/qdb; } # the daemon
heard() { grep -q "$1" /run/qdb.log; }
heard_times() { [ "$(grep -c "$1" /run/qdb.log)" -ge "$2" ]; }

guest_start fw || fail "created"
rm -f /run/qdb /run/qdb.log
mkfifo /run/qdb
qdbd "$domid" /run/qdb >/run/qdb.log 2>&1 &
daemon=$!
tell write /name fw
tell write /type StandaloneVM
tell write /qubes-ip 10.137.0.6
tell write /qubes-gateway 10.137.0.1
tell write /qubes-netvm-gateway 10.137.0.6
tell write /connected-ips 10.138.0.5 10.138.0.9
tell write /qubes-random-seed QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODkrLw==
for ip in 10.138.0.5 10.138.0.9; do
	tell write /qubes-firewall/$ip/policy drop
	tell write /qubes-firewall/$ip/0000 action=accept proto=tcp dstports=443-443
	tell write /qubes-firewall/$ip/0002 action=accept specialtarget=dns
	tell write /qubes-firewall/$ip
done
from=$(cut -d' ' -f1 /proc/uptime)
guest_run fw
check "connects and asks for the dump" until_ok heard '^dumped 15'
note "dump sent $(cut -d' ' -f1 /proc/uptime) s, unpaused at $from s"
check "counts both clients' rules as handled" until_ok heard 'guest write /qubes-firewall-handled/10.138.0.9 1'
check "the other one too" heard 'guest write /qubes-firewall-handled/10.138.0.5 1'

check "asks for the feature qubes-firewall" until_ok heard 'guest write /features-request/qubes-firewall 1'

tell rm /qubes-firewall/10.138.0.5/
tell write /qubes-firewall/10.138.0.5/policy drop
tell write /qubes-firewall/10.138.0.5/0000 action=nonsense
tell write /qubes-firewall/10.138.0.5
check "acknowledges what is pushed" until_ok heard 'guest ok /qubes-firewall/10.138.0.5/0000'
check "counts a change up" until_ok heard 'guest write /qubes-firewall-handled/10.138.0.5 2'
check "names a bad rule on the console" until_ok says fw nonsense

tell drop
check "connects anew when the daemon restarts" until_ok heard_times '^connected' 2
check "and asks for the dump again" until_ok heard_times '^dumped' 2
tell break
check "leaves a daemon that breaks the protocol" until_ok heard '^closed'
check "connects to it again" until_ok heard_times '^connected' 3
check "and asks for the dump again" until_ok heard_times '^dumped' 3
check "says that once" test "$(grep -c 'not listening until' "$(console fw)")" = 1
kill $daemon
rm -f /run/qdb.log
qdbd "$domid" /run/qdb >/run/qdb.log 2>&1 &
daemon=$!
tell write /name fw
check "and when it is killed and another comes" until_ok heard '^dumped'
refuse "did not crash" says fw panic
refuse "never did what would end the genuine daemon" grep VIOLATION /run/qdb.log

check "control/feature-poweroff is offered" test "$(xenstore-read /local/domain/"$domid"/control/feature-poweroff)" = 1
refuse "memory/meminfo is not written" sh -c "xenstore-read /local/domain/$domid/memory/meminfo | grep ."
xl shutdown fw >/dev/null 2>&1
check "ends when asked to" until_ok sh -c "! xl list fw 2>/dev/null | grep -v -- 's---' | grep -q ^fw"
check "says so" until_ok says fw 'dom0 asks to power off'
check "last words" says fw 'shut down'
kill $daemon
guest_end fw
finish
