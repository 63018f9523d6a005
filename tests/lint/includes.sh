#!/bin/sh
# SPDX-License-Identifier: ISC
# Which folder may include which. Headers are named bare, so every name is unique; the core
# sees only the compiler's own headers of the system's. Prints each offence.
cd "$(dirname "$0")/../.." || exit 1
git ls-files -co --exclude-standard '*.[chS]' | while read -r f; do [ ! -f "$f" ] || echo "$f"; done |
	xargs awk '
function folder(path) { sub(/\/[^\/]*$/, "", path); return path }
function name_of(line) { sub(/^[^"<]*["<]/, "", line); sub(/[">].*/, "", line); return line }
function offence(text) { print "    " text; status = 1 }

BEGIN {
	# folder: the folders whose headers it may name
	may["netstack"] = "netstack"
	may["rules"] = "netstack rules"
	may["firewall"] = "netstack rules firewall"
	may["qubes-integration"] = "netstack rules firewall qubes-integration"
	may["qubes-integration/xen"] = "netstack rules firewall qubes-integration tender qubes-integration/xen"
	may["qubes-integration/store"] = "qubes-integration/store"
	may["tender/guest"] = "netstack tender tender/abi tender/guest"
	may["tender/host"] = "netstack tender/abi tender/host"
	may["tender"] = "netstack tender"
	may["tender/abi"] = "netstack tender/abi"
	may["tools"] = "netstack rules qubes-integration qubes-integration/store tender/abi tools"
	for (i = 1; i < ARGC; i++) {
		if (ARGV[i] !~ /\.h$/)
			continue
		name = ARGV[i]
		sub(/.*\//, "", name)
		if (name in where)
			offence("two headers are named " name)
		where[name] = folder(ARGV[i])
	}
}

FNR == 1 {
	is_main = FILENAME == "firewall/main.c"
	here = folder(FILENAME)
	skip = here ~ /^tests\//
	sees = is_main ? may["qubes-integration"] " tender" : may[here]
	# main.c is the one file of the guest that also sees BearSSL
	freestanding = !is_main && here ~ /^(netstack|rules|firewall|qubes-integration)$/
	if (!skip && !sees)
		offence(FILENAME ": no rule says what " here " may include")
}

skip || !/^[ \t]*#[ \t]*include[ \t]*["<]/ { next }

/</ {
	name = name_of($0)
	if (freestanding && name !~ /^(stdarg|stdbool|stddef|stdint|stdalign|stdnoreturn|limits)\.h$/)
		offence(FILENAME " includes the system'"'"'s " name)
	next
}

{
	name = name_of($0)
	if (name ~ /\//)
		offence(FILENAME " names \"" name "\" with a path")
	else if (!(name in where))
		offence(FILENAME " includes \"" name "\", which is nowhere")
	else if (index(" " sees " ", " " where[name] " ") == 0)
		offence(FILENAME " includes \"" name "\" of " where[name])
}

END { exit status }'
