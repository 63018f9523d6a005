#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Postern against the Linux kernel's nftables: the same machines, rules and traffic, in turns.

    bench.py            everything; environment: O=build RUNS=5 ONLY=name,name LIMIT=540 (seconds)
                        PORT_TYPE=tap (packet, xdp; else what serves each workload best)
                        MEM=128 SECS=0.8 GEN_CPU=0 FW_CPU=1 PRIORITY=0 (e.g. -15)
Writes out/bench/bench.json, bench.svg and machine.json. How to read them: README.md.
"""
import json
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from benchlab import CLIENT, FW_MAC, PORT, SERVER, Kernel, Postern, run
import benchreport
import slices
from benchreport import WORKLOADS, Result

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(ROOT, os.environ.get("O", "build"))
RUNS = int(os.environ.get("RUNS") or 5)
LIMIT = float(os.environ.get("LIMIT") or 540)
SECS = float(os.environ.get("SECS") or 0.8)
LAST_CPU = (os.cpu_count() or 1) - 1
GEN_CPU = min(int(os.environ.get("GEN_CPU") or 0), LAST_CPU)
FW_CPU = min(int(os.environ.get("FW_CPU") or 1), LAST_CPU)
HERE = os.path.dirname(os.path.abspath(__file__))
TCP_SECS = 1.5
SLICES_SECS = float(os.environ.get("SLICES_SECS") or 60)
ECHO_PPS = 60000.0

begun = time.monotonic()
fresh_first = 0


def pps_words(payload, flows):
    return ["--dev", "eth0", "--dmac", FW_MAC, "--src", CLIENT, "--dst", SERVER, "--port", str(PORT),
            "--payload", str(payload), "--flows", str(flows), "--cpu", str(GEN_CPU)]


# --- what one measurement is -------------------------------------------------------
def establish(lab, payload, flows):
    """Every flow goes there and back once, and the far end looks at every byte."""
    lab.catch(False)
    secs = max(0.3, 1.3 * flows / ECHO_PPS)
    sink = subprocess.Popen([OUT + "/bench/gen", "sink", "--echo", "--ns", lab.up_ns, "--port", str(PORT),
                             "--payload", str(payload), "--flows", str(flows), "--peer-cpu", str(FW_CPU),
                             "--secs", str(secs + 0.5)], stdout=subprocess.PIPE, text=True)
    lab.processes.append(sink)
    sink.stdout.readline()
    lab.gen("pps", *pps_words(payload, flows), "--rate", str(min(ECHO_PPS, 20000 + flows)), secs=secs)
    said = json.loads(sink.communicate(timeout=10)[0])
    lab.processes.remove(sink)
    if said["received"] == 0 or said["bad"]:
        raise RuntimeError("%s: the way there is broken: %s" % (lab.name, said))


def blast(lab, words, secs):
    lab.catch(True)
    before, cpu = lab.caught(), lab.cpu()
    said = lab.gen("pps", *words, secs=secs)
    time.sleep(0.05)
    got, cpu = lab.caught() - before, lab.cpu() - cpu
    lab.catch(False)
    return got, said, cpu


def pps(payload, flows):
    def measure(lab):
        got, said, _ = blast(lab, pps_words(payload, flows), SECS)
        return got / said["secs"] / 1e6
    measure.prepare = lambda lab: establish(lab, payload, flows)
    return measure


def unreplied(lab):
    """One flow that nobody answers: for the kernel it stays new, so every packet walks the rules."""
    lab.forget()
    got, said, _ = blast(lab, pps_words(64, 1), SECS)
    return got / said["secs"] / 1e6


def fresh(lab):
    """Every packet is a new 5-tuple; no number comes twice in one run of the benchmark."""
    global fresh_first
    lab.forget()
    got, said, _ = blast(lab, pps_words(64, 1) + ["--new", "--first", str(fresh_first)], SECS)
    fresh_first = (fresh_first + said["sent"]) % (60000 * 900)
    return got / said["secs"] / 1e6


def newflow_scale(lab):
    rates = []
    for rules in (10, 10000):
        lab.rules(rules)
        fresh(lab) # the table is full of unreplied flows, as it will be
        rates.append(fresh(lab))
    return rates[1] / rates[0]


def measuring(lab):
    """One stream through all three rows, and what slices.py found in it."""
    if measuring.found:
        return measuring.found
    words, here = pps_words(64, 1) + ["--secs", str(SLICES_SECS)], os.sched_getaffinity(0)
    lab.catch(True)
    arrivals = slices.Counter(lab.up_ns, "up0", slices.Counter.RECEIVED)
    sent = slices.Counter(lab.client_ns, "eth0", slices.Counter.SENT)
    control = slices.Control(lab.env["POSTERN_CONTROL"])
    found = slices.Slices(control, arrivals, sent, lab.pids() + slices.softirq_pids(FW_CPU))
    os.sched_setaffinity(0, {GEN_CPU}) # not where the firewall is
    stream = lab.start("stream.log", OUT + "/bench/gen", "pps", "--ns", lab.client_ns, *words)
    try:
        time.sleep(0.3)
        found.run(time.monotonic() + SLICES_SECS - 1.0)
    finally:
        os.sched_setaffinity(0, here)
        lab.end(stream)
        for each in (arrivals, sent, control):
            each.close()
        lab.catch(False)
    print(found.told())
    measuring.found = found
    return found


measuring.found = None


def latency_row(which, state):
    """An estimate of slices.py as a row: its median, and its interval as what it went from and to."""
    def measure(lab):
        measure.interval = getattr(measuring(lab), which)(state)
        return measure.interval.value
    measure.prepare = lambda lab: None if measuring.found else establish(lab, 64, 1)
    return measure


def cps(lab):
    """Nobody's client and server share a CPU with the firewall by decree: the scheduler places both, on both sides."""
    said = lab.gen("cps", "--peer-ns", lab.up_ns, "--dst", SERVER, "--port", "7200", "--conc", "64", secs=SECS)
    if said["errors"] > said["done"] / 100:
        print("  %s: %d connections of %d failed" % (lab.name, said["errors"], said["done"]))
    return said["cps"] / 1e3


def rtt(spin):
    def measure(lab):
        said = lab.gen("rtt", "--peer-ns", lab.up_ns, "--dst", SERVER, "--port", "7100", "--payload", "64",
                       "--cpu", str(GEN_CPU), "--peer-cpu", str(FW_CPU), *(["--spin"] if spin else []), secs=SECS)
        measure.p99.setdefault(lab.name, []).append(said["p99"])
        return said["p50"]
    measure.p99 = {}
    return measure


def tcp(streams, down):
    def measure(lab):
        server = lab.start("iperf.log", "ip", "netns", "exec", lab.up_ns, "iperf3", "-s", "-1", "-p", "5301")
        time.sleep(0.25)
        said = run("ip", "netns", "exec", lab.client_ns, "timeout", "20", "iperf3", "-c", SERVER, "-p", "5301",
                   "-J", "-t", str(TCP_SECS), "-O", "0", "-P", str(streams), *(["-R"] if down else []), check=False)
        lab.end(server)
        said = json.loads(said or "{}")
        if "end" not in said or "sum_received" not in said["end"]:
            raise RuntimeError("%s: iperf3: %s" % (lab.name, said.get("error")))
        return said["end"]["sum_received"]["bits_per_second"] / 1e9
    return measure


def generator_ns(lab):
    """What the generator costs by itself: into a veth whose other end drops at once."""
    if not hasattr(lab, "idle_ns"):
        lab.idle_ns = lab.namespace("x" + lab.name[0])
        run("ip", "-n", lab.idle_ns, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
        for dev in ("eth0", "eth1"):
            run("ip", "-n", lab.idle_ns, "link", "set", dev, "up")
        run("ip", "netns", "exec", lab.idle_ns, "nft", "-f", "-", input="""
table netdev idle { chain arrive { type filter hook ingress device eth1 priority 0; policy drop
 }
}""")
    said = lab.gen("pps", *pps_words(64, 1), ns=lab.idle_ns, secs=SECS / 2)
    return said["cpu"] / said["sent"] * 1e9


def cpu_packet(lab):
    alone = generator_ns(lab)
    got, said, cpu = blast(lab, pps_words(64, 1), SECS)
    return (said["cpu"] + cpu) / max(got, 1) * 1e9 - alone


cpu_packet.prepare = lambda lab: establish(lab, 64, 1)


def boot_ms(lab):
    """With the tender's own default of memory: the boot sets its tables up, so memory costs time."""
    lab.halt()
    said = lab.gen("first", "--dev", "eth0", "--dmac", FW_MAC, "--src", CLIENT, "--dst", SERVER,
                   "--peer-ns", lab.up_ns, "--peer-dev", "up0", "--port", str(PORT), "--cpu", str(GEN_CPU),
                   "--peer-cpu", str(FW_CPU), "--", *lab.command(mem=None), secs=5)
    lab.boot()
    return said["ms"]


def attach256(lab):
    said = run("ip", "netns", "exec", lab.client_ns, HERE + "/attach.py", lab.env["POSTERN_CONTROL"], "255")
    return float(said)


def attach1(lab):
    said = run("ip", "netns", "exec", lab.client_ns, HERE + "/attach.py", lab.env["POSTERN_CONTROL"], "1")
    return float(said)


def swap(rules):
    """The longest of back-to-back round trips while so many rules take the place of others (None: of none)."""
    def measure(lab):
        changer = threading.Timer(0.4, lab.rules, (rules,)) if rules else None
        if changer:
            lab.rules(rules - 1)
            changer.start()
        said = lab.gen("rtt", "--peer-ns", lab.up_ns, "--dst", SERVER, "--port", "7100", "--payload", "64",
                       "--cpu", str(GEN_CPU), "--peer-cpu", str(FW_CPU), "--spin", secs=2.5)
        if changer:
            changer.join()
        return max(said["max"], 5e4 if said["lost"] else 0)
    return measure


def image(lab):
    return os.path.getsize(OUT + "/postern.elf") / 1024


def rss(lab):
    """In a guest of 64 MiB, as much as one client needs to hold so many: it gets at most half of the table."""
    lab.halt()
    lab.boot(mem=64)
    establish(lab, 64, 65536)
    flows = lab.status()["appliance"]["flows"]
    used = lab.rss_kib() / 1024
    lab.halt()
    lab.boot()
    if flows < 65536:
        raise RuntimeError("only %d of 65536 flows stand" % flows)
    return used


def core(_):
    global core_said
    if core_said is None:
        core_said = json.loads(run("taskset", "-c", str(FW_CPU), OUT + "/bench/core", "--json", "--runs=%d" % RUNS))
    return core_said


core_said = None


def core_cost(name):
    if core_cost.said is None:
        core_cost.said = json.loads(run("taskset", "-c", str(FW_CPU), OUT + "/bench/core", "--json", "--costs"))
    said = core_cost.said[name]
    return slices.Estimate(said["median"], said["low"], said["high"], said["quads"])


core_cost.said = None
MEASURE = {
    "udp64_1": pps(64, 1), "udp64_50k": pps(64, 50000), "udp1400": pps(1400, 1),
    "udp64_new_r1000": fresh, "udp64_unreplied_r1000": unreplied, "newflow_scale": newflow_scale,
    "cps_r0": cps, "cps_r1000": cps, "rtt_spin": rtt(True), "rtt_block": rtt(False),
    "latency_null": latency_row("cost", "null"), "latency_cost": latency_row("cost", "stages"),
    "latency_share": latency_row("share", "stages"),
    "tcp1_up": tcp(1, False), "tcp1_down": tcp(1, True), "tcp4_up": tcp(4, False), "tcp4_down": tcp(4, True),
    "attach1_ms": attach1, "swap_quiet_us": swap(None), "swap_r10000_us": swap(10000),
    **{"sweep_new_r%d" % rules: fresh for rules in benchreport.SWEEP},
    **{"sweep_cps_r%d" % rules: cps for rules in benchreport.SWEEP},
    "cpu_packet": cpu_packet, "boot_ms": boot_ms, "attach256_ms": attach256, "image_kib": image, "rss_mib": rss,
}


# --- the run -----------------------------------------------------------------------
def out_of_time():
    return time.monotonic() - begun > LIMIT


def measure_one(w, labs):
    """Warm-up, then A B A B; what fails on one side is said, and counts as nothing measured."""
    result = Result(w)
    if w.name.startswith("core_latency"):
        result.interval = core_cost(w.name)
        result.postern, result.runs = [result.interval.value], 1
        return result
    if w.name.startswith("core_"):
        said = core(None)[w.name]
        result.postern = [said["min"], said["median"], said["max"]]
        result.runs = RUNS
        return result
    measure = MEASURE[w.name]
    result.port = port_of(w)
    labs = [lab for lab in labs if not w.own or lab.name == "postern"]
    for lab in labs:
        lab.forget()
        lab.rules(w.rules)
        getattr(measure, "prepare", lambda _: None)(lab)
        if w.repeat:
            measure(lab)
    if hasattr(measure, "p99"):
        measure.p99.clear()
    for n in range(RUNS if w.repeat else 1):
        if n and out_of_time():
            print("  out of time: %s has %d of %d runs" % (w.name, n, RUNS))
            break
        for lab in labs:
            getattr(result, lab.name).append(measure(lab))
        result.runs = n + 1
    result.p99 = getattr(measure, "p99", {})
    result.interval = getattr(measure, "interval", None)
    return result


def port_of(w):
    return os.environ.get("PORT_TYPE") or w.port


def labs_for(workloads):
    """One of the kernel's, and one of ours for each type of port; those not measured see no packet."""
    needed = [w for w in workloads if not w.name.startswith("core_")]
    ours = {port: Postern(OUT, FW_CPU, int(os.environ.get("MEM") or 128), port) for port in map(port_of, needed)}
    return ([Kernel(OUT, FW_CPU)] if needed else []), ours


def chosen():
    only = [n for n in os.environ.get("ONLY", "").split(",") if n]
    unknown = set(only) - {w.name for w in WORKLOADS}
    if unknown:
        sys.exit("bench: no such workload: %s; there are: %s" %
                 (" ".join(sorted(unknown)), " ".join(w.name for w in WORKLOADS)))
    return [w for w in WORKLOADS if not only or w.name in only]


def machine():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "unknown")
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": os.uname().release, "load": os.getloadavg()[0],
            "runs": RUNS, "seconds": SECS, "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime())}


def main():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    if os.geteuid() != 0:
        sys.exit("bench: needs root, for its namespaces")
    workloads = chosen()
    if os.environ.get("PRIORITY"):
        with open("/proc/self/autogroup", "w", encoding="ascii") as f:
            f.write(os.environ["PRIORITY"])
    folder = os.path.join(ROOT, "out/bench")
    os.makedirs(folder, exist_ok=True)
    about = machine()
    print("%(cpu)s, %(cpus)d CPUs, Linux %(kernel)s, load %(load).2f, %(runs)d runs" % about)
    kernel, ours = labs_for(workloads)
    results, failures = [], []
    try:
        for lab in kernel + list(ours.values()):
            lab.open()
        for w in workloads:
            if out_of_time():
                failures.append((w.name, "out of time (LIMIT=%d)" % LIMIT))
                continue
            try:
                results.append(measure_one(w, kernel + [lab for port, lab in ours.items() if port == port_of(w)]))
                print(benchreport.line(results[-1]), flush=True)
            except (RuntimeError, OSError, ValueError, subprocess.SubprocessError) as e:
                failures.append((w.name, str(e)))
                print("%-22s FAILED: %s" % (w.name, e), flush=True)
    finally:
        for lab in kernel + list(ours.values()):
            lab.close()
        about["took"] = round(time.monotonic() - begun)
        if results:
            benchreport.write(folder, results, about)
    benchreport.summary(results, failures, about)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
