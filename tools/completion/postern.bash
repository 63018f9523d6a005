# SPDX-License-Identifier: ISC
# bash completion for postern(1). Verbs, options and choices are read from its own usage, so that
# none can be missing; clients, rule ids, ports, generations and keys from what runs now.

_postern_verbs() {
	"$1" help 2>/dev/null | sed -n 's/^  \([a-z]*\)  *.*/\1/p'
}

# The usage of a verb; if it has actions (`rules set`) and one is given, only what is of it.
_postern_usage() { # program, verb, action
	local all of
	all=$("$1" help "$2" 2>/dev/null)
	of=$(sed -n "/postern $2 \(.*[ |]\)\{0,1\}$3\([ |]\|\$\)/p; /^ *[A-Z]*: /p; /^  *\[/p" <<<"$all")
	if [ -n "$3" ] && grep -q "postern $2 .*$3" <<<"$of"; then echo "$of"; else echo "$all"; fi
}

# Words that may stand first: in lower case, behind the verb and options alone.
_postern_actions() { # verb; the usage on standard input
	sed -n "s/^.*postern $1 //p" | sed 's/\[[^]]*\]//g; s/^ *//; s/ *| */|/g' |
		awk '$1 ~ /^[a-z|]+$/ { gsub(/[|]/, "\n", $1); print $1 }' | sort -u
}

_postern_options() { # the usage on standard input
	local usage
	usage=$(cat)
	grep -oE -- '--[a-z][a-z-]*' <<<"$usage"
	grep -oE -- '(\[|[ |])-[a-z]+' <<<"$usage" | grep -oE '[a-z]+$' | grep -o . | sed 's/^/-/'
	echo --help
}

_postern_port_names() {
	"$1" status -j 2>/dev/null | sed -n '/^  "ports": \[/,/^  \]/s/^ *"name": "\([A-Za-z0-9_.-]*\)".*/\1/p' | sort -u
}

_postern_clients() {
	{ "$1" rules -j | sed -n 's/^ *"ip": "\([0-9a-f.:]*\)".*/\1/p'
		"$1" status -j | sed -n '/^  "clients": \[/,/^  \]/s/^ *"ip": "\([0-9a-f.:]*\)".*/\1/p'; } 2>/dev/null | sort -u
}

_postern_rule_ids() {
	"$1" rules -s -j 2>/dev/null | sed -n 's/^ *"\(rule_id\|id\|label\)": "\([^"]*\)".*/\2/p' | sort -u
}

_postern_generations() {
	"$1" log -j 2>/dev/null | sed -n 's/^ *"number": \([0-9]*\).*/\1/p'
}

_postern_keys() {
	"$1" store list "${2:-/}" 2>/dev/null | sed 's/ = .*//'
}

_postern_names() { # program, words of a verb that lists: what has an "id" or a "name"
	"$@" -j 2>/dev/null | sed -n 's/^ *"\(id\|name\|set\)": "\{0,1\}\([^",]*\).*/\2/p' | sort -u
}

# What may stand for a word of the usage that is a placeholder, as CLIENT or FILE. verb is the caller's.
_postern_place() { # program, placeholder, what is typed
	case $verb:$2 in
	set:NAME) _postern_names "$1" set list ;;
	revoke:ID) _postern_names "$1" allow -l ;;
	allow:RULE | set:PREFIX | latency:NAME | latency:PORT | isolate:*[!T]) return ;;
	esac
	case $verb:$2 in set:* | revoke:*) return ;; esac
	case $2 in
	CLIENT | IP)
		_postern_clients "$1"
		[ "$verb" != rules ] || echo 'inbound between'
		[ "$verb" != explain ] || echo uplink
		;;
	ID | RULE) _postern_rule_ids "$1" ;;
	N | M | NUMBER | GENERATION) _postern_generations "$1" ;;
	PORT | NAME) _postern_port_names "$1" ;;
	KEY | DIRECTORY | PREFIX) _postern_keys "$1" "$3" ;;
	PROTO) echo 'tcp udp icmp' ;;
	EXPRESSION)
		echo 'and not tcp udp icmp arp proto host src dst port sport dport client rule reason passed dropped held'
		;;
	STATE)
		echo 'syn_sent syn_recv established fin_wait close_wait last_ack time_wait closed replied unreplied'
		;;
	SOCKET | FILE | RULEFILE | RUN | DB | A | B | A.pcap | B.pcap) compgen -f -- "$3" ;;
	esac
}

# Behind an option: its choices, or what its placeholder stands for.
_postern_value() { # program, option, what is typed; the usage on standard input
	local word
	[ "$2" != --rule ] || _postern_rule_ids "$1"
	word=$(sed -n "s/^.*[[ |(]$2[ =]\([^] )]*\).*/\1/p" | head -n 1)
	[ -n "$word" ] || return 1
	case $word in
	-* | '...' | '|') return 1 ;;
	esac
	local one
	for one in ${word//|/ }; do
		case $one in
		*[!A-Z.]*) echo "$one" ;;
		N | M | NUMBER) [ "$2" != --if-generation ] || _postern_generations "$1" ;;
		*) _postern_place "$1" "$one" "$3" ;;
		esac
	done
}

# Placeholders that stand for themselves, not behind an option.
_postern_operands() { # the usage on standard input
	sed '/^ *[A-Z]*: /d; s/--*[a-z][a-z-]*[ =][^] ]*//g' | grep -oE '(^|[^A-Za-z])[A-Z][A-Za-z.]*' |
		grep -oE '[A-Z][A-Za-z.]*' | sed 's/\.\.*$//' | sort -u
}

_postern_takes_value() { # option; the usage on standard input
	grep -qE -- "(^|[[ |(])$1[ =][A-Za-z0-9]" -
}

_postern() {
	local program=${COMP_WORDS[0]} verb=${COMP_WORDS[1]} action='' actions='' usage words place
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ] || { [ "$verb" = help ] && [ "$COMP_CWORD" -eq 2 ]; }; then
		mapfile -t COMPREPLY < <(compgen -W "$(_postern_verbs "$program") help" -- "$cur")
		return
	fi
	[ "$COMP_CWORD" -le 2 ] || action=${COMP_WORDS[2]}
	usage=$(_postern_usage "$program" "$verb" "$action")
	if [[ $prev == -* ]] && _postern_takes_value "$prev" <<<"$usage"; then
		mapfile -t COMPREPLY < <(compgen -W "$(_postern_value "$program" "$prev" "$cur" <<<"$usage")" -- "$cur" | sort -u)
		return
	fi
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_postern_options <<<"$usage")" -- "$cur" | sort -u)
		return
	fi
	[ "$COMP_CWORD" -gt 2 ] || actions=$(_postern_actions "$verb" <<<"$usage")
	words=$actions
	for place in $(_postern_operands <<<"$usage"); do
		case $place in
		*FILE | RUN | A | B | [AB].pcap)
			[ -z "$actions" ] || continue
			compopt -o filenames 2>/dev/null
			;;
		esac
		words="$words $(_postern_place "$program" "$place" "$cur")"
	done
	[ "$verb" != attach ] || words='tap='
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur" | sort -u)
	# tap=... goes on behind the sign, a directory behind the slash
	[[ ${COMPREPLY[*]} != *= && ${COMPREPLY[*]} != */ ]] || compopt -o nospace 2>/dev/null
}

complete -F _postern postern
