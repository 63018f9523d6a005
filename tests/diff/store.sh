#!/bin/sh
# SPDX-License-Identifier: ISC
# postern nft export from a store: the same as from files, and as the appliance reads it.
# Run by diff.sh, which sets POSTERN, STORE and SCRATCH.
set -u
db=$(mktemp -d "$SCRATCH/store.XXXXXX") || exit 1
POSTERN_STORE=$db/store.sock
export POSTERN_STORE
failed=0
ports='--uplink up0 --port c1=10.137.0.5 --port c2=10.137.0.6'

"$STORE" --db "$db/db" --socket "$POSTERN_STORE" >"$db/log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid 2>/dev/null' EXIT
tries=0
until "$POSTERN" store list >/dev/null 2>&1; do
	tries=$((tries + 1))
	[ $tries -lt 400 ] || { echo "the store does not answer"; cat "$db/log"; exit 1; }
	sleep 0.05
done

put() { "$POSTERN" store write "$@" >/dev/null || failed=1; }
export_all() { # shellcheck disable=SC2086
	"$POSTERN" nft export $ports "$@"
}
has() { grep -qF -- "$1" "$db/got" || { echo "store: no \"$1\""; failed=1; }; }
lacks() { ! grep -qF -- "$1" "$db/got" || { echo "store: \"$1\""; failed=1; }; }

printf 'accept 10.0.0.0/8 tcp 80-90\naccept a.example tcp 443\ndrop - dns\naccept\n' >"$db/rules"
"$POSTERN" rules set 10.137.0.5 "$db/rules" >/dev/null || failed=1
: >"$db/none"
"$POSTERN" rules set 10.137.0.6 "$db/none" >/dev/null || failed=1
export_all >"$db/got" || failed=1
# shellcheck disable=SC2086
"$POSTERN" nft export --rules "10.137.0.5=$db/rules" --rules "10.137.0.6=$db/none" $ports >"$db/want"
diff -u "$db/want" "$db/got" || failed=1

put /qubes-primary-dns 192.0.2.53 /connected-ips '10.137.0.6 10.137.0.77' /dns/10.137.0.5/a.example "{'192.0.2.80/32'}"
put /qubes-firewall/10.137.0.7/policy accept /qubes-firewall/10.137.0.7/0003 action=drop\ dst4=192.0.2.0/24
put /qubes-firewall/10.137.0.8/policy drop /qubes-firewall/10.137.0.8/0000 action=perhaps
put /qubes-firewall/10.137.0.9/0000 action=accept
put /qubes-firewall/10.137.0.10/policy drop /qubes-firewall/10.137.0.10/stray action=accept
export_all >"$db/got" || failed=1
lacks 192.0.2.0/24 # a tree counts from its commit on
for client in 7 8 9 10; do put "/qubes-firewall/10.137.0.$client" ''; done
export_all >"$db/got" || failed=1
has 'elements = { 192.0.2.53,'
has '10.139.1.2 }'
has '10.137.0.77'
has 'ip daddr 192.0.2.80 tcp dport 443 counter accept comment "rule 0001"'
has 'ip daddr 192.0.2.0/24 counter reject with icmp admin-prohibited comment "rule 0003"'
has 'counter accept comment "policy"'
has "# closed: rule 0000, column 8: action is neither accept nor drop 'perhaps'"
has '# closed: no policy'
has '# closed: a key that is neither policy nor a rule of four digits'
unshare -n nft -f "$db/got" || failed=1
export_all 10.137.0.7 >"$db/got" || failed=1
has 'chain client-10.137.0.7'
lacks 'chain client-10.137.0.5'
"$POSTERN" nft export --uplink up0 --port c9=10.137.0.200 10.137.0.201 2>/dev/null >&2
[ $? = 1 ] || { echo "store: a client that is not there"; failed=1; }
kill $pid
wait $pid 2>/dev/null
"$POSTERN" nft export --uplink up0 --port c1=10.137.0.5 >/dev/null 2>&1
[ $? = 3 ] || { echo "store: gone, and not told so"; failed=1; }
exit $failed
