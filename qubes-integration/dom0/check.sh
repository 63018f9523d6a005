#!/bin/sh
# SPDX-License-Identifier: ISC
# Looks at what `make qubes` made: the files and no others, no scriptlets, the image unchanged, the
# same bytes when built again, and a signature that is refused when it should be.
#   check.sh IMAGE FOLDER
set -eu
image=$(realpath "$1")
out=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

check() { # what is so, then the command that says it
	what=$1
	shift
	if "$@" >"$scratch/said" 2>&1; then
		echo "  ok      $what"
	else
		failed=$((failed + 1))
		echo "  FAILED  $what"
		head -n 20 "$scratch/said"
	fi
}

kernel=$(ls "$out"/postern-kernel-*.x86_64.rpm)
formula=$(ls "$out"/postern-[0-9]*.noarch.rpm)
version=$(rpm -qp --qf '%{VERSION}' "$kernel" 2>/dev/null)
folder=/var/lib/qubes/vm-kernels/postern-$version

lists() { # package; the wanted names on standard input
	rpm -qlp "$1" 2>/dev/null | sort | diff - "$2"
}

{
	echo "$folder"
	echo "$folder/SHA256SUMS"
	[ ! -e "$out/SHA256SUMS.asc" ] || echo "$folder/SHA256SUMS.asc"
	echo "$folder/vmlinuz"
} | sort >"$scratch/kernel"
{
	echo /srv/salt/postern
	for f in "$here"/salt/*; do echo "/srv/salt/postern/$(basename "$f")"; done
	echo /usr/share/doc/postern
	for f in LICENSE guide.md troubleshooting.md; do echo "/usr/share/doc/postern/$f"; done
} | sort >"$scratch/formula"

nothing() { "$@" >"$scratch/nothing" 2>/dev/null; cat "$scratch/nothing"; [ ! -s "$scratch/nothing" ]; }
only_rpmlib() { ! rpm -qp --requires "$1" 2>/dev/null | grep -v '^rpmlib('; }
unchanged() {
	(cd "$scratch" && rpm2cpio "$1" | cpio -id --quiet) && cmp "$scratch$folder/vmlinuz" "$image"
}
again() {
	env -u SIGN VERSION="$version" "$here/build.sh" "$image" "$scratch/one"
	env -u SIGN VERSION="$version" TZ=Pacific/Auckland "$here/build.sh" "$image" "$scratch/two"
	cmp "$scratch/one/SHA256SUMS" "$scratch/two/SHA256SUMS"
}

check "the kernel package lists what it should and no more" lists "$kernel" "$scratch/kernel"
check "so does the formula's" lists "$formula" "$scratch/formula"
check "no scriptlets" nothing rpm -qp --scripts --triggers "$kernel" "$formula"
check "no dependencies" only_rpmlib "$kernel"
check "versions stand side by side" sh -c "rpm -qp --provides '$kernel' 2>/dev/null | grep -qx 'installonlypkg(vm)'"
check "the image in it is the image, bit for bit" unchanged "$kernel"
check "its version is in the formula" sh -c "rpm2cpio '$formula' | cpio -i --quiet --to-stdout ./srv/salt/postern/map.jinja | grep -q \"'$version'\""
check "SHA256SUMS is right" sh -c "cd '$out' && sha256sum --quiet --check SHA256SUMS"
check "built twice, the same bytes" again
check "the salt states" python3 "$here/check_salt.py" "$here/salt"
check "applied twice they change nothing, and they leave nothing behind" python3 "$here/check_apply.py" "$here/salt"

check "every line that it can print under Xen is explained" python3 "$here/check_lines.py" "$here/../.." "$here/troubleshooting.md"

# --- signatures, with keys made for this ------------------------------------------------------
keys() { # name: a key of its own, and its keyring in NAME.gpg
	mkdir -m 700 "$scratch/gnupg-$1"
	GNUPGHOME=$scratch/gnupg-$1 gpg --batch --quiet --passphrase '' --quick-generate-key "$1@postern.test" ed25519 sign never
	GNUPGHOME=$scratch/gnupg-$1 gpg --batch --quiet --export "$1@postern.test" >"$scratch/$1.gpg"
}
verify() { sh "$here/salt/verify.sh" "$scratch/signed" "$scratch/$1.gpg"; }
refuses() { ! verify "$1"; }

mkdir "$scratch/signed"
cp "$image" "$scratch/signed/vmlinuz"
(cd "$scratch/signed" && sha256sum vmlinuz >SHA256SUMS)
if keys trusted 2>"$scratch/said" && keys other 2>"$scratch/said"; then
	check "an unsigned image is refused" refuses trusted
	GNUPGHOME=$scratch/gnupg-trusted gpg --batch --quiet --armor --detach-sign --output "$scratch/signed/SHA256SUMS.asc" "$scratch/signed/SHA256SUMS"
	check "a signed image is taken" verify trusted
	check "another key's is refused" refuses other
	check "no keyring: refused" refuses nobody
	printf x >>"$scratch/signed/vmlinuz"
	check "a changed image is refused" refuses trusted
	cp "$image" "$scratch/signed/vmlinuz"
	echo "$(sha256sum "$image" | cut -d' ' -f1)  other" >"$scratch/signed/SHA256SUMS"
	check "a changed list is refused" refuses trusted
else
	cat "$scratch/said"
	failed=$((failed + 1))
fi
for name in trusted other; do
	GNUPGHOME=$scratch/gnupg-$name gpgconf --kill all 2>/dev/null || :
done
[ $failed = 0 ]
