#!/bin/sh
# SPDX-License-Identifier: ISC
# Which folder may include which. Headers are named bare, so every name is unique; the core
# sees only the compiler's own headers of the system's. Prints each offence.
cd "$(dirname "$0")/../.." || exit 1
status=0

offence() {
	echo "    $1"
	status=1
}

may_include() { # folder: the folders whose headers it may name
	case $1 in
	netstack) echo netstack ;;
	rules) echo netstack rules ;;
	firewall) echo netstack rules firewall ;;
	qubes-integration) echo netstack rules firewall qubes-integration ;;
	qubes-integration/xen) echo netstack rules firewall qubes-integration tender qubes-integration/xen ;;
	qubes-integration/store) echo qubes-integration/store ;;
	tender/guest) echo netstack tender tender/abi tender/guest ;;
	tender/host) echo netstack tender/abi tender/host ;;
	tender | tender/abi) echo netstack "$1" ;;
	tools) echo netstack rules qubes-integration qubes-integration/store tender/abi tools ;;
	esac
}

headers=$(git ls-files -co --exclude-standard '*.h')

twice=$(for h in $headers; do basename "$h"; done | sort | uniq -d)
for h in $twice; do offence "two headers are named $h"; done

folder_of() { # a header's name: where it is
	for h in $headers; do
		[ "$(basename "$h")" != "$1" ] || { dirname "$h"; return; }
	done
}

check_file() { # file, the folders it may see
	for name in $(sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$1"); do
		case $name in */*) offence "$1 names \"$name\" with a path" && continue ;; esac
		where=$(folder_of "$name")
		case " $2 " in
		*" $where "*) [ -n "$where" ] || offence "$1 includes \"$name\", which is nowhere" ;;
		*) offence "$1 includes \"$name\" of ${where:-nowhere}" ;;
		esac
	done
}

check_system() { # file of the core
	sed -n 's/^[ \t]*#[ \t]*include[ \t]*<\([^>]*\)>.*/\1/p' "$1" |
		grep -vE '^(stdarg|stdbool|stddef|stdint|stdalign|stdnoreturn|limits)\.h$' |
		sed "s,^,    $1 includes the system's ,"
}

for f in $(git ls-files -co --exclude-standard '*.[chS]'); do
	folder=$(dirname "$f")
	case $f in
	tests/*) continue ;;
	firewall/main.c) sees="$(may_include qubes-integration) tender" ;;
	*) sees=$(may_include "$folder") ;;
	esac
	[ -n "$sees" ] || offence "$f: no rule says what $folder may include"
	check_file "$f" "$sees"
	case $folder in
	netstack | rules | firewall | qubes-integration)
		# main.c is the one file of the guest that also sees BearSSL.
		[ "$f" != firewall/main.c ] || continue
		system=$(check_system "$f")
		[ -z "$system" ] || { echo "$system"; status=1; }
		;;
	esac
done
exit $status
