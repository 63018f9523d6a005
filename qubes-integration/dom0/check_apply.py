#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Applies the salt states to a dom0 that is a dictionary, twice: the first time must lead to what the guide says, the
second must change nothing. Conditions and commands run in a real shell, whose Qubes' tools are this script.

    check_apply.py FOLDER
"""
import json
import os
import stat
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from check_salt import arguments, expect, render  # noqa: E402

TOOLS = ["qvm-ls", "qvm-prefs", "qvm-start", "qvm-check", "qvm-shutdown", "qubes-prefs", "rpm", "sh"]
DEFAULT = "*default*"
STUB = """#!%s
import sys
sys.dont_write_bytecode = True
sys.argv[0] = %r
sys.path.insert(0, %r)
import check_apply
sys.exit(check_apply.main())
"""


class Dom0:
    """Qubes by name: netvm (DEFAULT follows the global one), running, prefs, features."""

    def __init__(self, path):
        self.path = path
        with open(path) as f:
            self.all = json.load(f)

    def save(self):
        with open(self.path, "w") as f:
            json.dump(self.all, f)

    def netvm(self, name):
        netvm = self.all["qubes"][name]["prefs"].get("netvm", DEFAULT)
        return self.all["default_netvm"] if netvm == DEFAULT else netvm

    def give(self, name, netvm):  # as qubesd does it
        qube = self.all["qubes"][name]
        expect("%s is a qube, and not its own network" % netvm, netvm in self.all["qubes"] and netvm != name)
        expect("%s runs when running %s is given it" % (netvm, name),
               self.all["qubes"][netvm]["running"] or not qube["running"])
        qube["prefs"]["netvm"] = netvm

    def tool(self, name, words):
        qubes = self.all["qubes"]
        last = words[-1]
        if name == "qvm-ls":
            print("\n".join("%s|%s" % (q, self.netvm(q) or "-") for q in qubes))
        elif name == "qvm-prefs" and words[1:] == ["netvm"]:
            print(self.netvm(words[0]))
        elif name == "qubes-prefs" and words[0] == "default_netvm":
            if len(words) == 1:
                print(self.all["default_netvm"])
            else:
                self.all["default_netvm"] = words[1]
        elif name == "qvm-start":
            qubes[last]["running"] = True
        elif name == "qvm-check":
            return 0 if last in qubes and qubes[last]["running"] else 1
        elif name == "qvm-shutdown":
            expect("nobody behind %s runs when it is shut down" % last,
                   not any(q["running"] and self.netvm(n) == last for n, q in qubes.items()))
            qubes[last]["running"] = False
        elif name == "rpm":
            return 1
        elif name == "sh":  # verify.sh, which check.sh has tried
            print("changed=no comment='as signed'")
        else:
            raise ValueError("no such tool: %s %s" % (name, words))
        self.save()
        return 0


def shell(command, folder):
    env = dict(os.environ, PATH=folder + ":/usr/bin:/bin", DOM0=os.path.join(folder, "dom0"))
    done = subprocess.run(["/bin/sh", "-c", command], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if "not so:" in done.stderr:
        raise ValueError(done.stderr.strip().splitlines()[-1])
    return done


def prefs(dom0, name, wanted):
    """As salt's module: a value that is set is skipped, one by default is not."""
    changed = False
    for key, value in wanted.items():
        value = None if key in ("netvm", "audiovm") and value == "" else value
        if dom0.all["qubes"][name]["prefs"].get(key, DEFAULT) == value:
            continue
        if key == "netvm":
            dom0.give(name, value)
        else:
            dom0.all["qubes"][name]["prefs"][key] = value
        changed = True
    return changed


def vm(dom0, args):
    name, qubes = args["name"], dom0.all["qubes"]
    changed = name not in qubes
    qubes.setdefault(name, {"running": False, "prefs": {}, "features": {}})
    changed |= prefs(dom0, name, arguments(args["prefs"]))
    features = arguments(args["features"])
    for feature, value in [(f, "1") for f in features["enable"]] + [(f, "") for f in features["disable"]]:
        changed |= qubes[name]["features"].get(feature) != value
        qubes[name]["features"][feature] = value
    return changed


def one(function, args, folder, state):
    """Whether the state changed anything."""
    if "onlyif" in args and shell(args["onlyif"], folder).returncode != 0:
        return False
    if "unless" in args and shell(args["unless"], folder).returncode == 0:
        return False
    dom0 = Dom0(state)
    changed = False
    if function == "cmd.run":
        done = shell(args["name"], folder)
        expect("`%s` succeeds: %s" % (args["name"], done.stdout + done.stderr), done.returncode == 0)
        return not (args.get("stateful") and "changed=no" in done.stdout)
    if function == "qvm.vm":
        changed = vm(dom0, args)
    elif function == "qvm.prefs":
        changed = prefs(dom0, args["name"], {k: v for k, v in args.items() if k == "netvm"})
    elif function == "qvm.absent":
        expect("nothing uses %s when it is removed" % args["name"], args["name"] != dom0.all["default_netvm"]
               and not any(dom0.netvm(q) == args["name"] for q in dom0.all["qubes"]))
        changed = dom0.all["qubes"].pop(args["name"], None) is not None
    dom0.save()
    return changed


def apply(states, name, choice, folder, state):
    """The labels that changed something, those of included files first."""
    changed = []

    def listing(command):
        return shell(command, folder).stdout

    tree = render(states, name, choice, listing)
    for other in tree.get("include", []):
        changed += apply(states, "init.sls" if other == "postern" else other.split(".")[1] + ".sls", choice, folder, state)
    for label, body in tree.items():
        for function, args in (body.items() if label != "include" else []):
            if one(function, arguments(args), folder, state):
                changed.append(label)
    return changed


def qube(netvm, running=True):
    return {"running": running, "prefs": {} if netvm == DEFAULT else {"netvm": netvm}, "features": {}}


def story(states, folder, state):
    def twice(name, choice):
        first = apply(states, name, choice, folder, state)
        expect("%s, again, changes nothing" % name, apply(states, name, choice, folder, state) == [])
        return first, Dom0(state)

    with open(state, "w") as f:
        json.dump({"default_netvm": "sys-firewall", "qubes": {
            "dom0": qube(None), "sys-net": qube(None), "sys-firewall": qube("sys-net"), "work": qube(DEFAULT),
            "vault": qube(None), "old": qube("sys-firewall", False)}}, f)
    first, dom0 = twice("init.sls", {})
    made = dom0.all["qubes"]["sys-postern"]
    expect("the qube is made, and nobody moved", first == ["postern-qube"] and dom0.netvm("work") == "sys-firewall")
    expect("it says that it filters", made["features"]["qubes-firewall"] == "1" and made["prefs"]["netvm"] == "sys-net")
    Dom0(state).tool("qvm-start", ["sys-postern"])
    _, dom0 = twice("clients.sls", {"clients": ["old"]})
    expect("the named one moved", dom0.netvm("old") == "sys-postern" and dom0.netvm("work") == "sys-firewall")
    dom0.all["default_netvm"] = "sys-postern"
    dom0.all["qubes"]["sys-firewall"]["running"] = False
    dom0.save()
    _, dom0 = twice("rollback.sls", {})
    expect("all are back", dom0.netvm("old") == dom0.netvm("work") == "sys-firewall" and dom0.netvm("vault") is None)
    expect("who followed the default follows it", "netvm" not in dom0.all["qubes"]["work"]["prefs"])
    twice("clients.sls", {"clients": ["work"]})
    _, dom0 = twice("uninstall.sls", {})
    expect("it is gone, and all is as it was", "sys-postern" not in dom0.all["qubes"] and dom0.netvm("work") == "sys-firewall")


def main():
    name = os.path.basename(sys.argv[0])
    if name in TOOLS:
        return Dom0(os.environ["DOM0"]).tool(name, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        for tool in TOOLS:
            path = os.path.join(folder, tool)
            with open(path, "w") as f:
                f.write(STUB % (sys.executable, tool, os.path.dirname(os.path.abspath(__file__))))
            os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        story(sys.argv[1], folder, os.path.join(folder, "dom0"))
    print("salt: applied twice, rolled back, uninstalled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
