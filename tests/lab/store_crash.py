#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""store_crash.py STORE: kills the store while it commits, and looks for what it acknowledged.

Each of COMMITS commits is a small rule tree: RM, policy, one rule, the commit key. Several
go out before the answers are read, so that the kill falls anywhere. After each restart every
acknowledged commit must be there, a rule tree without its commit must be back at the one
before, nothing may be there that was never sent, and the history must agree with the keys.
An appliance is told meanwhile: what it holds must always be a state that was committed.
"""
import random
import sqlite3
import sys
import threading

sys.dont_write_bytecode = True  # a test leaves nothing behind
from storewire import ERROR, MULTIREAD, NOENT, RM, WRITE, Peer, Store

COMMITS = 1000
KILLS = 10
AHEAD = 8  # commits under way
CLIENTS = 5
tally = {True: 0, False: 0}


def check(good, what):
    tally[bool(good)] += 1
    if not good:
        print('FAILED:', what)


def changes_of(number):
    """The changes of one commit, in order: kind, path, value."""
    tree = f'/qubes-firewall/10.137.0.{number % CLIENTS}'
    return [(RM, tree + '/', b''), (WRITE, tree + '/policy', b'drop'),
            (WRITE, tree + '/0000', b'action=accept dstports=%d-%d' % (number, number)),
            (WRITE, f'/mark/{number}', b'%d' % number), (WRITE, tree, b'')]


def apply(keys, change):
    kind, path, value = change
    if kind == WRITE:
        keys[path] = value
    else:
        for key in [k for k in keys if k.startswith(path)]:
            del keys[key]


def states_from(keys, changes):
    """What a store that comes back may show after each change, the first being before any.

    A change outside the rules counts at once, one of a rule tree when its commit key comes."""
    now = dict(keys)
    committed = dict(keys)
    states = [dict(keys)]
    for change in changes:
        apply(now, change)
        tree = '/'.join(change[1].split('/')[:3])
        if not tree.startswith('/qubes-firewall/'):
            apply(committed, change)
        elif change == (WRITE, tree, b''):
            for path in [p for p in committed if p == tree or p.startswith(tree + '/')]:
                del committed[path]
            committed.update({p: v for p, v in now.items()
                              if p == tree or p.startswith(tree + '/')})
        states.append(dict(committed))
    return states


class Mirror(threading.Thread):
    """An appliance: dumps, is told, and takes a rule tree over when its commit key comes."""

    def __init__(self, store):
        super().__init__()
        self.peer = Peer(store.link)
        self.staged = dict(self.peer.series(MULTIREAD, ''))
        self.holds = dict(self.staged)
        self.commits = 0
        self.start()

    def run(self):
        try:
            while True:
                change = self.peer.take()
                apply(self.staged, change)
                tree = '/'.join(change[1].split('/')[:3])
                if not tree.startswith('/qubes-firewall/'):
                    apply(self.holds, change)
                elif change == (WRITE, tree, b''):
                    self.commits += 1
                    for path in [p for p in self.holds if p.startswith(tree + '/')]:
                        del self.holds[path]
                    self.holds.update({p: v for p, v in self.staged.items()
                                       if p == tree or p.startswith(tree + '/')})
        except (EOFError, ConnectionError):
            pass

    def ended(self):
        """What it holds when the store is gone."""
        self.join()
        self.peer.close()
        return self.holds


def feed(store, first, acknowledged, fatal, killer):
    """Sends commits from first on; appends each acknowledged change. Returns all sent.

    At the fatal acknowledgement the killer is started, and the feeding goes on."""
    sent = []
    waiting = []
    number = first
    with Peer(store.local) as peer:
        try:
            while number < COMMITS or waiting:
                while number < COMMITS and len(waiting) < AHEAD * 5:
                    for change in changes_of(number):
                        sent.append(change)
                        waiting.append(change)
                        peer.send(*change)
                    number += 1
                kind, path, _ = peer.take()
                change = waiting.pop(0)
                if path != change[1] or kind == ERROR or kind == NOENT and change[0] != RM:
                    check(False, f'answer {kind} {path} to {change}')
                acknowledged.append(change)
                if len(acknowledged) == fatal:
                    killer.start()
        except (EOFError, ConnectionError):
            pass
    return sent


def history_agrees(store, keys):
    """Replaying every change ever noted gives the keys that are there."""
    replayed = {}
    db = sqlite3.connect(store.db)
    sound = db.execute('PRAGMA integrity_check').fetchone() == ('ok',)
    for path, old, new in db.execute('SELECT path, old, new FROM change ORDER BY rowid'):
        sound = sound and replayed.get(path) == old
        if new is None:
            replayed.pop(path, None)
        else:
            replayed[path] = new
    db.close()
    return sound and replayed == keys


def run(program):
    store = Store(program)
    chance = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else None)
    keys = {}
    first = 0
    kills = 0
    try:
        store.start()
        while first < COMMITS:
            acknowledged = []
            # Within this life's share of the commits, and then at a moment of its own.
            share = (COMMITS - first) // (KILLS - kills + 1) * 5
            fatal = chance.randint(1, share) if kills < KILLS else None
            killer = threading.Timer(chance.uniform(0, 0.003), store.kill)
            mirror = Mirror(store)
            check(mirror.holds == keys, f'after kill {kills}: the dump')
            sent = feed(store, first, acknowledged, fatal, killer)
            states = states_from(keys, sent)
            if fatal:
                killer.join()
                kills += 1
                check(mirror.ended() in states, f'kill {kills}: what the appliance holds')
                store.start()
            with Peer(store.local) as peer:
                now = dict(peer.series(MULTIREAD, '/'))
            check(now in states[len(acknowledged):],
                  f'after kill {kills}: {len(acknowledged)} of {len(sent)} acknowledged')
            check(history_agrees(store, now), f'after kill {kills}: history')
            keys = now
            marks = [int(k[6:]) for k in keys if k.startswith('/mark/')]
            first = max(marks, default=-1) + 1
        check(kills == KILLS, f'only {kills} kills before everything was written')
        check(len(marks) == COMMITS, f'{len(marks)} commits of {COMMITS}')
        check(store.stop() == 0, 'exit status')
        check(mirror.ended() == keys, 'what the appliance holds at the end')
        check(mirror.commits > 0, 'the appliance was told nothing')
    finally:
        store.remove()
    print(f'{tally[True]} passed, {tally[False]} failed')
    return tally[False] > 0


if __name__ == '__main__':
    sys.exit(run(sys.argv[1]))
