# SPDX-License-Identifier: ISC
# qubes-integration/dom0/guide.md, followed to the letter: its commands of steps 2 to 4 are read out of
# it and run in order, and each log line that it promises has to come. Qubes' tools are played
# by the functions below: what they would have dom0 do to xenstore, QubesDB and domains.
. ./lib.sh
. ./net.sh

GUIDE=guide.md
NAMES=10.139.1.1
VM=sys-postern
WORK=10.138.0.5
rules=/run/work.rules

# --- dom0's tools ---------------------------------------------------------------------------------
qvm_create() { # properties become the domain; what it has no use for is left alone
	memory=32
	for word in "$@"; do
		case $word in
		memory=* | virt_mode=*) eval "${word%%=*}=\${word#*=}" ;;
		esac
	done
	[ "${virt_mode:-}" = pvh ] && GUEST_MIB=$memory && eval "[ \$# -gt 0 ] && [ \"\${$#}\" = $VM ]"
}
qvm_features() { [ "$1" = $VM ]; }
qvm_service() { [ "$2" = $VM ]; }

qvm_start() {
	case $1 in
	"$VM")
		guest_start $VM "$uplink_config" || return 1
		store_start
		tell write /connected-ips $WORK
		rules_tell
		guest_run $VM
		uplink_take
		[ ! -e /run/behind ] || { vifs "$domid" make 40 $WORK $handmade && client_take c1 $WORK; }
		;;
	sys-net) uplink_attach ;;
	esac
}

qvm_shutdown() {
	case " $* " in
	*" $VM "*)
		xl shutdown $VM
		until_ok sh -c "! xl list $VM 2>/dev/null | grep -v -- 's---' | grep -q ^$VM"
		until_ok says $VM 'Xen is told'
		kill "$store"
		cat "$(console $VM)" >>/run/console # the next start has its own
		guest_end $VM
		xenstore-rm $handmade # as qubesd has it done
		until_ok sh -c "! nsenter --net=/proc/$ns_c1/ns/net ip link show eth0"
		;;
	*" sys-net "*) xl network-detach $VM 0 ;;
	esac
}

uplink_attach() {
	xl network-attach $VM backend=0 ip=10.137.0.6 mac=00:16:3e:5e:6c:00 script=vif-none && uplink_take
}

qvm_prefs() { # VM property value
	case "$1 $2 $3" in
	"work netvm $VM")
		vifs "$domid" make 40 $WORK $handmade && client_take c1 $WORK && touch /run/behind
		;;
	"$VM netvm ") xl network-detach $VM 0 ;;
	"$VM netvm sys-net") uplink_attach ;;
	*) return 1 ;;
	esac
}

rules_tell() { # the file's rules to QubesDB, as qubesd writes them
	set --
	while read -r line; do set -- "$@" "$line"; done <$rules
	rules_write $WORK "$@"
}

qvm_firewall() { # VM del --rule-no N | VM add ACTION KEY=VALUE... | VM reset
	case $2 in
	del) sed -i "$(($4 + 1))d" $rules ;;
	add)
		line="action=$3" proto='' ports=''
		shift 3
		for word in "$@"; do
			case $word in
			proto=*) proto=" $word" ;;
			dstports=*) ports=" $word-${word#*=}" ;;
			esac
		done
		echo "$line$proto$ports" >>$rules
		;;
	reset) echo action=accept >$rules ;;
	esac
	before=$(handled $WORK)
	tell rm /qubes-firewall/$WORK/
	rules_tell
	until_ok handled_more $WORK "$before"
}

qubesdb_write() { [ "$2" = $VM ] && tell write "$3" "$4"; } # -d VM PATH VALUE
qubesdb_rm() { [ "$2" = $VM ] && tell rm "$3"; }

qvm_run() { # --service --pass-io VM SERVICE
	qrx "$domid" "user:QUBESRPC $4 dom0" </dev/null
}

# --- the qube's ------------------------------------------------------------------------------------
in_work() { # a command of the qube `work`
	case $1 in
	curl)
		host=${3#http://}
		at=$(in_ns c1 timeout 5 nslookup "$host" $NAMES | awk '/^Address/ && !/:53/ {print $NF; exit}')
		in_ns c1 timeout 8 wget -q -O - "http://$at/"
		;;
	*) in_ns c1 "$@" ;;
	esac
}
pages() { in_work curl -m5 http://example.org | grep -q hello; }
secure_page() { in_ns c1 timeout 8 wget -q -O - http://192.0.2.1:443/ | grep -q hello; }

# --- the guide --------------------------------------------------------------------------------------
commands_of() { # number of a step: the lines of its code blocks that are Qubes' tools
	awk -v step="## $1." '
		/^## / {here = index($0, step) == 1}
		/^```/ {code = !code; next}
		here && code {line = line $0; if (sub(/ *\\$/, " ", line)) next; if (line ~ /^(qvm|qubesdb)-/) print line; line = ""}' $GUIDE
}
rows_of() { awk -v step="## $1." '/^## / {here = index($0, step) == 1} here && /^\| [^d]/ && !/^\|-/' $GUIDE; }
ticked() { grep -o '`[^`]*`' | tr -d '`'; }
as_pattern() { sed 's/[][^$*\\/]/\\&/g; s/\.\.\./.*/g; s/N\b/[0-9]*/g; s/10\.137\.0\./10.13[78].0./'; }
follow() { # one command line of the guide
	line=$(echo "$1" | sed "s/ *#.*//; s/qvm-\([a-z]*\)/qvm_\1/g; s/qubesdb-\([a-z]*\)/qubesdb_\1/; s/10\.137\.0\.9/$WORK/g")
	eval "$line"
}
says_since() { tail -n +$(($1 + 1)) "$(console $VM)" 2>/dev/null | cat - /run/console 2>/dev/null | grep -q "$2"; }

netns_add up
netns_add c1
in_ns up ip addr add 192.0.2.1/32 dev lo
in_ns up ip addr add $NAMES/32 dev lo
in_ns up reflect $NAMES 53 192.0.2.1 &
names=$!
mkdir -p /run/www
echo hello >/run/www/index.html
in_ns up httpd -p 192.0.2.1:80 -h /run/www
in_ns up httpd -p 192.0.2.1:443 -h /run/www
echo action=accept >$rules

for step in 2 3; do
	commands_of $step >/run/commands
	while read -r line; do
		check "step $step: $line" follow "$line" </dev/null
	done </run/commands
done

rows_of 4 >/run/rows
check "step 4 has its rows" test "$(grep -c . /run/rows)" -ge 7
while read -r row; do
	do_this=$(echo "$row" | cut -d'|' -f2)
	see=$(echo "$row" | cut -d'|' -f3)
	from=$(wc -l <"$(console $VM)" 2>/dev/null || echo 0)
	: >/run/console
	case $do_this in *'tail -f'*) from=0 ;; esac
	echo "$do_this" | ticked >/run/ticked
	while read -r line; do
		case "$do_this, $line" in
		*'tail -f'*) continue ;;
		*'in work: `curl'*) refuse "step 4: $line" pages </dev/null; continue ;;
		*'in work:'*) check "step 4: $line" until_ok in_work $line </dev/null; continue ;;
		*', sys-net') line="qvm-prefs $VM netvm sys-net" ;;
		esac
		check "step 4: $line" follow "$line" </dev/null
	done </run/ticked
	case $do_this in *"--wait $VM"*) check "started again" follow "qvm-start $VM" </dev/null ;; esac
	echo "$see" | ticked >/run/ticked
	while read -r line; do
		check "  see: $line" until_ok says_since "$from" "$(echo "$line" | as_pattern)" </dev/null
	done </run/ticked
	case $see in
	*works* | *'all passes'* | *'go on'* | *same* | *back*) check "  see: it works" until_ok pages </dev/null ;;
	*'No route'*)
		check "  see: refused at once, by the right error" icmp c1 tcp 192.0.2.1 80 3/13 </dev/null
		check "  see: https goes on" secure_page </dev/null
		;;
	esac
done </run/rows

commands_of 4 >/run/commands
grep -v qvm-features /run/commands >/run/services
while read -r line; do
	check "step 4, qrexec: $line" follow "$line" </dev/null
	cp /run/check /run/said
	case $line in *Explain*) check "  see: it passes" grep -q '"verdict":"accept"' /run/said </dev/null ;; esac
done </run/services

# --- what goes past qvm-firewall: each line by what it does -----------------------------------------
reaches_work() { # from beyond sys-postern, a service that work has at port 22
	: >/run/got22
	echo hello | in_ns up timeout 4 nc -w 3 10.137.0.6 2222 >/dev/null 2>&1
	WAIT_S=3 until_ok grep -q hello /run/got22
}
in_ns c1 nc -ll -p 22 -e sh -c 'cat >>/run/got22' >/dev/null 2>&1 &
until_ok in_ns c1 sh -c "netstat -ltn | grep -q ':22 '"
check "step 6: work has pages" until_ok pages </dev/null
commands_of 6 >/run/commands
check "step 6 has its lines" test "$(grep -c . /run/commands)" = 6
lines=0
while read -r line; do
	lines=$((lines + 1))
	check "step 6: $line" follow "$line" </dev/null
	case $lines in
	1)
		check "  it is cut off" until_ok says $VM "client $WORK: isolated" </dev/null
		refuse "  and has no pages" pages </dev/null
		;;
	2)
		check "  it is let" until_ok says $VM "client $WORK: not isolated any more" </dev/null
		check "  and has pages" until_ok pages </dev/null
		refuse "  nobody reaches it" reaches_work </dev/null
		;;
	4)
		check "  said" until_ok says $VM 'rules inbound: 1 rule, then drop: open' </dev/null
		check "  the port leads to it" until_ok reaches_work </dev/null
		;;
	6)
		check "  said" until_ok says $VM 'rules inbound: none: off' </dev/null
		refuse "  and no more" reaches_work </dev/null
		;;
	esac
done </run/commands

refuse "did not crash" says $VM panic
refuse "did nothing that would end the genuine daemon" grep VIOLATION /run/qdb.log
kill "$names" "$store"
vifs "$domid" drop 40 $handmade
guest_end $VM
netns_del up
netns_del c1
finish
