#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Makes a Xen host to boot in QEMU: hypervisor, dom0 kernel and dom0's files, all from Debian's
packages, which are fetched and unpacked in a folder and installed nowhere.

    lab.py FOLDER     leaves FOLDER/boot/{xen,vmlinux,dom0.cpio}; does nothing when they are there
"""
import glob
import gzip
import io
import lzma
import os
import re
import shutil
import struct
import subprocess
import sys

PACKAGES = """xen-hypervisor-4.17-amd64 xen-utils-4.17 xen-utils-common xenstore-utils libxenmisc4.17 libxencall1
libxendevicemodel1 libxenevtchn1 libxenforeignmemory1 libxengnttab1 libxenhypfs1 libxenstore4 libxentoolcore1
libxentoollog1 libxen-dev libyajl2 libext2fs2 libuuid1 liblzma5 libzstd1 zlib1g libnl-route-3-200 libnl-3-200
libncurses6 libtinfo6 libc6 libgcc-s1 busybox-static""".split()

MODULES = ["xen-evtchn", "xen-gntdev", "xen-gntalloc", "xen-privcmd", "xenfs", "xen-netback", "xen-netfront"]
XEN_BIN = "usr/lib/xen-4.17/bin"
PROGRAMS = ["xl", "xenstored", "xenconsoled", "xen-init-dom0", "libxl-save-helper"]
LIBRARY_FOLDERS = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"]
# Loaded by name while running, so that nothing says it is needed.
ALSO_NEEDED = ["libgcc_s.so.1"]


def run(*words, **more):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


# --- initramfs -----------------------------------------------------------------------------------

class Cpio:
    """The `newc` format, which Linux unpacks; several may stand one after another."""

    def __init__(self):
        self.out = io.BytesIO()
        self.inode = 0
        self.folders = {""}

    def _entry(self, name, mode, data=b""):
        self.inode += 1
        name = name.encode() + b"\0"
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
        self._padded(b"070701" + b"".join(b"%08x" % f for f in fields) + name)
        self._padded(data)

    def _padded(self, data):
        self.out.write(data + b"\0" * (-len(data) % 4))

    def folder(self, path):
        if path not in self.folders:
            self.folder(os.path.dirname(path))
            self.folders.add(path)
            self._entry(path, 0o40755)

    def bytes(self, path, data, mode=0o755):
        self.folder(os.path.dirname(path))
        self._entry(path, 0o100000 | mode, data)

    def file(self, path, source, mode=0o755):
        with open(source, "rb") as f:
            self.bytes(path, f.read(), mode)

    def link(self, path, to):
        self.folder(os.path.dirname(path))
        self._entry(path, 0o120777, to.encode())

    def done(self):
        self._entry("TRAILER!!!", 0)
        self.out.write(b"\0" * (-self.out.tell() % 512))
        return self.out.getvalue()


class Lab:
    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.root = os.path.join(self.folder, "root")
        self.boot = os.path.join(self.folder, "boot")

    # --- packages ------------------------------------------------------------------------------

    def download(self, debs):
        # the kernel's package is named after its version, which the metapackage knows
        depends = run("apt-cache", "depends", "linux-image-amd64")
        kernel = re.search(r"Depends: (linux-image-\d\S*)", depends)
        if not kernel:
            raise subprocess.CalledProcessError(1, "apt-cache")
        wanted = PACKAGES + [kernel.group(1)]
        missing = [p for p in wanted if not glob.glob(os.path.join(debs, p + "_*.deb"))]
        if missing:
            print("  XEN	fetching %d packages" % len(missing), flush=True)
            run("apt-get", "download", "-qq", *missing, cwd=debs)
        return wanted

    def fetch(self):
        debs = os.path.join(self.folder, "debs")
        os.makedirs(debs, exist_ok=True)
        try:
            wanted = self.download(debs)
        except subprocess.CalledProcessError: # the lists may be old or empty
            run("apt-get", "update", "-qq")
            wanted = self.download(debs)
        if not os.path.exists(os.path.join(self.root, ".unpacked")):
            shutil.rmtree(self.root, ignore_errors=True)
            os.makedirs(self.root)
            for p in wanted:
                run("dpkg", "-x", sorted(glob.glob(os.path.join(debs, p + "_*.deb")))[-1], self.root)
            open(os.path.join(self.root, ".unpacked"), "w").close()

    def find(self, pattern):
        found = sorted(glob.glob(os.path.join(self.root, pattern), recursive=True))
        if not found:
            raise SystemExit("not in the packages: " + pattern)
        return found[0]

    # --- kernels -------------------------------------------------------------------------------

    def xen(self):
        with gzip.open(self.find("boot/xen-4.17-amd64.gz")) as f:
            return f.read()

    def vmlinux(self):
        """The kernel uncompressed: unpacking xz takes an emulated CPU many seconds."""
        with open(self.find("boot/vmlinuz-*"), "rb") as f:
            image = f.read()
        setup_sectors = image[0x1f1] or 4
        offset, length = struct.unpack_from("<II", image, 0x248)
        at = (setup_sectors + 1) * 512 + offset
        return lzma.LZMADecompressor().decompress(image[at:at + length])

    # --- dom0's files ----------------------------------------------------------------------------

    def library(self, name):
        for folder in LIBRARY_FOLDERS:
            path = os.path.join(self.root, folder, name)
            if os.path.lexists(path):
                return path
        raise SystemExit("no library " + name)

    def libraries(self, programs):
        """All that these programs name, and what those name in turn."""
        todo, seen = list(programs), {}
        while todo:
            for name in re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", todo.pop())):
                if name not in seen:
                    seen[name] = self.library(name)
                    todo.append(seen[name])
        return seen

    def modules(self):
        """Kernel modules, each behind those it depends on."""
        order = {}

        def add(name):
            name = name.replace("-", "_")
            if name in order:
                return
            path = next((m for m in everything if os.path.basename(m)[:-3].replace("-", "_") == name), None)
            if not path:
                return  # built in
            info = run("objcopy", "-O", "binary", "--only-section=.modinfo", path, "/dev/stdout")
            for other in re.search(r"\0?depends=([^\0]*)", info).group(1).split(","):
                add(other)
            order[name] = path

        everything = glob.glob(os.path.join(self.root, "lib/modules/*/kernel/**/*.ko"), recursive=True)
        for name in MODULES:
            add(name)
        return order

    def programs_into(self, cpio, programs):
        """Programs to /bin, their libraries to where the loader looks."""
        for p in programs:
            cpio.file("bin/" + os.path.basename(p), p)
        for name, path in self.libraries(programs).items():
            cpio.file("lib/x86_64-linux-gnu/" + name, path)

    def dom0(self):
        cpio = Cpio()
        for folder in ("dev", "proc", "sys", "tmp", "run", "root", "var/lib/xen", "var/lib/xenstored",
                       "var/log/xen", "etc/xen/scripts", "lib64"):
            cpio.folder(folder)
        busybox = self.find("bin/busybox")
        cpio.file("bin/busybox", busybox)
        for applet in run(busybox, "--list").split():
            if applet != "busybox":
                cpio.link("bin/" + applet, "busybox")
        tools = [self.find(os.path.join(XEN_BIN, p)) for p in PROGRAMS] + [self.find("usr/bin/xenstore")]
        for name in ALSO_NEEDED + ["ld-linux-x86-64.so.2"]:
            cpio.file("lib/x86_64-linux-gnu/" + name, self.library(name))
        cpio.link("lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
        self.programs_into(cpio, tools)
        cpio.link(os.path.join(XEN_BIN, "libxl-save-helper"), "/bin/libxl-save-helper")
        for verb in ("chmod", "exists", "list", "ls", "read", "rm", "watch", "write"):
            cpio.link("bin/xenstore-" + verb, "xenstore")
        order = self.modules()
        for name, path in order.items():
            cpio.file("modules/%s.ko" % name, path)
        cpio.bytes("modules/order", ("\n".join(order) + "\n").encode(), 0o644)
        cpio.bytes("etc/xen/xl.conf", b"", 0o644)
        cpio.bytes("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644)
        cpio.link("var/run", "/run")
        cpio.link("var/lock", "/run/lock")
        return cpio.done()

    def build(self):
        parts = {"xen": self.xen, "vmlinux": self.vmlinux, "dom0.cpio": self.dom0}
        if all(os.path.exists(os.path.join(self.boot, p)) for p in parts):
            return
        self.fetch()
        os.makedirs(self.boot, exist_ok=True)
        for name, make in parts.items():
            print("  XEN	" + name, flush=True)
            path = os.path.join(self.boot, name)
            with open(path + ".new", "wb") as f:
                f.write(make())
            os.rename(path + ".new", path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    Lab(sys.argv[1]).build()
