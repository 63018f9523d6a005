#!/bin/sh
# SPDX-License-Identifier: ISC
# nftables and Postern: what is printed is what is applied, what is exported comes
# back by import, and on a bounded corpus kernel and core agree packet for packet.
#   O=build tests/diff/diff.sh
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
O=${O:-build}
case $O in /*) ;; *) O=$ROOT/$O ;; esac
POSTERN=$O/postern
STORE=$O/postern-store
export POSTERN STORE O
[ "$(id -u)" = 0 ] || { echo "diff: needs root, for its network namespaces" >&2; exit 1; }
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
failed=0
passed=0

check() { # what holds, then the command that says so
	what=$1
	shift
	if "$@" >"$scratch/out" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "  FAILED  $what"
		sed 's/^/          /' "$scratch/out" | head -n 20
	fi
}

cat >"$scratch/one.rules" <<'END'
accept 10.0.0.0/8 tcp 80-90
drop 10.1.2.3/9 udp 53
accept dns
accept - tcp 0-65535
accept 0.0.0.0/0 icmp 8
accept dsthost=example.com
drop dsthost=bad.example tcp 80
action=accept dstports=5-6
accept 192.0.2.1 tcp 65535
END
seq 1 3000 | awk '{ printf "%s 10.%d.%d.0/24 tcp %d-%d\n", $1 % 3 ? "accept" : "drop", $1 / 256, $1 % 256, $1, $1 + 7 }' \
	>"$scratch/many.rules"
cat >"$scratch/both.sh" <<'END'
set -e
export_rules() {
	"$POSTERN" nft export --rules "10.137.0.5=$1" --rules 10.137.0.6=/dev/null --uplink up0 \
		--port c1=10.137.0.5 --port c2=10.137.0.6 $2
}
for rules in one many; do
	export_rules "$SCRATCH/$rules.rules" >"$SCRATCH/$rules.nft"
	nft -f "$SCRATCH/$rules.nft"
	nft -f "$SCRATCH/$rules.nft" # once more: it replaces itself
	nft list ruleset >"$SCRATCH/by-text"
	nft flush ruleset
	export_rules "$SCRATCH/$rules.rules" --apply
	export_rules "$SCRATCH/$rules.rules" --apply
	nft list ruleset >"$SCRATCH/by-netlink"
	nft flush ruleset
	diff "$SCRATCH/by-text" "$SCRATCH/by-netlink"
done
END
export SCRATCH="$scratch"
check "nft -f and --apply make the same ruleset" unshare -n sh "$scratch/both.sh"
check "without the right to it --apply says so" sh -c \
	"! unshare -n setpriv --bounding-set=-net_admin --inh-caps=-net_admin '$POSTERN' nft export --apply \
	--rules 10.137.0.5=/dev/null --uplink up0 --port c1=10.137.0.5 2>'$scratch/err' && grep -q 'not permitted' '$scratch/err'"
check "import gives back what was exported" sh "$ROOT/tests/diff/import.sh"
check "the store's rules, names and settings are exported" sh "$ROOT/tests/diff/store.sh"
check "Linux stands in for the appliance" "$ROOT/tests/diff/standin.sh"
echo "nft: $passed passed, $failed failed"

"$O/diff" --cases "${CASES:-150}" --steps 300 --seed "${SEED:-1}" || failed=$((failed + 1))
"$O/diff" --agent --cases "${CASES:-60}" --steps 300 --seed "${SEED:-1}" || failed=$((failed + 1))

# the whole appliance: fewer packets for each rule set, for its rates are on
"$O/diff" --tender "$O" --cases "${TENDER_CASES:-12}" --steps 60 --seed "${SEED:-1}" || failed=$((failed + 1))
[ "$failed" = 0 ]
