#!/bin/sh
# SPDX-License-Identifier: ISC
# postern nft import: what comes back of our own export, of the Linux agent's chains, of a
# common ruleset; what is said about the rest. Run by diff.sh, which sets POSTERN and SCRATCH.
set -u
failed=0
ports='--uplink eth0 --port vif1.0=10.137.0.5 --port vif2.0=10.137.0.6'

want() { # what, then the file that is wanted on stdin; $SCRATCH/got is what came
	cat >"$SCRATCH/want"
	diff -u "$SCRATCH/want" "$SCRATCH/got" || { echo "import: $1"; failed=1; }
}

import() { # exit code, then words of import; what it prints is $SCRATCH/got
	code=$1
	shift
	"$POSTERN" nft import "$@" >"$SCRATCH/got" 2>"$SCRATCH/said"
	got=$?
	[ $got = "$code" ] || { echo "import $*: exit $got"; cat "$SCRATCH/said"; failed=1; }
}

# --- our own ---------------------------------------------------------------------
cat >"$SCRATCH/own.rules" <<'END'
accept 10.0.0.0/8 tcp 80-90
drop 10.1.2.3/9 udp 53
accept - tcp 0-65535
accept 0.0.0.0/0 icmp 8
action=accept dstports=5-6
accept 192.0.2.1 tcp 65535
END
own="--rules 10.137.0.5=$SCRATCH/own.rules --rules 10.137.0.6=/dev/null $ports"
# shellcheck disable=SC2086
"$POSTERN" nft export $own >"$SCRATCH/own.nft" || failed=1
own_rules='# rules of 10.137.0.5
action=accept dst4=10.0.0.0/8 proto=tcp dstports=80-90
action=drop dst4=10.0.0.0/9 proto=udp dstports=53-53
action=accept proto=tcp
action=accept proto=icmp icmptype=8
action=accept proto=tcp dstports=5-6
action=accept proto=udp dstports=5-6
action=accept dst4=192.0.2.1/32 proto=tcp dstports=65535-65535
action=drop
# rules of 10.137.0.6
action=drop'
# shellcheck disable=SC2086
import 0 $ports "$SCRATCH/own.nft"
echo "$own_rules" | want "our export as text"
cat >"$SCRATCH/live.sh" <<'END'
"$POSTERN" nft export $OWN --apply >/dev/null && nft -j list ruleset >"$SCRATCH/own.json" &&
	"$POSTERN" nft import $PORTS >"$SCRATCH/got"
END
OWN=$own PORTS=$ports unshare -n sh "$SCRATCH/live.sh" || failed=1
echo "$own_rules" | want "our export, live"
# shellcheck disable=SC2086
import 0 $ports "$SCRATCH/own.json"
echo "$own_rules" | want "our export as JSON"
# and what was imported can be exported again: the same
sed -n '/10.137.0.5/,/10.137.0.6/p' "$SCRATCH/got" >"$SCRATCH/again.rules"
# shellcheck disable=SC2086
"$POSTERN" nft export --rules "10.137.0.5=$SCRATCH/again.rules" $ports --port vif2.0=10.137.0.6 >"$SCRATCH/again.nft" || failed=1
# shellcheck disable=SC2086
import 0 $ports --client 10.137.0.5 "$SCRATCH/again.nft"
echo "$own_rules" | sed '/10.137.0.6/,$d' | want "imported, exported, imported"

# --- another's -------------------------------------------------------------------
cat >"$SCRATCH/other.nft" <<'END'
table inet filter {
	set web { type inet_service; flags interval; elements = { 80, 443, 8000-8100 } }
	set trusted { type ipv4_addr; elements = { 10.137.0.5, 10.137.0.6 } }
	chain forward {
		type filter hook forward priority 0; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		meta nfproto ipv6 accept
		ip saddr != @trusted drop
		ip saddr 10.137.0.5 tcp dport { 80, 443 } accept
		ip saddr 10.137.0.5 ip daddr != 128.0.0.0/1 udp dport 53 counter accept
		ip saddr 10.137.0.6 jump guest
		tcp flags syn limit rate 5/second accept
		iifname "vif1.0" ip protocol icmp log drop
		ip saddr 10.137.0.0/24 icmp type { echo-request, time-exceeded } accept
		ip protocol gre drop
		tcp dport vmap { 22 : accept, 23 : drop }
	}
	chain guest {
		ip daddr 192.0.2.4-192.0.2.11 reject with icmp type admin-prohibited
		th dport @web accept
		tcp dport != 25 goto mail
		return
		udp dport 1 accept
	}
	chain mail {
		tcp sport 1000 drop
	}
	chain input {
		type filter hook input priority 0; policy drop;
	}
}
END
# shellcheck disable=SC2086
import 1 $ports "$SCRATCH/other.nft"
sed -i 's/handle [0-9]*/handle H/' "$SCRATCH/got" # the kernel's own numbers
want "another's ruleset" <<'END'
# rules of 10.137.0.5
action=accept proto=tcp dstports=80-80
action=accept proto=tcp dstports=443-443
action=accept dst4=0.0.0.0/1 proto=udp dstports=53-53
# not carried over: inet filter forward rule 7 (handle H): our rules cannot look at {"field":"flags","protocol":"tcp"}
action=drop proto=icmp
action=accept proto=icmp icmptype=8
action=accept proto=icmp icmptype=11
# not carried over: inet filter forward rule 10 (handle H): our rules know no protocols but tcp, udp and icmp; it forbids: those below may permit more
action=accept proto=tcp dstports=22-22
action=drop proto=tcp dstports=23-23
action=drop
# rules of 10.137.0.6
action=drop dst4=192.0.2.4/30
action=drop dst4=192.0.2.8/30
action=accept dstports=80-80
action=accept dstports=443-443
action=accept dstports=8000-8100
# not carried over: inet filter mail rule 1 (handle H): our rules cannot look at {"field":"sport","protocol":"tcp"}; it forbids: those below may permit more
# not carried over: inet filter guest rule 3: a goto for some packets in a chain that was called
# not carried over: inet filter forward rule 7 (handle H): our rules cannot look at {"field":"flags","protocol":"tcp"}
action=accept proto=icmp icmptype=8
action=accept proto=icmp icmptype=11
# not carried over: inet filter forward rule 10 (handle H): our rules know no protocols but tcp, udp and icmp; it forbids: those below may permit more
action=accept proto=tcp dstports=22-22
action=drop proto=tcp dstports=23-23
action=drop
END

# --- two chains at the hook: the Linux agent's, which both have to accept -----------
cat >"$SCRATCH/agent.nft" <<'END'
table ip qubes {
	chain forward {
		type filter hook forward priority 0; policy accept;
		ct state invalid drop
		ct state related,established accept
		oifname "vif*" counter drop
	}
}
table ip qubes-firewall {
	chain forward {
		type filter hook forward priority 1; policy drop;
		ct state established,related accept
		iifname != "vif*" accept
		ip saddr 10.137.0.5 jump qbs-10-137-0-5
	}
	chain qbs-10-137-0-5 {
		ip protocol tcp ip daddr 192.0.2.0/24 tcp dport 443 accept
		reject with icmp admin-prohibited
	}
}
END
# shellcheck disable=SC2086
import 0 $ports "$SCRATCH/agent.nft"
want "the Linux agent's chains" <<'END'
# rules of 10.137.0.5
action=accept dst4=192.0.2.0/24 proto=tcp dstports=443-443
action=drop
END

# --- what is no ruleset --------------------------------------------------------------
echo 'table ip x { chain' >"$SCRATCH/bad.nft"
import 2 "$SCRATCH/bad.nft"
echo '{ "nftables": 7 }' >"$SCRATCH/bad.json"
import 2 "$SCRATCH/bad.json"
echo '{ "nftables": ' >"$SCRATCH/cut.json"
import 2 "$SCRATCH/cut.json"
import 2 "$SCRATCH/none"
import 2 --client 10.0.0 "$SCRATCH/agent.nft"
import 2 --port "a b=10.0.0.1" "$SCRATCH/agent.nft"
echo '{ "nftables": [] }' >"$SCRATCH/empty.json"
import 1 "$SCRATCH/empty.json"
import 0 --client 10.137.0.5 "$SCRATCH/empty.json"
want "nothing is forbidden where there is no chain" <<'END'
# rules of 10.137.0.5
action=accept
END
exit $failed
