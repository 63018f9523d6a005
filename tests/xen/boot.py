#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Boots Xen in QEMU and runs the scripts of tests/xen/dom0 in its dom0.

    boot.py [-k] [-t SECONDS] [-g IMAGE] LAB IMAGE [NAME...]   runs NAME_test.sh of each, else all but LONG

Programs that the scripts call are tests/xen/*.c, built here against Xen's libraries (the first
line of each names them: /* libs: xenvchan xenstore */). Prints what the scripts report; the whole
serial log stays in LAB/serial.log. -g takes another guest's image along. -k keeps the log's lines on the terminal.
Status: 0 all passed, 1 something failed, 2 usage, 3 Xen or dom0 did not come up.
"""
import argparse
import glob
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from lab import Cpio, Lab  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
# the rings' and the bytes' own headers, for a frontend in a program
QUOTE = [os.path.join(HERE, "../..", folder) for folder in ("qubes-integration/xen", "netstack")]
# What QEMU's emulation of SVM gets wrong is masked: SMAP in user mode, MWAIT's hints, RDTSCP's
# exit code, and the wider registers across VMRUN.
CPU = "EPYC,-smap,-monitor,-rdtscp,-avx,-avx2,-fma,-f16c,-xsave,-xsaveopt,-xsavec,-xgetbv1,-xsaves"
XEN = ("console=com1 com1=115200,8n1 dom0_mem=512M,max:512M dom0_max_vcpus=1 noreboot=1 cpuidle=0 cpufreq=none "
       "spec-ctrl=eager-fpu loglvl=warning guest_loglvl=all")
DOM0 = "console=hvc0 loglevel=4 mitigations=off"
EXIT_PORT = "0xf4"  # what dom0 writes here, QEMU ends with: (value << 1) | 1
MEMORY_MIB = 1536
FROZEN_S = 30      # without CPU time: even a host with nothing to do keeps time; QEMU itself has stopped
FROZEN_MAX = 2     # times that a run goes on after that
LONG = {"load"}  # run by name only
SAY = re.compile(r"(PASS|FAIL|NOTE|TEST|GUEST|SKIP)( |$)")


def tools(lab, scratch):
    built = []
    for source in sorted(glob.glob(os.path.join(HERE, "*.c"))):
        with open(source) as f:
            libs = re.match(r"/\* libs: *(.*?) *\*/", f.readline())
        if not libs:
            continue
        program = os.path.join(scratch, os.path.basename(source)[:-2])
        folder = os.path.join(lab.root, "usr/lib/x86_64-linux-gnu")
        subprocess.run([os.environ.get("CC", "gcc"), "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror",
                        "-I" + os.path.join(lab.root, "usr/include")] +
                       [word for folder in QUOTE for word in ("-iquote", folder)] + ["-o", program, source,
                        "-L" + folder, "-Wl,-rpath-link," + folder] + ["-l" + l for l in libs.group(1).split()],
                       check=True)
        built.append(program)
    return built


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def payload(lab, images, names, scratch):
    cpio = Cpio()
    cpio.file("init", os.path.join(HERE, "dom0/init"))
    sums = ""
    for image in images:
        cpio.file("test/" + os.path.basename(image), image)
        sums += "%s  %s\n" % (sha256(image), os.path.basename(image))
    cpio.bytes("test/SHA256SUMS", sums.encode(), 0o644)
    for script in sorted(glob.glob(os.path.join(HERE, "dom0/*.sh"))):
        cpio.file("test/" + os.path.basename(script), script)
    cpio.file("test/guide.md", os.path.join(HERE, "../../qubes-integration/dom0/guide.md"), 0o644)
    cpio.bytes("test/names", "".join(n + "\n" for n in names).encode(), 0o644)
    lab.programs_into(cpio, tools(lab, scratch))
    return cpio.done()


def qemu(lab, initrd):
    # commas part the modules of -initrd: one within a command line is written twice
    modules = "%s %s,%s" % (os.path.join(lab.boot, "vmlinux"), DOM0.replace(",", ",,"), initrd)
    return ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", CPU, "-m", str(MEMORY_MIB),
            "-smp", "1", "-display", "none", "-nodefaults", "-no-reboot",
            "-device", "isa-debug-exit,iobase=%s,iosize=0x04" % EXIT_PORT, "-serial", "stdio",
            "-kernel", os.path.join(lab.boot, "xen"), "-append", XEN, "-initrd", modules]


def cpu_s(pid):
    with open("/proc/%d/stat" % pid) as f:
        user, system = f.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class Boot:
    """One of QEMU's lives: the serial line goes to the log with its times, the words SAY looks for to the terminal."""

    def __init__(self, command, log, keep, limit):
        self.log, self.keep, self.limit = log, keep, limit
        self.test, self.failed = None, 0 # the script that runs; those that failed before it
        self.frozen = False
        self.ended = threading.Event()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)

    def guard(self):
        """Ends QEMU when its time is over, or when it has come to a standstill."""
        started = moved = time.monotonic()
        spent = 0.0
        while not self.ended.wait(2):
            now, cpu = time.monotonic(), cpu_s(self.process.pid)
            if cpu > spent + 0.05:
                spent, moved = cpu, now
            self.frozen = now - moved > FROZEN_S
            if self.frozen or now - started > self.limit:
                self.process.kill()
                return

    def line(self, text):
        self.log.write("[%7.2f] %s\n" % (time.monotonic() - self.started, text))
        if self.keep or SAY.match(text):
            print("  " + text, flush=True)
        if text.startswith("TEST "):
            self.test = text.split()[1]
        self.failed += text.startswith("FAIL %s: status " % self.test)

    def run(self):
        """The number that dom0 ended QEMU with; None: none."""
        self.started = time.monotonic()
        guard = threading.Thread(target=self.guard)
        guard.start()
        try:
            for raw in self.process.stdout:
                self.line(raw.decode("utf-8", "replace").rstrip("\r\n"))
        finally:
            self.process.kill()
            self.ended.set()
            guard.join()
            status = self.process.wait()
        return status >> 1 if status > 0 and status & 1 else None


def run(lab, args, names, log):
    """How many scripts failed; None: there is no verdict."""
    limit, failed = time.monotonic() + args.t, 0
    for life in range(1 + FROZEN_MAX):
        with tempfile.TemporaryDirectory() as scratch:
            initrd = os.path.join(scratch, "initrd")
            with open(initrd, "wb") as f, open(os.path.join(lab.boot, "dom0.cpio"), "rb") as base:
                f.write(base.read())
                f.write(payload(lab, [args.image] + args.g, names, scratch))
            boot = Boot(qemu(lab, initrd), log, args.k, limit - time.monotonic())
            verdict = boot.run()
        if verdict is not None or not boot.frozen:
            return None if verdict is None else failed + verdict
        print("  NOTE QEMU as a whole stood still for %d s, in %s: %s" % (
            FROZEN_S, boot.test, "from there again" if life < FROZEN_MAX else "once too often"), flush=True)
        failed += boot.failed
        names = names[names.index(boot.test):] if boot.test else names
    return None


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("-k", action="store_true")
    p.add_argument("-t", type=float, default=float(os.environ.get("XEN_SECONDS", 1800)))
    p.add_argument("-g", action="append", default=[])
    p.add_argument("lab")
    p.add_argument("image")
    p.add_argument("names", nargs="*")
    args = p.parse_args()
    every = [os.path.basename(s)[:-len("_test.sh")] for s in sorted(glob.glob(os.path.join(HERE, "dom0/*_test.sh")))]
    names = args.names or [name for name in every if name not in LONG]
    lab = Lab(args.lab)
    lab.build()
    path = os.environ.get("XEN_LOG", os.path.join(lab.folder, "serial.log"))
    started = time.monotonic()
    with open(path, "w", buffering=1) as log:
        verdict = run(lab, args, names, log)
    seconds = time.monotonic() - started
    if verdict == 0:
        print("xen: all passed in %.0f s" % seconds)
        return 0
    if verdict is None:
        print("xen: no verdict after %.0f s" % seconds)
    else:
        print("xen: %d failed, %.0f s" % (verdict, seconds))
    with open(path) as log:
        print("".join(log.readlines()[-60:]))
    print("the serial log: " + path)
    return 1 if verdict else 3


if __name__ == "__main__":
    sys.exit(main())
