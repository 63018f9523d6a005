#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Holds what the probe recovered against what the relay says it did.

    latency_truth.py path RUN LOG       every percentile of "path" is the truth's, within the tolerance
    latency_truth.py omission RUN LOG CLOSED
                                        the probe shows the stalls, the closed-loop tool's list does not
    latency_truth.py outputs POSTERN RUN
                                        CSV, .hgrm and OpenMetrics say the same as the run's own JSON

The tolerance: a bucket of the histogram (1/32) both ways, and above it what the relay cannot see: the way between it and
the two kernels' stamps, which on a busy machine waits for the CPU as everything does.
"""
import csv
import io
import json
import math
import subprocess
import sys

SLACK_NS = {50: 500_000, 99: 10_000_000}


def truth(log):
    ways = [{}, {}]
    for line in open(log):
        direction, sequence, ns = map(int, line.split())
        ways[direction][sequence] = ns
    return sorted(ways[0][s] + ways[1][s] for s in ways[0] if s in ways[1])


def rank(values, percent):
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]


def series(run, suffix):
    for s in json.load(open(run))["series"]:
        if s["name"].endswith(suffix) and (suffix or s["role"] == "measured"):
            return s
    raise SystemExit(f"no series {suffix}")


def percentile(s, percent):
    return next(p["ns"] for p in s["percentiles"] if p["p"] == percent)


def path(run, log):
    values, s = truth(log), series(run, " path")
    print(f"{len(values)} delays known, {s['count']} measured")
    good = len(values) == s["count"] > 0
    for percent, slack in SLACK_NS.items():
        known, got = rank(values, percent), percentile(s, percent)
        print(f"p{percent}: truth {known / 1e6:.3f} ms, probe {got / 1e6:.3f} ms, "
              f"off by {(got - known) / 1e3:+.1f} us")
        good = good and known * 31 / 32 <= got <= known * 33 / 32 + slack
    return good


def omission(run, log, closed):
    values, s = truth(log), series(run, "")
    other = sorted(int(line) for line in open(closed))
    known, got, theirs = rank(values, 90), percentile(s, 90), rank(other, 90)
    print(f"p90: truth {known / 1e6:.1f} ms, probe {got / 1e6:.1f} ms, "
          f"closed loop {theirs / 1e6:.1f} ms of {len(other)}")
    return got >= known and got >= 20_000_000 and theirs * 3 < got


def outputs(postern, run):
    def show(form):
        return subprocess.run([postern, "latency", "show", form, run], check=True, capture_output=True,
                              text=True).stdout

    s = series(run, "")
    rows = [r for r in csv.DictReader(io.StringIO(show("--csv"))) if r["series"] == s["name"]]
    good = [int(r["ns"]) for r in rows] == [p["ns"] for p in s["percentiles"]]
    lines = [line.split() for line in show("--hgrm").splitlines()[2:] if not line.startswith("#")]
    shares = [float(line[1]) for line in lines]
    good = good and shares == sorted(shares) and shares[-1] == 1 and int(lines[-1][2]) == s["count"]
    metrics = show("--openmetrics").splitlines()
    mine = [line for line in metrics if f'series="{s["name"]}"' in line]
    buckets = [int(line.split()[-1]) for line in mine if "_bucket" in line]
    total = [int(line.split()[-1]) for line in mine if "_count" in line]
    print(f"{len(rows)} rows of CSV, {len(lines)} of .hgrm, {len(buckets)} buckets")
    return (good and metrics[-1] == "# EOF" and buckets == sorted(buckets) and buckets[0] < buckets[-1]
            and total == [s["count"]] == buckets[-1:])


if __name__ == "__main__":
    sys.exit(not {"path": path, "omission": omission, "outputs": outputs}[sys.argv[1]](*sys.argv[2:]))
