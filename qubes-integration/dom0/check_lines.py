#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Is everything that the image can print under Xen explained? Takes every phrase out of the sources that print, two
words or more, and those of one word below, and looks for each in the page.

    check_lines.py SOURCES PAGE
"""
import glob
import os
import re
import sys

PRINTING = ["qubes-integration/*.c", "qubes-integration/xen/*.c", "firewall/main.c", "firewall/names.c", "firewall/resolver.c",
            "firewall/policy.c", "firewall/policy_change.c", "rules/rule.c", "tender/guest/mem.c"]
ONE_WORD = ["connected", "disconnected", "resumed", "exception", "isolated", "suppressed"]
# Answers to an operator's request and lines of other notations: they are in the same files, and in postern(1).
ELSEWHERE = {
    "isolate takes the address of a client, and on or off", "panic takes on or off", "it is on or off",
    "too much waits for the store already", "one word too many", "the destination comes first ('-' for any)",
    "a number is no destination ('-' for any)",
}
LEAST = 100  # fewer were found: they are not written as this script thinks


def phrases(path):
    with open(path) as f:
        text = f.read()
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
    text = re.sub(r"_Static_assert\s*\(.*?;|__asm__.*?;|#include[^\n]*", "", text, flags=re.S)
    for literal in re.findall(r'"((?:[^"\\\n]|\\.)*)"', text):
        words = literal.replace("\\n", "").strip(" :'.")
        if re.search(r"[A-Za-z]{2,}.* [A-Za-z]{2,}", literal) or (literal != words and re.match(r": [a-z]{3}|[a-z]+: $", literal)):
            yield words


def main():
    top, page = sys.argv[1:]
    with open(page) as f:
        told = f.read()
    found = set(ONE_WORD)
    for pattern in PRINTING:
        for path in sorted(glob.glob(os.path.join(top, pattern))):
            found |= set(phrases(path))
    missing = sorted(p for p in found - ELSEWHERE if p not in told)
    for phrase in missing:
        print("not explained: " + phrase)
    for phrase in sorted(ELSEWHERE - found):
        print("no longer in the sources: " + phrase)
    if len(found) < LEAST:
        print("only %d phrases found: has their form changed?" % len(found))
    return 1 if missing or ELSEWHERE - found or len(found) < LEAST else 0


if __name__ == "__main__":
    sys.exit(main())
