# SPDX-License-Identifier: ISC
# bash completion for postern(1): verbs, options, ports and clients as they are now.

_postern_port_names() {
	"$1" status -j 2>/dev/null |
		sed -n '/"ports": \[/,/^  \]/s/^ *"name": "\([A-Za-z0-9_.-]*\)".*/\1/p'
}

_postern_clients() {
	"$1" rules -j 2>/dev/null | sed -n 's/^ *"ip": "\([0-9a-f.:]*\)".*/\1/p'
}

_postern_generations() {
	"$1" log -j 2>/dev/null | sed -n 's/^ *"number": \([0-9]*\).*/\1/p'
}

_postern_words() {
	local verb=${COMP_WORDS[1]} action=${COMP_WORDS[2]}
	case $verb in
	status) echo '-j --json --control --help' ;;
	flows)
		echo '-j --json --client --proto --dst --rule --state --sort --top --control --help'
		if [ "$action" = kill ]; then echo '--yes'; else echo 'kill'; fi
		;;
	top) echo '-j --json --once --control --help' ;;
	metrics) echo '--textfile --listen --control --help' ;;
	names) echo '-j --json --refresh --control --help' ;;
	check) echo '-j --json --help' ;;
	diff) echo '-j -v --json --verbose --store --control --help' ;;
	apply) echo '-j --json --confirm --if-generation --reason --store --help' ;;
	rollback) echo "-j --json --confirm --if-generation --reason --store --help $(_postern_generations "$1")" ;;
	confirm) echo '--store --control --help' ;;
	log) echo "-j --json -n --store --help $(_postern_clients "$1")" ;;
	explain) echo "-j -v --json --verbose --pcap --client --control --help $(_postern_clients "$1")" ;;
	attach) echo '--control --help tap=' ;;
	detach) echo "--control --help $(_postern_port_names "$1")" ;;
	rules)
		echo "--store --help $(_postern_clients "$1")"
		if [ "$action" = set ]; then echo '--wait'; else echo 'set -j --json'; fi
		;;
	store) echo 'read write rm list watch -j --json --store --help' ;;
	nft)
		case $action in
		export)
			echo "--apply --store --rules --uplink --port --dns --table --control --help $(_postern_clients "$1")"
			;;
		import) echo '--client --uplink --port --help' ;;
		*) echo 'export import --help' ;;
		esac
		;;
	help) echo 'status flows top metrics names rules check diff apply confirm rollback log explain attach detach store nft' ;;
	esac
}

_postern() {
	local cur prev
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W 'status flows top metrics names rules check diff apply confirm rollback log explain attach detach store nft help' -- "$cur")
		return
	fi
	case $prev in
	--sort)
		mapfile -t COMPREPLY < <(compgen -W 'bytes packets idle' -- "$cur")
		return
		;;
	--proto)
		mapfile -t COMPREPLY < <(compgen -W 'tcp udp icmp' -- "$cur")
		return
		;;
	--state)
		mapfile -t COMPREPLY < <(compgen -W 'syn_sent syn_recv established fin_wait close_wait last_ack
			time_wait closed replied unreplied' -- "$cur")
		return
		;;
	--control | --store | --textfile)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	esac
	case ${COMP_WORDS[1]} in
	check | diff | apply)
		if [ "${cur#-}" = "$cur" ]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		fi
		;;
	esac
	# the file of: rules set CLIENT FILE
	if [ "${COMP_WORDS[1]}" = rules ] && [ "${COMP_WORDS[2]}" = set ] && [ "$COMP_CWORD" -ge 4 ] &&
		[ "${cur#-}" = "$cur" ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$(_postern_words "${COMP_WORDS[0]}")" -- "$cur")
	# tap=... goes on behind the sign
	[[ ${COMPREPLY[*]} == *= ]] && compopt -o nospace
}

complete -F _postern postern
