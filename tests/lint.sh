#!/bin/sh
# SPDX-License-Identifier: ISC
# What no compiler checks: one line for each check, and a status that is their sum.
#   O=build CC=gcc tests/lint.sh     after make
O=${O:-build}
CC=${CC:-gcc}
cd "$(dirname "$0")/.." || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
passed=0
failed=0

check() { # what holds, then the function that prints the offences
	what=$1
	shift
	if "$@" >"$scratch/out" 2>&1 && [ ! -s "$scratch/out" ]; then
		passed=$((passed + 1))
		echo "  ok      $what"
	else
		failed=$((failed + 1))
		echo "  FAILED  $what"
		head -n 40 "$scratch/out"
	fi
}

sources() { git ls-files -co --exclude-standard "$@" | while read -r f; do [ ! -f "$f" ] || echo "$f"; done; }

# Every name but these is a dependency that the core must not have. The last three are the
# compiler's and the linker's own: the stack protector, and the host's position independence.
pure() { # host or guest
	objects=$(for c in $(sources 'netstack/*.c' 'rules/*.c' 'firewall/*.c'); do
		[ "$c" = firewall/main.c ] || echo "$O/$1/$c.o"
	done)
	# shellcheck disable=SC2086
	"$CC" -nostdlib -r -no-pie -o "$scratch/core.o" $objects || return 1
	nm -u "$scratch/core.o" | awk '{print $2}' | grep -vxE \
		'memcpy|memmove|memset|memcmp|panic|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_' |
		sed 's/^/    undefined in the core: /'
}

# State that changes belongs in a struct that the caller owns.
no_globals() {
	nm "$scratch/core.o" | awk '$2 ~ /^[bBdDC]$/ {print "    writable data in the core: " $3}' |
		grep -v ': \.'
	return 0
}

no_vector_code() {
	find "$O/guest" -name '*.o' -print0 | xargs -0 objdump -d --no-show-raw-insn |
		awk '/file format/ {f = $1} /%(xmm|ymm|mm)[0-9]|%st/ && f {print "    " f " " $0; f = ""}'
}

# BearSSL's objects are compiled with SSE; moves are all that the guest's CPU set-up allows.
only_vector_moves() {
	objdump -d --no-show-raw-insn "$O/postern.elf" | grep -E '%(xmm|ymm|mm)[0-9]|%st' |
		awk '{print $2}' | sort -u | grep -vxE 'mov(aps|ups|dqa|dqu|d|q|hps|lps)|pxor|xorps' |
		sed 's/^/    the image uses /'
}

licensed() {
	sources '*.c' '*.h' '*.S' '*.ld' '*.sh' '*.py' '*.awk' Makefile tools/deps | xargs awk '
		FNR <= 2 && /SPDX-License-Identifier: ISC/ {has[FILENAME] = 1}
		END {for (i = 1; i < ARGC; i++) if (!(ARGV[i] in has)) print "    " ARGV[i]}'
}

scripts_parse() {
	sources '*.sh' tools/deps .ci/run | while read -r f; do
		case $(head -n 1 "$f") in
		*bash*) bash -n "$f" ;;
		*) sh -n "$f" ;;
		esac
	done
	# shellcheck disable=SC2046
	python3 -c 'import ast, sys; [ast.parse(open(f).read(), f) for f in sys.argv[1:]]' $(sources '*.py')
}

no_workplace() {
	git grep -nIE '/wor[k]/|/tmp/brie[f]|/hom[e]/[a-z]' -- . | sed 's/^/    /'
}

tidy() {
	sources '*.[chS]' '*.sh' '*.py' Makefile | xargs grep -nHE '[ 	]+$' | sed 's/^/    trailing space: /'
	sources '*.[chS]' | xargs awk '!/^\/\* links: / {
		columns = 0
		parts = split($0, part, "\t")
		for (i = 1; i <= parts; i++) {
			columns += length(part[i])
			if (i < parts)
				columns += 8 - columns % 8
		}
		if (columns > 140)
			print "    " FILENAME ":" FNR ": " columns " columns"
	}'
}

outliers() {
	sources '*.c' | xargs awk -f tests/lint/length.awk
}

check "the core needs only memcpy, memmove, memset, memcmp and panic (host objects)" pure host
check "the same of the guest's objects" pure guest
check "the core has no data that changes" no_globals
check "folders include only what lies below them" tests/lint/includes.sh
check "postern.elf is laid out as promised" tests/lint/elf.sh "$O/postern.elf"
check "our guest objects use no vector registers" no_vector_code
check "the image's vector code only moves" only_vector_moves
check "every file names its licence" licensed
check "scripts parse" scripts_parse
check "no file names the place it was written in" no_workplace
check "no trailing space, no line far too long" tidy
outliers >"$scratch/out"
echo "  note    $(wc -l <"$scratch/out") long functions or files"
[ ! -s "$scratch/out" ] || cat "$scratch/out"
echo "lint: $passed passed, $failed failed"
[ "$failed" = 0 ]
