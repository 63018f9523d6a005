#!/bin/sh
# SPDX-License-Identifier: ISC
# Runs every test and counts: the last line says how many passed and failed.
O=${O:-build}
cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0

count() { # what was run, its exit status
	if [ "$2" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $1"; fi
}

for part in unit asan fuzz-replay lint lab diff test-web test-xen; do
	echo "== $part"
	began=$(date +%s)
	make --no-print-directory -j "$(nproc)" O="$O" "$part"
	count "$part" $?
	echo "== $part took $(($(date +%s) - began)) s"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
