#!/bin/sh
# SPDX-License-Identifier: ISC
# Instructions a packet, counted by callgrind: the same on every machine and every run.
#   instructions.sh CORE WORKLOAD...
core=$1
shift
if ! command -v valgrind >/dev/null; then
	echo "valgrind is not installed: no instruction counts"
	exit 0
fi
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
for w; do
	timeout 120 valgrind --tool=callgrind --toggle-collect=core_burst \
		--callgrind-out-file="$scratch/out" "$core" --callgrind="$w" >"$scratch/says" 2>"$scratch/log" ||
		{ tail -n 5 "$scratch/log" >&2; exit 1; }
	packets=$(awk '{print $3}' "$scratch/says")
	awk -v n="$packets" -v w="$w" '/^summary:|^totals:/ {i = $2}
		END {printf "%-18s %9.1f instructions a packet\n", w, i / n}' "$scratch/out"
done
