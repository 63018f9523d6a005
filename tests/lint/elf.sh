#!/bin/sh
# SPDX-License-Identifier: ISC
# The image: ET_EXEC from 1 MiB up, segments sorted and apart, none writable and executable,
# no dynamic linking. Prints each offence.
#   elf.sh IMAGE
image=$1
status=0

offence() {
	echo "    $1"
	status=1
}

[ -f "$image" ] || { offence "$image is not there"; exit 1; }
readelf -hW "$image" | grep -qE 'Type: +EXEC ' || offence "not ET_EXEC"
readelf -lW "$image" | grep -q INTERP && offence "asks for an interpreter"
readelf -lW "$image" | grep -q DYNAMIC && offence "has a dynamic segment"
readelf -rW "$image" | grep -q 'no relocations' || offence "has relocations"
[ -z "$(nm -u "$image")" ] || offence "undefined: $(nm -u "$image" | tr '\n' ' ')"
readelf -lW "$image" | grep -E 'GNU_STACK.*E ' && offence "executable stack"

# LOAD off 0xvaddr 0xpaddr 0xfilesz 0xmemsz flags align: hexadecimal compares as text
# once it has the same number of digits, which readelf gives it.
loads=$(readelf -lW "$image" | awk '$1 == "LOAD" {
	flags = ""
	for (i = 7; i < NF; i++) flags = flags $i
	print $3, $6, flags
}')
[ -n "$loads" ] || offence "has no segments"
end=$((0x100000))
while read -r address size flags; do
	case $flags in *W*E*) offence "segment $address is writable and executable" ;; esac
	[ $((address)) -ge "$end" ] ||
		offence "segment $address lies below 1 MiB or before the end of the last"
	end=$((address + size))
done <<END
$loads
END
exit $status
