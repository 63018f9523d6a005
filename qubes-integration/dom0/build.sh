#!/bin/sh
# SPDX-License-Identifier: ISC
# Packs the image for dom0.   VERSION=0.1.0 [SIGN=KEY] build.sh IMAGE FOLDER
set -eu
image=$1
out=$2
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
mkdir -p "$out"
out=$(cd "$out" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
: "${SOURCE_DATE_EPOCH:=$(git -C "$top" log -1 --format=%ct 2>/dev/null || echo 0)}"
export SOURCE_DATE_EPOCH

stage=$scratch/stage
kernel=$stage/var/lib/qubes/vm-kernels/postern-$VERSION
install -d "$kernel" "$stage/srv/salt/postern" "$stage/usr/share/doc/postern"
install -m 644 "$image" "$kernel/vmlinuz"
(cd "$kernel" && sha256sum vmlinuz >SHA256SUMS)
if [ -n "${SIGN:-}" ]; then
	gpg --batch --yes --local-user "$SIGN" --armor --detach-sign --output "$kernel/SHA256SUMS.asc" "$kernel/SHA256SUMS"
fi
for f in "$here"/salt/*; do
	sed "s/@VERSION@/$VERSION/g" "$f" >"$stage/srv/salt/postern/$(basename "$f")"
done
install -m 644 "$here/guide.md" "$here/troubleshooting.md" "$top/LICENSE" "$stage/usr/share/doc/postern/"
# the modes do not depend on whose umask it was
find "$stage" -type d -exec chmod 755 {} +
find "$stage" -type f -exec chmod 644 {} +

rm -f "$out"/*.rpm "$out"/SHA256SUMS "$out"/SHA256SUMS.asc
rpmbuild -bb --quiet --target x86_64 \
	--define "_topdir $scratch/rpm" --define "_rpmdir $out" --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
	--define "postern_version $VERSION" --define "postern_stage $stage" \
	--define '_buildhost postern' --define 'use_source_date_epoch_as_buildtime 1' \
	--define 'clamp_mtime_to_source_date_epoch 1' --define '_binary_payload w9.gzdio' \
	--define '__os_install_post %{nil}' --define 'debug_package %{nil}' --define '_build_id_links none' \
	"$here/postern.spec"
if [ -n "${SIGN:-}" ]; then
	rpmsign --define "_gpg_name $SIGN" --define "__gpg $(command -v gpg)" --addsign "$out"/*.rpm >/dev/null
fi
cp "$image" "$out/postern.elf"
(cd "$out" && sha256sum postern.elf ./*.rpm | sed 's,\./,,' >SHA256SUMS)
if [ -n "${SIGN:-}" ]; then
	gpg --batch --yes --local-user "$SIGN" --armor --detach-sign --output "$out/SHA256SUMS.asc" "$out/SHA256SUMS"
fi
