#!/bin/sh
# SPDX-License-Identifier: ISC
# `postern web` in a real browser, in a namespace that has a loopback device and nothing else.
#
#   lab.sh's topology, and beside it
#
#    namespace web
#   +---------------------------------------+
#   | chromium -- 127.0.0.1:8044 postern web +--- the tender's control socket
#   +---------------------------------------+
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/tests/lab/lab.sh"
HERE=$ROOT/tests/web
PICTURES=${PICTURES:-$ROOT/out/web}

serving() { in_ns web curl -sf -o /dev/null http://127.0.0.1:8044/; }

lab_up spt
mkdir -p "$PICTURES"
new_namespace "$LAB_ID-web"
check "only loopback is served" test "$("$POSTERN" web --listen 192.0.2.1:8044 2>&1 | grep -c 'only loopback')" = 1
check "rules" rules_set "$C1" <<END
accept $SERVER tcp 80-89
accept dns
drop
END
check "rules of another" rules_set "$C2" <<END
accept 192.0.2.0/24 tcp
accept - icmp
END
"$POSTERN" store write /qubes-firewall/10.137.0.9/policy drop \
	/qubes-firewall/10.137.0.9/0000 'action=accept proto=<img src=x>' >"$LAB/out" 2>&1
check "bad ones of a third" commit 10.137.0.9
background "$LAB/server.log" ip netns exec "$NS_UP" python3 "$HERE/traffic.py" serve "$SERVER" 80 81 82
wait_for 5 has_line "$LAB/server.log" ready
background "$LAB/web.log" ip netns exec "$LAB_ID-web" "$POSTERN" web
WEB_PID=$pid
wait_for 5 serving
export LAB LAB_ID POSTERN SERVER C1 TENDER_PID WEB_PID
check "the page" ip netns exec "$LAB_ID-web" python3 "$HERE/page_test.py" "$PICTURES"
[ "$failed" = 0 ] || cat "$LAB/out"
grep "page_test.py:" "$LAB/out"
lab_summary
