#!/bin/sh
# SPDX-License-Identifier: ISC
# Is the image in FOLDER the one that a key of KEYRING signed?   verify.sh FOLDER KEYRING
# The last line is for salt's `stateful`.
set -u

no() {
	echo "changed=no comment='$1'"
	exit 1
}

[ -r "$1/vmlinuz" ] || no "$1/vmlinuz is not there: install postern-kernel, or copy it with its SHA256SUMS and SHA256SUMS.asc"
[ -r "$2" ] || no "$2 is not there: put the key you trust into it (see guide.md)"
[ -r "$1/SHA256SUMS.asc" ] || no "$1/SHA256SUMS.asc is not there: the image was built without a key"
# gpgv trusts the keys of this keyring and no others
gpgv --quiet --keyring "$2" "$1/SHA256SUMS.asc" "$1/SHA256SUMS" 2>&1 || no "no key of $2 signed $1/SHA256SUMS"
# one line, about this file: a list that says nothing of it verifies nothing
grep -qxE '[0-9a-f]{64}  vmlinuz' "$1/SHA256SUMS" || no "$1/SHA256SUMS does not speak of vmlinuz"
(cd "$1" && sha256sum --quiet --strict --check SHA256SUMS 2>&1) || no "$1/vmlinuz is not what was signed"
echo "changed=no comment='the image is the one that was signed'"
