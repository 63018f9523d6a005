#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Renders the salt states with the defaults and with other choices, as salt's Jinja and YAML would,
and looks at what comes out: known state functions, no key twice, requirements that exist.

    check_salt.py FOLDER
"""
import os
import sys

sys.dont_write_bytecode = True
import jinja2
import yaml

# What `prefs` takes of qubes-mgmt-salt-dom0-qvm, as far as it concerns such a qube; another word would fail in dom0 only.
PREFS = {"autostart", "audiovm", "include-in-backups", "kernel", "kernelopts", "label", "maxmem", "memory", "netvm",
         "provides-network", "vcpus", "virt-mode"}
KNOWN = {"cmd.run", "qvm.vm", "qvm.prefs", "qvm.absent", "file.absent"}
CHOICES = [
    {},
    {"clients": ["work", "personal"], "qrexec": True, "memory": 64, "name": "fw2", "autostart": True},
]
QUBES = "dom0|-\nwork|sys-postern\nuntrusted|sys-postern\nbanking|sys-firewall\nsys-postern|sys-net\n"


class Strict(yaml.SafeLoader):
    """YAML takes the last of two equal keys; a state that is silently lost is an error here."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(k, deep=True) for k, _ in node.value]
        if len(keys) != len(set(map(str, keys))):
            raise yaml.YAMLError("a key stands twice: %s" % keys)
        return super().construct_mapping(node, deep)


def render(folder, name, choice, shell=None):
    def pillar_get(_key, default, merge=False):
        return {**default, **choice} if merge else default

    def listing(command):
        assert command.startswith("qvm-ls "), command
        return QUBES

    loader = jinja2.FunctionLoader(lambda path: open(os.path.join(folder, path.split("/", 1)[-1])).read())
    env = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined)
    text = env.get_template("postern/" + name).render(
        salt={"pillar.get": pillar_get, "cmd.shell": shell or listing})
    return yaml.load(text, Strict) or {}


def states(tree, where):
    for label, body in tree.items():
        if label == "include":
            continue
        for function, args in body.items():
            if function not in KNOWN:
                raise ValueError("%s: %s: no such state %s" % (where, label, function))
            yield label, function, args


def requirements(args):
    for arg in args:
        if isinstance(arg, dict):
            yield from arg.get("require", [])


def check(folder, name, choice, everything):
    found = {}
    for label, function, args in states(everything[name], name):
        found[label] = args
    known = set()
    for tree in everything.values():
        known |= {(f.split(".")[0], label) for label, f, _ in states(tree, name)}
    for label, args in found.items():
        for need in requirements(args):
            for module, wanted in need.items():
                if (module, wanted) not in known:
                    raise ValueError("%s: %s requires %s: %s, which is nowhere" % (name, label, module, wanted))
    return len(found)


def expect(what, is_so):
    if not is_so:
        raise ValueError("not so: " + what)


def arguments(args):
    return {k: v for a in args if isinstance(a, dict) for k, v in a.items()}


def meaning(trees):
    plain, chosen = trees
    qube = arguments(plain["init.sls"]["postern-qube"]["qvm.vm"])
    prefs = arguments(qube["prefs"])
    expect("prefs that salt's qvm module knows", set(prefs) <= PREFS)
    expect("PVH, 32 MiB fixed, one CPU", (prefs["virt-mode"], prefs["memory"], prefs["maxmem"], prefs["vcpus"])
           == ("pvh", 32, 32, 1))
    expect("no kernel options", prefs["kernelopts"] == "" and "no-default-kernelopts" in arguments(qube["features"])["enable"])
    expect("it provides network and says that it filters", prefs["provides-network"] is True
           and "qubes-firewall" in arguments(qube["features"])["enable"])
    expect("no qrexec unless chosen", "qrexec" in arguments(qube["features"])["disable"])
    expect("qrexec when chosen", "qrexec" in arguments(arguments(
        chosen["init.sls"]["postern-qube"]["qvm.vm"])["features"])["enable"])
    expect("the image is verified before the qube is made", {"cmd": "postern-image"} in qube["require"])
    expect("nobody moves by default", not [k for k in plain["clients.sls"] if k.startswith("postern-client")])
    expect("the chosen move", arguments(chosen["clients.sls"]["postern-client-work"]["qvm.prefs"])["netvm"] == "fw2")
    back = {k for k in plain["rollback.sls"] if k.startswith("postern-back-")}
    expect("those behind it, and no others, go back", back == {"postern-back-work", "postern-back-untrusted"})
    default = arguments(plain["rollback.sls"]["postern-default-back"]["cmd.run"])
    expect("the default goes back if it is ours", default["name"] == "qubes-prefs default_netvm sys-firewall"
           and default["onlyif"] == 'test "$(qubes-prefs default_netvm)" = sys-postern')
    work = arguments(plain["rollback.sls"]["postern-back-work"]["qvm.prefs"])
    expect("those that follow it are left to follow", {"cmd": "postern-default-back"} in work["require"]
           and work["onlyif"] == 'test "$(qvm-prefs work netvm)" = sys-postern')


def main():
    folder = sys.argv[1]
    names = sorted(n for n in os.listdir(folder) if n.endswith(".sls"))
    count, trees = 0, []
    for choice in CHOICES:
        everything = {n: render(folder, n, choice) for n in names}
        count += sum(check(folder, n, choice, everything) for n in names)
        trees.append(everything)
    meaning(trees)
    print("salt: %d states of %d files are well-formed" % (count, len(names)))


if __name__ == "__main__":
    main()
