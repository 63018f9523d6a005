# SPDX-License-Identifier: ISC
"""Reads OpenMetrics 1.0 text strictly: python3 openmetrics_check.py FILE [NAME=VALUE-AT-LEAST]... [--dashboard JSON]"""
import json
import math
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(r"(%s)(?:\{(%s(?:,%s)*)\})? (-?[0-9][0-9.e+-]*)$" % (NAME, LABEL, LABEL))
SUFFIXES = {"counter": ["_total"], "gauge": [""], "unknown": [""], "info": ["_info"],
            "histogram": ["_bucket", "_sum", "_count"], "summary": ["", "_sum", "_count"]}


def families(text):
    assert text.endswith("\n# EOF\n"), "no end"
    found, name, kind, seen = {}, None, None, set()
    for line in text[:-len("# EOF\n")].splitlines():
        if line.startswith("# "):
            word, family, rest = line[2:].split(" ", 2)
            assert word in ("HELP", "TYPE", "UNIT"), line
            if family != name:
                assert family not in found, "%s comes in two places" % family
                name, kind = family, None
                found[name] = {}
            assert (word, family) not in seen, "twice: " + line
            seen.add((word, family))
            if word == "TYPE":
                assert rest in SUFFIXES and not found[name], line
                kind = rest
            elif word == "UNIT":
                assert name.endswith("_" + rest), line
            continue
        match = SAMPLE.match(line)
        assert match and kind, "no sample: %r" % line
        assert match[1] in [name + s for s in SUFFIXES[kind]], "%s is not of %s" % (match[1], name)
        labels = re.findall(LABEL, match[2] or "")
        assert len({l.split("=")[0] for l in labels}) == len(labels), "a label twice: " + line
        key = (match[1], ",".join(labels))
        assert key not in found[name], "a sample twice: " + line
        value = float(match[3])
        assert math.isfinite(value) and (kind != "counter" or value >= 0), line
        found[name][key] = value
        if kind == "histogram" and match[1].endswith("_bucket"):
            bucket(found[name], labels, value)
    return found


def bucket(samples, labels, value):
    le = [l for l in labels if l.startswith("le=")]
    assert len(le) == 1, "a bucket without le"
    rest = [l for l in labels if l not in le]
    history = samples.setdefault(("buckets", ",".join(rest)), [])
    bound = float(le[0][4:-1])
    assert not history or (bound > history[-1][0] and value >= history[-1][1]), "buckets out of order"
    history.append((bound, value))


def histograms(found):
    for name, samples in found.items():
        for (kind, labels), history in list(samples.items()):
            if kind == "buckets":
                assert history[-1][0] == math.inf, "no +Inf"
                assert history[-1][1] == samples[(name + "_count", labels)], "count is not +Inf's"
                assert samples[(name + "_sum", labels)] >= 0


def main(words):
    found = families(open(words[0]).read())
    histograms(found)
    names = {key[0] for samples in found.values() for key in samples}
    for word in words[1:]:
        if word.endswith(".json"):
            board = json.load(open(word))
            used = set(re.findall(r"postern_[a-z_]+", json.dumps(board["panels"])))
            assert used and used <= names, "the dashboard asks for %s" % sorted(used - names)
            continue
        name, least = word.split("=")
        total = sum(v for s in found.values() for k, v in s.items() if k[0] == name)
        assert name in names and total >= float(least), "%s is %s" % (name, total)
    print("%d families, %d samples" % (len(found), sum(map(len, found.values()))))


main(sys.argv[1:])
