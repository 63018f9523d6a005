# SPDX-License-Identifier: ISC
"""The workloads with their bars, and how results are told: a line, a JSON list, a picture."""
import json
import math
import os
import statistics
from dataclasses import dataclass, field

NOISY = 1.3 # max/min of one side's runs


@dataclass
class Workload:
    name: str
    unit: str
    bar: float = None   # of the ratio to the kernel, or of our own figure where `own`; None: shown, not judged
    proud: float = None
    less: bool = False  # less is better
    own: bool = False   # the kernel has no such figure
    difference: bool = False # of two figures: it may be nothing, or less
    rules: int = 0
    repeat: bool = True # False: one run says all
    port: str = "tap"   # the type of Postern's ports that serves such traffic best


WORKLOADS = [
    Workload("udp64_1", "Mpps", 1.3, 1.5, port="xdp"),
    Workload("udp64_50k", "Mpps", 1.6, 1.9, port="xdp"),
    Workload("udp64_new_r1000", "Mpps", 8, 10, rules=1000, port="xdp"),
    Workload("udp64_unreplied_r1000", "Mpps", 8, 10, rules=1000, port="xdp"),
    Workload("newflow_scale", "ratio", 0.95, 0.99, own=True, rules=10, port="xdp"),
    Workload("cps_r0", "kconn/s", 1.3, 1.6, port="xdp"),
    Workload("cps_r1000", "kconn/s", 1.6, 2.0, rules=1000, port="xdp"),
    Workload("rtt_spin", "us", 1.7, 1.45, less=True),
    Workload("rtt_block", "us", 1.1, 1.0, less=True),
    Workload("tcp1_up", "Gbit/s", 0.75, 0.85),
    Workload("tcp1_down", "Gbit/s", 0.75, 0.85),
    Workload("tcp4_up", "Gbit/s", 0.38, 0.45),
    Workload("tcp4_down", "Gbit/s", 0.38, 0.45),
    Workload("udp1400", "Mpps", 1.0, 1.2, port="xdp"),
    Workload("cpu_packet", "ns", 1.5, 1.1, less=True, port="xdp"),
    Workload("latency_null", "ns", own=True, difference=True, repeat=False, port="xdp"),
    Workload("latency_cost", "ns", 20, 10, less=True, own=True, difference=True, repeat=False, port="xdp"),
    Workload("latency_share", "%", 2, 1, less=True, own=True, difference=True, repeat=False, port="xdp"),
    Workload("core_latency_1", "ns", 20, 10, less=True, own=True, difference=True, repeat=False),
    Workload("core_latency_64k", "ns", 20, 10, less=True, own=True, difference=True, repeat=False),
    Workload("core_64k", "ns", 30, 20, less=True, own=True),
    Workload("core_1m", "ns", 80, 50, less=True, own=True),
    Workload("boot_ms", "ms", 6, 3, less=True, own=True),
    Workload("attach256_ms", "ms", 60, 25, less=True, own=True),
    Workload("image_kib", "KiB", 400, 200, less=True, own=True, repeat=False),
    Workload("rss_mib", "MiB", 28, 20, less=True, own=True, repeat=False),
    Workload("attach1_ms", "ms", less=True, own=True),
    Workload("swap_quiet_us", "us", less=True),
    Workload("swap_r10000_us", "us", less=True),
]
SWEEP = (0, 10, 100, 1000, 10000) # rules
WORKLOADS += [Workload("sweep_%s_r%d" % (what, rules), unit, rules=rules, port="xdp")
              for what, unit in (("new", "Mpps"), ("cps", "kconn/s")) for rules in SWEEP]


@dataclass
class Result:
    workload: Workload
    postern: list = field(default_factory=list)
    kernel: list = field(default_factory=list)
    runs: int = 0
    port: str = "-"     # the type of Postern's ports; "-": none was needed
    p99: dict = field(default_factory=dict)
    interval: object = None # slices.Estimate: of a difference

    def median(self, side):
        values = getattr(self, side)
        return statistics.median(values) if values else None

    def compared(self):
        """What the bar is held against: our own figure, or each run's ratio to its neighbour."""
        if self.workload.own:
            return self.postern
        return [p / k if k else 0.0 for p, k in zip(self.postern, self.kernel)]

    def ends(self):
        """What the figure lies between: 95 % of an estimate, or all of what was seen."""
        if self.interval:
            return self.interval.low, self.interval.high
        return min(self.compared()), max(self.compared())

    def figure(self):
        if self.workload.own:
            return self.median("postern")
        kernel = self.median("kernel")
        return self.median("postern") / kernel if kernel else 0.0

    def meets(self, wanted):
        if wanted is None:
            return None
        if self.figure() <= 0 and not self.workload.difference:
            return False # nothing was measured: no clock and no counter says that
        return self.figure() <= wanted if self.workload.less else self.figure() >= wanted

    def noisy(self):
        if self.interval: # that the bar is lost in
            return ["postern"] if self.interval.width() > (self.workload.bar or math.inf) else []
        return [side for side in ("postern", "kernel")
                if getattr(self, side) and max(getattr(self, side)) > NOISY * max(min(getattr(self, side)), 1e-9)]

    def entry(self):
        """ratio, min and max: of the ratio to the kernel; of our own figure where the kernel has none."""
        w, ends = self.workload, self.ends()
        e = {"workload": w.name, "postern": rounded(self.median("postern")), "kernel": rounded(self.median("kernel")),
             "ratio": rounded(self.figure()), "min": rounded(ends[0]), "max": rounded(ends[1]),
             "runs": self.runs, "port": self.port, "unit": w.unit, "bar": w.bar, "proud": w.proud, "less_is_better": w.less,
             "meets_bar": self.meets(w.bar), "meets_proud": self.meets(w.proud), "noisy": self.noisy(),
             "postern_runs": [rounded(v) for v in self.postern], "kernel_runs": [rounded(v) for v in self.kernel]}
        if self.interval:
            e["confidence"], e["quads"] = 0.95, self.interval.count
        if self.p99:
            e["p99"] = {side: rounded(statistics.median(values)) for side, values in self.p99.items()}
        return e


def rounded(v):
    return None if v is None else float("%.4g" % v)


HEAD = "%-22s %-6s %8s %9s %9s %8s %17s %7s %7s  %s" % (
    "workload", "ports", "unit", "postern", "kernel", "ratio", "min..max", "bar", "proud", "verdict")


def line(r):
    w = r.workload
    verdict = "-" if w.bar is None else "proud" if r.meets(w.proud) else "ok" if r.meets(w.bar) else "MISSED"
    if r.noisy():
        verdict += ", noisy (%s)" % ", ".join(r.noisy())
    if w.bar is None and r.interval:
        verdict = "nothing, as it should be" if r.ends()[0] <= 0 <= r.ends()[1] else "SOMETHING: 1 in 20 is by chance"
    if r.p99:
        verdict += ", p99 " + " / ".join("%.4g" % statistics.median(r.p99.get(s, [0])) for s in ("postern", "kernel"))
    kernel = r.median("kernel")
    return "%-22s %-6s %8s %9.4g %9s %8.4g %17s %7s %7s  %s" % (
        w.name, r.port, w.unit, r.median("postern"), "-" if kernel is None else "%.4g" % kernel, r.figure(),
        "%.4g..%.4g" % r.ends(), *("-" if v is None else "%g" % v for v in (w.bar, w.proud)), verdict)


def summary(results, failures, about):
    print("\n" + HEAD)
    for r in results:
        print(line(r))
    for name, why in failures:
        print("%-22s not measured: %s" % (name, why.splitlines()[0] if why else "?"))
    judged = [r for r in results if r.workload.bar is not None]
    met = sum(r.meets(r.workload.bar) for r in judged)
    noisy = [r.workload.name for r in results if r.noisy()]
    print("%d of %d bars met, %d not measured, %d s%s" % (
        met, len(judged), len(failures), about["took"],
        "; noisy: " + " ".join(noisy) if noisy else "; nothing was noisy"))


# --- the picture: how far each figure is from its bar ---------------------------------
ROW, LEFT, WIDTH, SPAN = 22, 190, 420, 2.0 # a bar of WIDTH is SPAN times as good as asked


def goodness(r, figure):
    w = r.workload
    if figure <= 0:
        return 0.0
    return w.bar / figure if w.less else figure / w.bar


def picture(results, about):
    results = [r for r in results if r.workload.bar is not None]
    height = ROW * (len(results) + 3)
    at = LEFT + WIDTH / SPAN
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">'
           % (LEFT + WIDTH + 230, height),
           '<rect width="100%" height="100%" fill="#fff"/>',
           '<text x="8" y="16" font-weight="bold">Postern and the kernel\'s nftables: '
           'each figure against its bar (line); further right is better</text>']
    for n, r in enumerate(results):
        y = ROW * (n + 1) + 6
        w, f = r.workload, r.figure()
        length = min(goodness(r, f), SPAN) * WIDTH / SPAN
        colour = "#2a7f3f" if r.meets(w.proud) else "#7fb069" if r.meets(w.bar) else "#c0504d"
        ends = sorted(min(goodness(r, v), SPAN) for v in r.ends())
        out += ['<text x="8" y="%d">%s</text>' % (y + 13, w.name),
                '<rect x="%d" y="%d" width="%.1f" height="14" fill="%s"/>' % (LEFT, y + 2, length, colour),
                '<path d="M%.1f %d H%.1f" stroke="#333"/>' % (
                    LEFT + ends[0] * WIDTH / SPAN, y + 9, LEFT + ends[1] * WIDTH / SPAN),
                '<path d="M%.1f %d v14" stroke="#1f4e9c" stroke-dasharray="2 2"/>' % (
                    LEFT + min(goodness(r, w.proud), SPAN) * WIDTH / SPAN, y + 2),
                '<text x="%d" y="%d">%s</text>' % (LEFT + WIDTH + 8, y + 13, told(r))]
    bottom = ROW * (len(results) + 1) + 6
    out += ['<path d="M%.1f %d V%d" stroke="#000" stroke-width="1.5"/>' % (at, ROW, bottom),
            '<text x="8" y="%d" fill="#555">%s</text>' % (
                bottom + 18, "%s, %d CPUs, Linux %s, %s UTC; medians of %d; thin line: min to max; dashed: proud" % (
                    escaped(about["cpu"]), about["cpus"], about["kernel"], about["date"], about["runs"])),
            "</svg>"]
    return "\n".join(out) + "\n"


def told(r):
    w = r.workload
    if w.own:
        return "%.4g %s" % (r.figure(), w.unit)
    return "%.4g : %.4g %s = %.3g" % (r.median("postern"), r.median("kernel"), w.unit, r.figure())


# --- a second one: rates by the number of rules, both axes in steps of ten ---------------
COLOURS = {"postern": "#2a7f3f", "kernel": "#c0504d"}


def curve(results, what, x0):
    """One panel: both sides' medians over SWEEP."""
    rows = [(n, r) for n, rules in enumerate(SWEEP) for r in results
            if r.workload.name == "sweep_%s_r%d" % (what, rules)]
    if not rows:
        return []
    values = [max(r.median(side), 1e-9) for _, r in rows for side in COLOURS]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def spot(n, v):
        return x0 + 50 + n * 70, 40 + 200 * (high - math.log10(max(v, 1e-9))) / max(high - low, 1)

    out = ['<text x="%d" y="20" font-weight="bold">%s, %s</text>' % (
        x0 + 50, {"new": "new flows", "cps": "TCP connections"}[what], rows[0][1].workload.unit)]
    for power in range(low, high + 1):
        _, y = spot(0, 10 ** power)
        out += ['<path d="M%d %.1f h300" stroke="#ddd"/>' % (x0 + 45, y),
                '<text x="%d" y="%.1f" text-anchor="end">%g</text>' % (x0 + 40, y + 4, 10 ** power)]
    out += ['<text x="%.1f" y="258" text-anchor="middle">%d</text>' % (spot(n, 1)[0], SWEEP[n]) for n, _ in rows]
    for side, colour in COLOURS.items():
        points = [spot(n, r.median(side)) for n, r in rows]
        out += ['<path d="M%s" fill="none" stroke="%s" stroke-width="2"/>' % (
                    " L".join("%.1f %.1f" % p for p in points), colour),
                '<text x="%.1f" y="%.1f" fill="%s">%s</text>' % (points[-1][0] + 6, points[-1][1] + 4, colour, side)]
    return out


def sweep_picture(results, about):
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="860" height="300" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="#fff"/>']
    out += curve(results, "new", 10) + curve(results, "cps", 440)
    out += ['<text x="60" y="284" fill="#555">%s, %d CPUs, Linux %s, %s UTC; by the number of rules; medians of %d</text>' % (
        escaped(about["cpu"]), about["cpus"], about["kernel"], about["date"], about["runs"]), "</svg>"]
    return "\n".join(out) + "\n"


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def write(folder, results, about):
    for name, text in (("bench.json", json.dumps([r.entry() for r in results], indent=1) + "\n"),
                       ("machine.json", json.dumps(about, indent=1) + "\n"),
                       ("bench.svg", picture(results, about)), ("sweep.svg", sweep_picture(results, about))):
        path = os.path.join(folder, name)
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.replace(path + ".new", path)
