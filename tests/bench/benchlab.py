# SPDX-License-Identifier: ISC
"""The same three machines twice: around the Linux kernel's nftables, and around Postern.

    client namespace                firewall                       uplink namespace
   +------------------+      kernel: namespace, veths,        +----------------------+
   | eth0 10.137.0.5  +----  Qubes' nft tables           ----+ up0 10.200.0.1        |
   +------------------+      Postern: the tender, its taps    +----------------------+
    default via 10.137.0.1          10.200.0.2

Both exist for the whole run; the one not measured sees no packet. Every namespace is named
after this process and goes on every way out, processes are ended by their pid.
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

CLIENT, GATEWAY, FW, SERVER = "10.137.0.5", "10.137.0.1", "10.200.0.2", "10.200.0.1"
CLIENT_MAC, FW_MAC = "02:00:00:00:01:05", "fe:ff:ff:ff:ff:ff"
FW_UP_MAC, UP_MAC = "02:00:00:00:00:02", "02:00:00:00:00:01"
PORT, PORT_LAST = 7000, 7999
CONNTRACK_MAX = "/proc/sys/net/netfilter/nf_conntrack_max"

QUBES = """
table ip qubes {
 set downstream { type ipv4_addr; elements = { %(client)s } }
 set allowed { type ifname . ipv4_addr; elements = { "vif1.0" . %(client)s } }
 chain prerouting { type filter hook prerouting priority raw; policy accept
  iifgroup 2 goto antispoof
  ip saddr @downstream counter drop;
 }
 chain antispoof {
  iifname . ip saddr @allowed accept
  counter drop;
 }
 chain postrouting { type nat hook postrouting priority srcnat; policy accept
  oifgroup 2 accept
  oif lo accept
  masquerade;
 }
 chain input { type filter hook input priority filter; policy drop
  jump custom-input
  ct state invalid counter drop
  iifgroup 2 udp dport 68 counter drop
  ct state related,established accept
  iifgroup 2 meta l4proto icmp accept
  iif lo accept
  iifgroup 2 counter reject with icmp host-prohibited;
 }
 chain forward { type filter hook forward priority filter; policy accept
  jump custom-forward
  ct state invalid counter drop
  ct state related,established accept
  oifgroup 2 counter drop;
 }
 chain custom-input { }
 chain custom-forward { }
}
table ip qubes-firewall {
 chain prerouting { type filter hook prerouting priority -300; policy accept;
  iifname != "vif*" ip saddr { %(client)s } drop
 }
 chain postrouting { type filter hook postrouting priority -300; policy accept
  oifname != "vif*" ip daddr { %(client)s } drop
 }
 chain qbs-10-137-0-5 {
%(rules)s
 }
 chain qubes-forward {
  ip saddr %(client)s jump qbs-10-137-0-5
 }
 chain forward { type filter hook forward priority filter; policy drop
  ct state established,related accept
  iifname != "vif*" accept
  jump qubes-forward;
 }
}
"""


def run(*command, check=True, **more):
    r = subprocess.run(command, capture_output=True, text=True, timeout=60, **more)
    if check and r.returncode:
        raise RuntimeError("%s: %s" % (" ".join(command), (r.stderr or r.stdout).strip()[-400:]))
    return r.stdout


def ip(*words):
    run("ip", *words)


def fillers(count):
    """count rules that match nothing the benchmark sends: (address, protocol, port)."""
    return [("203.0.%d.%d" % (i // 250, i % 250), ("tcp", "udp")[i % 2], 1000 + i) for i in range(count)]


class Lab:
    """What both sides have: namespaces, processes, a way to say it all back."""

    def __init__(self, out, firewall_cpu):
        self.out = out
        self.tag = "bench%d" % os.getpid()
        self.firewall_cpu = firewall_cpu
        self.namespaces, self.processes = [], []
        self.folder = tempfile.mkdtemp(prefix="postern-bench.")

    def namespace(self, name):
        name = "%s-%s" % (self.tag, name)
        ip("netns", "add", name)
        self.namespaces.append(name)
        ip("-n", name, "link", "set", "lo", "up")
        for key, value in (("net.ipv6.conf.all.disable_ipv6", "1"),
                           ("net.ipv6.conf.default.disable_ipv6", "1"),
                           ("net.ipv4.ip_local_port_range", "1024 65535"),
                           ("net.ipv4.tcp_max_syn_backlog", "65536"),
                           ("net.core.somaxconn", "65535")):
            run("ip", "netns", "exec", name, "sysctl", "-qw", "%s=%s" % (key, value), check=False)
        return name

    def client(self, ns):
        ip("-n", ns, "addr", "add", CLIENT + "/32", "dev", "eth0")
        ip("-n", ns, "link", "set", "eth0", "address", CLIENT_MAC, "up")
        ip("-n", ns, "route", "add", "default", "via", GATEWAY, "dev", "eth0", "onlink")

    def uplink(self, ns):
        ip("-n", ns, "link", "set", "up0", "address", UP_MAC, "up")
        ip("-n", ns, "addr", "add", SERVER + "/24", "dev", "up0")

    def start(self, log, *command, cpu=None):
        def pin():
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})
        with open(os.path.join(self.folder, log), "ab") as f:
            p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=f, stderr=f, preexec_fn=pin)
        self.processes.append(p)
        return p

    def end(self, p):
        if p.poll() is None:
            p.terminate()
            try:
                p.wait(3)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        if p in self.processes:
            self.processes.remove(p)

    def close(self):
        for p in reversed(list(self.processes)):
            self.end(p)
        for ns in self.namespaces:
            for pid in run("ip", "netns", "pids", ns, check=False).split():
                os.kill(int(pid), signal.SIGKILL) # only what runs inside what we made
            run("ip", "netns", "del", ns, check=False)
        self.namespaces = []
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- measuring ---------------------------------------------------------------
    def gen(self, verb, *words, ns=None, secs=1.0):
        said = run(self.out + "/bench/gen", verb, "--ns", ns or self.client_ns, "--secs", str(secs), *words,
                   check=False)
        try:
            return json.loads(said)
        except ValueError:
            raise RuntimeError("%s: gen %s says %r" % (self.name, verb, said)) from None

    def catch(self, on):
        """Counts and drops the benchmark's datagrams where they arrive: no host stack behind."""
        run("ip", "netns", "exec", self.up_ns, "nft", "delete table netdev bench", check=False)
        if on:
            run("ip", "netns", "exec", self.up_ns, "nft", "-f", "-", input="""
table netdev bench { chain arrive { type filter hook ingress device up0 priority 0; policy accept
 ip saddr %s udp dport %d-%d counter drop
 }
}""" % (FW, PORT, PORT_LAST))

    def caught(self):
        said = json.loads(run("ip", "netns", "exec", self.up_ns, "nft", "-j", "list table netdev bench"))
        for entry in said["nftables"]:
            for word in entry.get("rule", {}).get("expr", []):
                if "counter" in word:
                    return word["counter"]["packets"]
        raise RuntimeError("the counter is gone")


class Kernel(Lab):
    name = "kernel"

    def __init__(self, out, firewall_cpu):
        super().__init__(out, firewall_cpu)
        self.conntrack_max = None

    def open(self):
        c, f, u = (self.namespace("k" + n) for n in "cfu")
        self.client_ns, self.fw_ns, self.up_ns = c, f, u
        ip("link", "add", "eth0", "netns", c, "type", "veth", "peer", "name", "vif1.0", "netns", f)
        ip("link", "add", "up0", "netns", u, "type", "veth", "peer", "name", "eth0", "netns", f)
        ip("-n", f, "link", "set", "vif1.0", "address", FW_MAC, "group", "2", "up")
        ip("-n", f, "addr", "add", GATEWAY + "/32", "dev", "vif1.0")
        ip("-n", f, "route", "add", CLIENT + "/32", "dev", "vif1.0")
        ip("-n", f, "link", "set", "eth0", "address", FW_UP_MAC, "group", "1", "up")
        ip("-n", f, "addr", "add", FW + "/24", "dev", "eth0")
        self.client(c)
        self.uplink(u)
        ip("-n", f, "route", "add", "default", "via", SERVER)
        for ns, addr, mac, dev in ((c, GATEWAY, FW_MAC, "eth0"), (f, CLIENT, CLIENT_MAC, "vif1.0"),
                                   (f, SERVER, UP_MAC, "eth0"), (u, FW, FW_UP_MAC, "up0")):
            ip("-n", ns, "neigh", "replace", addr, "lladdr", mac, "dev", dev, "nud", "permanent")
        run("ip", "netns", "exec", f, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0",
            "net.ipv4.conf.vif1/0.proxy_arp=1")
        self.rules(0)
        self.more_conntrack()

    def more_conntrack(self):
        """A full table would drop new flows: the kernel is given room, and has its own value back after."""
        try:
            with open(CONNTRACK_MAX, encoding="ascii") as f:
                was = int(f.read())
            if was < 1 << 22:
                with open(CONNTRACK_MAX, "w", encoding="ascii") as f:
                    f.write(str(1 << 22))
                self.conntrack_max = was
        except OSError as e:
            print("  the kernel's conntrack limit stays as it is: %s" % e)

    def close(self):
        if self.conntrack_max:
            with open(CONNTRACK_MAX, "w", encoding="ascii") as f:
                f.write(str(self.conntrack_max))
            self.conntrack_max = None
        super().close()

    def rules(self, count):
        lines = ["  ip protocol %s ip daddr %s %s dport %d accept" % (proto, addr, proto, port)
                 for addr, proto, port in fillers(max(count - 1, 0))]
        lines += ["  ip daddr %s accept" % SERVER, "  reject with icmp admin-prohibited"]
        text = "flush ruleset\n" + QUBES % {"client": CLIENT, "rules": "\n".join(lines)}
        run("ip", "netns", "exec", self.fw_ns, "nft", "-f", "-", input=text)

    def forget(self):
        self.gen("ctflush", ns=self.fw_ns)

    def cpu(self):
        return 0.0 # all of it is in the generator's own sends


class Postern(Lab):
    name = "postern"

    def __init__(self, out, firewall_cpu, mem=128, port="tap"):
        super().__init__(out, firewall_cpu)
        self.mem, self.port = mem, port
        self.store = self.tender = None
        self.env = dict(os.environ, POSTERN_STORE=self.folder + "/store.sock",
                        POSTERN_CONTROL=self.folder + "/control.sock")

    def open(self):
        c, u = (self.namespace(self.port + n) for n in "cu")
        self.client_ns, self.up_ns = c, u
        self.port_ns = {"eth0": c, "up0": u}
        if self.port != "tap":
            self.port_ns = dict.fromkeys(("eth0", "up0"), self.namespace(self.port + "f"))
        for ns, dev in ((c, "eth0"), (u, "up0")):
            if self.port == "tap":
                ip("-n", ns, "tuntap", "add", "dev", dev, "mode", "tap")
                ip("-n", ns, "link", "set", dev, "txqueuelen", "10000")
            else:
                ip("link", "add", dev, "netns", ns, "type", "veth", "peer", "name", "f" + dev,
                   "netns", self.port_ns[dev])
                ip("-n", self.port_ns[dev], "link", "set", "f" + dev, "up")
                if self.port == "xdp":
                    self.plain_checksums(ns, dev)
        self.client(c)
        self.uplink(u)
        self.store = self.start("store.log", self.out + "/postern-store", "--db", self.folder + "/store.db",
                                "--socket", self.env["POSTERN_STORE"], "--link", self.folder + "/link")
        self.wait(lambda: os.path.exists(self.env["POSTERN_STORE"]), 5, "the store")
        self.boot()
        self.rules(0)

    @staticmethod
    def plain_checksums(ns, dev):
        """AF_XDP has no word for checksums that a local sender left to others: no tx offloads there."""
        run("ip", "netns", "exec", ns, "python3", "-c", """
import array, fcntl, socket, struct
for command in (0x17, 0x1f, 0x24): # ETHTOOL_STXCSUM, STSO, SGSO
    value = array.array("B", struct.pack("II", command, 0))
    fcntl.ioctl(socket.socket(), 0x8946, struct.pack("16sP16x", b"%s", value.buffer_info()[0]))""" % dev)

    def spec(self, dev):
        if self.port == "tap":
            return "tap=%s,netns=%s" % (dev, self.port_ns[dev])
        return "%s=f%s,netns=%s" % (self.port, dev, self.port_ns[dev])

    def command(self, **more):
        mem = more.get("mem", self.mem)
        return [self.out + "/postern-tender", "--image", self.out + "/postern.elf", "--mode", "spt", *(["--mem", str(mem)] if mem else []),
                "--uplink", self.spec("up0") + ",ip=%s/24,gateway=%s,mac=%s" % (FW, SERVER, FW_UP_MAC),
                "--client", self.spec("eth0") + ",ip=%s,name=c1,mac=%s" % (CLIENT, CLIENT_MAC),
                "--store", self.folder + "/link", "--control", self.env["POSTERN_CONTROL"]]

    def boot(self, **more):
        self.tender = self.start("tender.log", *self.command(**more), cpu=self.firewall_cpu)
        self.wait(self.answers, 5, "the appliance")

    def halt(self):
        self.end(self.tender)

    def status(self):
        return json.loads(run(self.out + "/postern", "status", "-j", env=self.env))

    def answers(self):
        return subprocess.run([self.out + "/postern", "status"], env=self.env, timeout=20,
                              capture_output=True, check=False).returncode == 0

    def wait(self, true, secs, what):
        end = time.monotonic() + secs
        while not true():
            if time.monotonic() > end:
                log = os.path.join(self.folder, "tender.log")
                tail = open(log, errors="replace").read()[-600:] if os.path.exists(log) else ""
                raise RuntimeError("%s does not answer\n%s" % (what, tail))
            time.sleep(0.02)

    def rules(self, count):
        lines = ["action=accept dst4=%s/32 proto=%s dstports=%d-%d" % (addr, proto, port, port)
                 for addr, proto, port in fillers(max(count - 1, 0))]
        lines += ["action=accept dst4=%s/32" % SERVER]
        run(self.out + "/postern", "rules", "set", "--wait", CLIENT, "-", input="\n".join(lines) + "\n",
            env=self.env)

    def forget(self):
        pass # its table makes room by itself

    def pids(self):
        found = [self.tender.pid]
        for pid in found:
            for task in os.listdir("/proc/%d/task" % pid):
                with open("/proc/%d/task/%s/children" % (pid, task), encoding="ascii") as f:
                    found += [int(p) for p in f.read().split()]
        return found

    def cpu(self):
        ticks = 0
        for pid in self.pids():
            with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as f:
                words = f.read().rpartition(")")[2].split()
            ticks += int(words[11]) + int(words[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def rss_kib(self):
        """Shared pages once: the sum of the proportional sizes."""
        total = 0
        for pid in self.pids():
            with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
                total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        return total
