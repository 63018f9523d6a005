#!/bin/sh
# SPDX-License-Identifier: ISC
# The tender with a guest that echoes, in both modes, in namespaces of its own.
#   O=build tests/lab/tender_echo.sh [spt|hvt]
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
O=${O:-$ROOT/build}
cd "$ROOT" || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

${CC:-gcc} -std=c11 -O2 -Wall -Wextra -Wconversion -Wshadow -Werror -ffreestanding -fno-pic -fno-pie \
	-mcmodel=small -mgeneral-regs-only -mno-red-zone -fstack-protector-strong -fcf-protection=none \
	-fno-asynchronous-unwind-tables -iquote tender -iquote netstack \
	-c -o "$scratch/main.o" tests/tender/echo_main.c || exit 1
guest=$O/guest
${CC:-gcc} -static -nostdlib -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-T,tender/guest/postern.ld \
	-o "$scratch/echo.elf" "$scratch/main.o" "$guest"/tender/guest/*.o \
	"$guest/netstack/text.c.o" "$guest/netstack/addr.c.o" "$guest/netstack/arena.c.o" || exit 1

modes=${1:-spt hvt}
[ -e /dev/kvm ] || [ -n "${1:-}" ] || modes=spt
status=0
for mode in $modes; do
	unshare -n timeout 120 python3 tests/lab/tender_echo.py "$mode" "$O/postern-tender" \
		"$scratch/echo.elf" "$scratch" || status=1
done
exit $status
