#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""store_protocol.py STORE: the QubesDB protocol on the store's three sockets.

Every case gets a store of its own; afterwards that store must still run, serve a new
peer, and end in order. The link cases include all that would end the genuine daemon.
"""
import fcntl
import json
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import traceback

sys.dont_write_bytecode = True  # a test leaves nothing behind
from storewire import (ERROR, LIST, LIST_IS, MULTIREAD, MULTIREAD_IS, NOENT, OK, READ, READ_IS, RM,
                       UNWATCH, WATCH, WATCH_IS, WRITE, WAIT_S, Peer, Store, message)

CASES = []


def case(function):
    CASES.append(function)
    return function


def same(got, want):
    if got != want:
        raise AssertionError(f'got {str(got)[:300]}, want {str(want)[:300]}')


def fill(store, **keys):
    with Peer(store.local) as p:
        for key, value in keys.items():
            same(p.ask(WRITE, '/' + key, value.encode())[0], OK)


@case
def read_and_write(store):
    with Peer(store.local) as p:
        same(p.ask(READ, '/a'), (NOENT, '/a', b''))
        same(p.ask(WRITE, '/a', b'1'), (OK, '/a', b''))
        same(p.ask(READ, '/a'), (READ_IS, '/a', b'1'))
        same(p.ask(WRITE, '/a', b''), (OK, '/a', b''))
        same(p.ask(READ, '/a'), (READ_IS, '/a', b''))
        same(p.ask(WRITE, '/a', b'x' * 3071), (OK, '/a', b''))
        same(p.ask(READ, '/a'), (READ_IS, '/a', b'x' * 3071))


@case
def wrong_paths_and_values(store):
    with Peer(store.local) as p:
        for path in ('a', '-a', '/a/', '/a b', '/a;', '', '/\u00e4', b'/' * 64):
            same(p.ask(WRITE, path, b'1')[0], ERROR)
        for path in ('a', '', b'/' * 64):
            same(p.ask(RM, path)[0], ERROR)
            same(p.ask(WATCH, path)[0], ERROR)
            same(p.ask(READ, path)[0], ERROR)
        same(p.ask(MULTIREAD, 'a')[0], ERROR)
        same(p.ask(LIST, b'/' * 64)[0], ERROR)
        same(p.ask(WRITE, '/nul', b'a\0b')[0], ERROR)
        same(p.ask(WRITE, '/' + 'p' * 62, b'1')[0], OK)
        same(p.series(LIST, '/'), [('/' + 'p' * 62, b'')])


@case
def oversized(store):
    with Peer(store.local) as p:
        same(p.ask(WRITE, '/a', b'x' * 3072), (ERROR, '/a', b''))
        same(p.ask(WRITE, '/a', b'x' * 60000), (ERROR, '/a', b''))
        same(p.ask(WRITE, '/a', b'1'), (OK, '/a', b''))  # still in step
        p.send(WRITE, '/b', size=0xffffffff)
        same(p.take(), (ERROR, '/b', b''))
        assert p.ended()


@case
def multiread_and_list(store):
    fill(store, b='2', a='1', **{'a/x': '', 'ab': '3'})
    with Peer(store.local) as p:
        same(p.series(MULTIREAD, '/'), [('/a', b'1'), ('/a/x', b''), ('/ab', b'3'), ('/b', b'2')])
        same(p.series(MULTIREAD, ''), [('/b', b'2'), ('/ab', b'3'), ('/a/x', b''), ('/a', b'1')])
        same(p.series(MULTIREAD, '/a/'), [('/a/x', b'')])
        same(p.series(LIST, '/a'), [('/a', b''), ('/a/x', b''), ('/ab', b'')])
        same(p.series(LIST, '/none'), [])
        same(p.series(MULTIREAD, '/none'), [])


@case
def long_dump(store):
    """More than all buffers hold, with requests behind it in the same bytes."""
    want = [(f'/k/{i:04}', b'v' * 3000) for i in range(1500)]
    with Peer(store.local) as p:
        for start in range(0, len(want), 50):
            p.socket.sendall(b''.join(message(WRITE, *w) for w in want[start:start + 50]))
            for _ in range(50):
                same(p.take()[0], OK)
        p.socket.sendall(message(MULTIREAD, '/k/') + message(READ, '/k/0000') + message(LIST, '/k/'))
        same(p.rest(MULTIREAD_IS), want)
        same(p.take(), (READ_IS,) + want[0])
        same(len(p.rest(LIST_IS)), len(want))


@case
def remove(store):
    fill(store, d='', e='', **{'d/1': 'x', 'd/2/3': 'x', 'd.': 'x'})
    with Peer(store.local) as p:
        same(p.ask(RM, '/none'), (NOENT, '/none', b''))
        same(p.ask(RM, '/none/'), (NOENT, '/none/', b''))
        same(p.ask(RM, '/d/'), (OK, '/d/', b''))
        same(p.ask(RM, '/d/'), (NOENT, '/d/', b''))
        same(p.ask(RM, '/e'), (OK, '/e', b''))
        same([k for k, _ in p.series(LIST, '/')], ['/d', '/d.'])


@case
def watches(store):
    fill(store, **{'d/1': 'x', 'd/sub/1': 'x'})
    with Peer(store.local) as w, Peer(store.local) as p:
        for path in ('/d/', '/d', '/d', '/', '/d/sub/', '/d/1'):
            same(w.ask(WATCH, path), (OK, path, b''))

        def expect(kind, path, times, value=b''):
            same(p.ask(kind, path, value)[0], OK)
            same(w.ask(READ, '/none')[0] if not times else None, NOENT if not times else None)
            for _ in range(times):
                same(w.take(), (WATCH_IS, path, b''))
        expect(WRITE, '/d/1', 3, b'x')  # unchanged, and told all the same
        expect(WRITE, '/d', 3)
        expect(WRITE, '/da', 1)
        expect(WRITE, '/d/sub/1', 3, b'y')
        expect(RM, '/d/', 2)
        same(w.ask(UNWATCH, '/d'), (OK, '/d', b''))
        expect(RM, '/d', 2)
        same(w.ask(UNWATCH, '/d'), (OK, '/d', b''))
        same(w.ask(UNWATCH, '/d'), (NOENT, '/d', b''))
        same(w.ask(UNWATCH, '/'), (OK, '/', b''))
        expect(WRITE, '/d', 0)
        same(p.ask(RM, '/none')[0], NOENT)
        same(w.ask(WRITE, '/d/1', b'own'), (OK, '/d/1', b''))  # the reply first
        same({w.take(), w.take()}, {(WATCH_IS, '/d/1', b'')})
        for _ in range(64 - 3):
            same(w.ask(WATCH, '/x')[0], OK)
        same(w.ask(WATCH, '/x')[0], ERROR)


@case
def read_only(store):
    fill(store, a='1')
    with Peer(store.read_only) as p, Peer(store.local) as rw:
        same(p.ask(READ, '/a'), (READ_IS, '/a', b'1'))
        same(p.ask(WRITE, '/a', b'2'), (ERROR, '/a', b''))
        same(p.ask(RM, '/a'), (ERROR, '/a', b''))
        same(p.ask(WATCH, '/'), (OK, '/', b''))
        same(p.series(MULTIREAD, ''), [('/a', b'1')])
        same(rw.ask(WRITE, '/a', b'3')[0], OK)
        same(p.take(), (WATCH_IS, '/a', b''))
    same(stat.S_IMODE(os.stat(store.local).st_mode), 0o660)
    same(stat.S_IMODE(os.stat(store.link).st_mode), 0o660)


@case
def malformed(store):
    with Peer(store.local) as p:
        same(p.ask(200, '/a')[0], ERROR)
        assert p.ended()
    for kind in range(OK, WATCH_IS + 1):
        with Peer(store.local) as p:
            same(p.ask(kind, '/a', b'12')[0], ERROR)
            assert p.ended()


@case
def half_messages(store):
    whole = message(WRITE, '/half', b'12345')
    for cut in (1, 71, 72, 76):
        with Peer(store.local) as p:
            p.socket.sendall(whole[:cut])
    with Peer(store.local) as p:
        p.socket.sendall(whole[:74])
        p.socket.shutdown(socket.SHUT_WR)
        assert p.ended()
    with Peer(store.local) as p:
        same(p.ask(READ, '/half')[0], NOENT)
        for byte in whole:
            p.socket.sendall(bytes([byte]))
        same(p.take(), (OK, '/half', b''))
        p.socket.sendall(message(READ, '/half') * 3)
        p.socket.shutdown(socket.SHUT_WR)  # asked, then ended: still answered
        for _ in range(3):
            same(p.take(), (READ_IS, '/half', b'12345'))
        assert p.ended()


@case
def never_reads_answers(store):
    """It asks on and on and takes nothing: others are served, and it is closed."""
    fill(store, a='x' * 3000)
    with Peer(store.local) as lazy, Peer(store.local) as p:
        lazy.socket.settimeout(WAIT_S)
        try:
            while True:
                lazy.socket.sendall(message(READ, '/a') * 100)
        except (BrokenPipeError, ConnectionResetError):
            pass
        same(p.ask(READ, '/a')[0], READ_IS)


@case
def never_reads_watches(store):
    with Peer(store.local) as lazy, Peer(store.local) as p:
        for _ in range(64):
            same(lazy.ask(WATCH, '/')[0], OK)
        for _ in range(40):
            p.socket.sendall(message(WRITE, '/a', b'1') * 50)
            for _ in range(50):
                same(p.take()[0], OK)
        try:
            while lazy.take()[0] == WATCH_IS:
                pass
        except (EOFError, ConnectionResetError):
            pass
        same(p.ask(READ, '/a')[0], READ_IS)


@case
def too_many_peers(store):
    peers = [Peer(store.local) for _ in range(64)]
    for p in peers:
        same(p.ask(READ, '/a')[0], NOENT)
    with Peer(store.local) as extra:
        assert extra.ended()
    with Peer(store.link) as link:
        same(link.series(MULTIREAD, ''), [])
    peers.pop().close()
    same(peers[0].ask(READ, '/a')[0], NOENT)
    with Peer(store.local) as p:
        same(p.ask(READ, '/a')[0], NOENT)
    for p in peers:
        p.close()


@case
def nothing_acknowledged_without_disk(store):
    fill(store, a='1')
    with Peer(store.local) as p, Peer(store.local) as w:
        same(w.ask(WATCH, '/')[0], OK)
        other = sqlite3.connect(store.db, isolation_level=None)
        other.execute('BEGIN IMMEDIATE')
        same(p.ask(WRITE, '/a', b'2'), (ERROR, '/a', b''))
        other.execute('ROLLBACK')
        other.close()
        same(p.ask(READ, '/a'), (READ_IS, '/a', b'1'))
        assert w.silent()
        same(p.ask(WRITE, '/a', b'3')[0], OK)
        same(w.take(), (WATCH_IS, '/a', b''))


@case
def history(store):
    fill(store, **{'qubes-firewall/1/policy': 'drop', 'qubes-firewall/1/0000': 'action=accept',
                   'qubes-firewall/1': '', 'name': 'x'})
    with Peer(store.link) as link:
        same(link.ask(WRITE, '/qubes-firewall-handled/1', b'1')[0], OK)
    db = sqlite3.connect(store.db)
    rows = db.execute('SELECT path, closed, via, uid, pid > 0, '
                      '(SELECT count(*) FROM change WHERE generation = number) '
                      'FROM generation ORDER BY number').fetchall()
    db.close()
    me = os.getuid()
    same(rows, [('/qubes-firewall/1', 1, 'local', me, 1, 3), ('/name', 1, 'local', me, 1, 1),
                ('/qubes-firewall-handled/1', 1, 'link', me, 1, 1)])


@case
def link_session(store):
    fill(store, a='1', b='2', **{'d/1': 'x'})
    with Peer(store.link) as link, Peer(store.local) as p:
        same(p.ask(WRITE, '/before', b'1')[0], OK)
        same(link.ask(WRITE, '/mine', b'1'), (OK, '/mine', b''))  # nothing was pushed before it
        same(link.series(MULTIREAD, ''), [('/mine', b'1'), ('/d/1', b'x'), ('/before', b'1'),
                                          ('/b', b'2'), ('/a', b'1')])
        same(p.ask(WATCH, '/mine')[0], OK)
        same(p.ask(WRITE, '/a', b'9')[0], OK)
        same(link.take(), (WRITE, '/a', b'9'))
        link.send(OK, '/a')
        same(p.ask(RM, '/none')[0], NOENT)
        same(p.ask(RM, '/d/')[0], OK)
        same(link.take(), (RM, '/d/', b''))  # one, and nothing for what was missing
        same(p.ask(RM, '/b')[0], OK)
        same(link.take(), (RM, '/b', b''))
        same(link.ask(WRITE, '/mine', b'2'), (OK, '/mine', b''))
        same(p.take(), (WATCH_IS, '/mine', b''))
        same(link.ask(RM, '/mine'), (OK, '/mine', b''))
        same(p.take(), (WATCH_IS, '/mine', b''))
        same(p.ask(WRITE, '/end', b'')[0], OK)
        same(link.take(), (WRITE, '/end', b''))  # its own changes were not pushed back


@case
def link_prefix_enables_pushing(store):
    fill(store, a='1', b='2')
    with Peer(store.link) as link:
        same(link.series(MULTIREAD, '/a'), [('/a', b'1')])
        fill(store, c='3')
        same(link.take(), (WRITE, '/c', b'3'))


@case
def link_pushes_behind_a_long_dump(store):
    want = [(f'/k/{i:04}', b'v' * 3000) for i in range(400)]
    with Peer(store.local) as p, Peer(store.link) as link:
        for one in want:
            p.send(WRITE, *one)
        for _ in want:
            same(p.take()[0], OK)
        link.send(MULTIREAD, '')
        same(link.take(), (MULTIREAD_IS,) + want[-1])  # begun, and far from its end
        same(p.ask(RM, '/k/')[0], OK)
        same(p.ask(WRITE, '/new', b'1')[0], OK)
        same(link.rest(MULTIREAD_IS), want[-2::-1])
        same(link.take(), (RM, '/k/', b''))
        same(link.take(), (WRITE, '/new', b'1'))


@case
def link_never_do_this(store):
    fill(store, a='1')
    with Peer(store.link) as link:
        same(link.series(MULTIREAD, ''), [('/a', b'1')])
        for kind, path, data, answer in (
                (MULTIREAD, '', b'', ERROR), (READ, '/a', b'', ERROR), (LIST, '/', b'', ERROR),
                (WATCH, '/a', b'', ERROR), (UNWATCH, '/a', b'', ERROR),
                (WRITE, '/a', b'x' * 3072, ERROR), (WRITE, 'a', b'1', ERROR),
                (WRITE, '/a/', b'1', ERROR), (WRITE, '/a b', b'1', ERROR),
                (WRITE, '/a', b'1\0', ERROR), (WRITE, b'/' * 64, b'1', ERROR),
                (RM, '/none', b'', NOENT), (RM, '/none/', b'', NOENT), (RM, '', b'', ERROR)):
            same(link.ask(kind, path, data)[0], answer)
        for kind in range(OK, WATCH_IS + 1):  # answers that nobody waits for
            link.send(kind, '/a', b'12')
        same(link.ask(WRITE, '/a', b'x' * 3071)[0], OK)
        link.send(77, '/a')
        same(link.take()[0], ERROR)
        assert link.ended()
    with Peer(store.link) as link:
        link.send(WRITE, '/a', size=0x7fffffff)
        same(link.take()[0], ERROR)
        assert link.ended()
    for broken in (b'', b'\2', message(MULTIREAD), message(WRITE, '/b', b'12')[:73]):
        with Peer(store.link) as link:
            link.socket.sendall(broken)
    with Peer(store.local) as p:
        same(p.ask(READ, '/b')[0], NOENT)


TREE = '/qubes-firewall/10.137.0.5'


def write_tree(peer, *rules, commit=True):
    same(peer.ask(RM, TREE + '/')[0] in (OK, NOENT), True)
    same(peer.ask(WRITE, TREE + '/policy', b'drop')[0], OK)
    for number, rule in enumerate(rules):
        same(peer.ask(WRITE, f'{TREE}/{number:04}', rule)[0], OK)
    if commit:
        same(peer.ask(WRITE, TREE)[0], OK)


def of_tree(**rules):
    """A dump's part: the tree with these rules."""
    return sorted([(TREE, b''), (TREE + '/policy', b'drop')] +
                  [(f'{TREE}/{n[1:]}', v) for n, v in rules.items()], reverse=True)


@case
def half_a_tree_is_told_with_its_commit(store):
    with Peer(store.local) as p, Peer(store.link) as link:
        write_tree(p, b'one', b'two')
        same(link.series(MULTIREAD, ''), of_tree(_0000=b'one', _0001=b'two'))
        write_tree(p, b'three', commit=False)
        same(p.ask(WRITE, '/else', b'1')[0], OK)
        same(link.take(), (WRITE, '/else', b'1'))  # and nothing before it
        same(p.ask(WRITE, TREE)[0], OK)
        same([link.take() for _ in range(4)],
             [(RM, TREE + '/', b''), (WRITE, TREE + '/0000', b'three'),
              (WRITE, TREE + '/policy', b'drop'), (WRITE, TREE, b'')])
        same(p.ask(WRITE, TREE + '/0007', b'x')[0], OK)  # one rule more
        same(p.ask(WRITE, TREE)[0], OK)
        same([link.take() for _ in range(2)], [(WRITE, TREE + '/0007', b'x'), (WRITE, TREE, b'')])


@case
def half_a_tree_is_in_no_dump(store):
    with Peer(store.local) as p:
        write_tree(p, b'one', b'two')
        same(p.ask(RM, TREE + '/0001')[0], OK)
        same(p.ask(WRITE, TREE + '/0000', b'open to all')[0], OK)
        same(p.ask(WRITE, TREE + '/0002', b'x')[0], OK)
        same(p.ask(WRITE, '/qubes-firewall/10.137.0.6/policy', b'accept')[0], OK)
        for prefix in ('', '/'):
            with Peer(store.link) as link:
                want = of_tree(_0000=b'one', _0001=b'two')
                same(link.series(MULTIREAD, prefix), want if prefix == '' else want[::-1])
        # programs see what they write
        same(p.ask(READ, TREE + '/0000'), (READ_IS, TREE + '/0000', b'open to all'))
        with Peer(store.link) as link:
            same(link.series(MULTIREAD, ''), of_tree(_0000=b'one', _0001=b'two'))
            same(p.ask(WRITE, TREE)[0], OK)
            same([link.take() for _ in range(4)],
                 [(WRITE, TREE + '/0000', b'open to all'), (RM, TREE + '/0001', b''),
                  (WRITE, TREE + '/0002', b'x'), (WRITE, TREE, b'')])
        with Peer(store.link) as link:
            same(link.series(MULTIREAD, ''), of_tree(_0000=b'open to all', _0002=b'x'))


@case
def half_a_tree_is_not_among_the_committed(store):
    """For programs that ask so: everything at one moment, and a mark that tells it from no such listing."""
    mark = ('/postern/committed', b'')
    with Peer(store.local) as p, Peer(store.read_only) as reader:
        same(reader.series(MULTIREAD, '/postern/committed/'), [mark])
        write_tree(p, b'one', b'two')
        fill(store, last='1', **{'postern/set/a': '192.0.2.1', 'dns/x': '2'})
        same(p.ask(WRITE, '/postern/set')[0], OK)
        same(p.ask(WRITE, '/postern/set/a', b'192.0.2.2')[0], OK)
        same(p.ask(RM, TREE + '/0001')[0], OK)
        same(p.ask(WRITE, TREE + '/0000', b'open to all')[0], OK)
        same(p.ask(WRITE, '/qubes-firewall/10.137.0.6/policy', b'accept')[0], OK)
        rest = [('/postern/set', b''), ('/postern/set/a', b'192.0.2.1')]
        tree = of_tree(_0000=b'one', _0001=b'two')[::-1]
        same(reader.series(MULTIREAD, '/postern/committed/'),
             [('/dns/x', b'2'), ('/last', b'1'), mark] + rest + tree)
        same(reader.series(MULTIREAD, '/postern/committed/qubes-firewall/'), [mark] + tree)
        same(reader.series(MULTIREAD, '/postern/committed/postern/set/'), [mark] + rest[1:])
        same(reader.series(LIST, '/postern/committed/la'), [('/last', b''), mark])
        same(p.ask(WRITE, TREE)[0], OK)
        same(reader.series(MULTIREAD, '/postern/committed' + TREE),
             [mark] + of_tree(_0000=b'open to all')[::-1])
        same(reader.series(MULTIREAD, '/postern/committed'), [])  # only keys that begin so: none


@case
def a_tree_goes_with_its_commit_key(store):
    with Peer(store.local) as p:
        write_tree(p, b'one', b'two')
        with Peer(store.link) as link:
            link.series(MULTIREAD, '')
            same(p.ask(RM, TREE + '/')[0], OK)
            same(p.ask(RM, TREE)[0], OK)
            same([link.take() for _ in range(2)], [(RM, TREE + '/', b''), (RM, TREE, b'')])
    with Peer(store.link) as link:
        same(link.series(MULTIREAD, ''), [])


@case
def half_a_tree_goes_with_its_writer(store):
    with Peer(store.local) as watcher, Peer(store.local) as p:
        write_tree(p, b'one')
        same(watcher.ask(WATCH, TREE + '/')[0], OK)
        stays = Peer(store.local)
        same(stays.ask(WRITE, '/qubes-firewall/10.137.0.6/0000', b'1')[0], OK)
        with Peer(store.local) as writer:
            write_tree(writer, b'two', commit=False)
        for path in (TREE + '/', TREE + '/policy', TREE + '/0000'):
            same(watcher.take(), (WATCH_IS, path, b''))
        same(watcher.take(), (WATCH_IS, TREE + '/', b''))  # taken back
        same(p.ask(READ, TREE + '/0000'), (READ_IS, TREE + '/0000', b'one'))
        same(p.ask(READ, '/qubes-firewall/10.137.0.6/0000')[0], READ_IS)  # its writer is there
        same(stays.ask(WRITE, '/qubes-firewall/10.137.0.6')[0], OK)
        stays.close()
        with Peer(store.link) as link:
            same(dict(link.series(MULTIREAD, ''))['/qubes-firewall/10.137.0.6/0000'], b'1')


def leave_half_trees(store, first, last):
    """Each is taken back, and a line says so."""
    with Peer(store.local) as writer:
        for i in range(first, last):
            same(writer.ask(WRITE, f'/qubes-firewall/10.137.9.{i}/policy', b'drop')[0], OK)
    with Peer(store.local) as p:
        for i in range(first, last):
            path = f'/qubes-firewall/10.137.9.{i}/policy'
            deadline = time.monotonic() + WAIT_S
            while p.ask(READ, path)[0] != NOENT:
                assert time.monotonic() < deadline, f'{path} is still there'
                time.sleep(0.02)


@case
def nobody_reads_its_log(store):
    fcntl.fcntl(store.process.stderr, fcntl.F_SETPIPE_SZ, 4096)
    leave_half_trees(store, 1, 150)


@case
def its_log_has_no_reader_any_more(store):
    store.process.stderr.close()
    leave_half_trees(store, 1, 2)


@case
def half_a_tree_outlives_a_round_that_failed(store):
    """Its commit was in the same bytes as one tree too many: none of that happened, and it goes with its writer."""
    trees = [f'/qubes-firewall/10.1.{i // 250}.{i % 250 + 1}' for i in range(1026)]
    with Peer(store.local) as p:
        with Peer(store.local) as writer:
            for start in range(0, 1024, 100):
                part = trees[start:min(start + 100, 1024)]
                writer.socket.sendall(b''.join(message(WRITE, t + '/0000', b'half') for t in part))
                for _ in part:
                    same(writer.take()[0], OK)
            writer.socket.sendall(message(WRITE, trees[0]) + message(WRITE, trees[1024] + '/0000', b'x') +
                                  message(WRITE, trees[1025] + '/0000', b'x'))
            same([writer.take()[0] for _ in range(3)], [ERROR] * 3)
            same(p.ask(READ, trees[0] + '/0000'), (READ_IS, trees[0] + '/0000', b'half'))
            same(p.ask(READ, trees[0])[0], NOENT)
            for start in range(1, 1024, 100):
                part = trees[start:min(start + 100, 1024)]
                writer.socket.sendall(b''.join(message(WRITE, t) for t in part))
                for _ in part:
                    same(writer.take()[0], OK)
        until = time.monotonic() + WAIT_S
        while p.ask(READ, trees[0] + '/0000')[0] == READ_IS:
            assert time.monotonic() < until, 'it was not taken back'
            time.sleep(0.05)


@case
def a_log_of_very_many_clients(store):
    clients = [f'10.{i // 250}.200.{i % 250 + 1}' for i in range(1000)]
    with Peer(store.local) as p:
        same(p.ask(WRITE, '/postern/apply', b'begin')[0], OK)
        for c in clients:
            same(p.ask(WRITE, f'/qubes-firewall/{c}/policy', b'drop')[0], OK)
        same(p.ask(WRITE, '/postern/apply', b'commit\nreason=' + b'"' * 255)[0], OK)
        write_tree(p, b'one')
        log = p.series(MULTIREAD, '/postern/log/')
        said = [json.loads(v) for _, v in log]
        same({k.split('.')[0] for k, _ in log}, {'/postern/log/0000000001', '/postern/log/0000000002'})
        same(sorted(' '.join(s['clients'] for s in said if s['number'] == 1).split()), sorted(clients))
        same([s['clients'] for s in said if s['number'] != 1], ['10.137.0.5'])
        same(log, sorted(log))


@case
def readers_cannot_take_the_writers_places(store):
    """32 of 64 places are the most that readers get; hogs that never read lose theirs."""
    fill(store, a='x' * 3000)
    readers = [Peer(store.read_only) for _ in range(32)]
    for r in readers:
        same(r.ask(READ, '/a')[0], READ_IS)
    with Peer(store.read_only) as extra:
        assert extra.ended()
    writers = [Peer(store.local) for _ in range(32)]
    for w in writers:
        same(w.ask(WRITE, '/b', b'1')[0], OK)
    with Peer(store.local) as extra:
        assert extra.ended()
    for r in readers:  # they ask, and take no answers
        r.socket.setblocking(False)
        try:
            while True:
                r.socket.send(message(READ, '/a') * 50)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
    same(writers[0].ask(WRITE, '/b', b'2')[0], OK)
    until = time.monotonic() + WAIT_S
    while True:
        try:
            with Peer(store.read_only) as r:
                same(r.ask(READ, '/b'), (READ_IS, '/b', b'2'))
            break
        except (EOFError, ConnectionError):
            assert time.monotonic() < until, 'readers that do not read keep their places'
            time.sleep(0.05)
    for p in readers + writers:
        p.close()


@case
def link_one_at_a_time(store):
    with Peer(store.link) as first:
        same(first.series(MULTIREAD, ''), [])
        with Peer(store.link) as second:
            assert second.ended()
        fill(store, a='1')
        same(first.take(), (WRITE, '/a', b'1'))
    with Peer(store.link) as again:
        same(again.series(MULTIREAD, ''), [('/a', b'1')])


@case
def link_never_reads(store):
    """It is closed when its answers lie unread for too long, and its place is free for another."""
    with Peer(store.link) as link, Peer(store.local) as p:
        same(link.series(MULTIREAD, ''), [])
        for _ in range(40):
            p.socket.sendall(message(WRITE, '/a', b'x' * 3000) * 50)
            for _ in range(50):
                same(p.take()[0], OK)
        until = time.monotonic() + WAIT_S
        while True:
            try:
                with Peer(store.link) as other:
                    same([k for k, _ in other.series(MULTIREAD, '')], ['/a'])
                break
            except (EOFError, ConnectionError):
                assert time.monotonic() < until, 'the silent link keeps its place'
                time.sleep(0.05)
        try:
            while link.take()[0] == WRITE:
                pass
        except (EOFError, ConnectionResetError):
            pass


@case
def starts_that_are_refused(store):
    for options, status in (([], 2), (['--db', store.db], 2), (store.command()[1:] + ['x'], 2),
                            (store.command()[1:] + ['--mode', '9'], 2),
                            (store.command()[1:] + ['--group', 'no such group'], 2),
                            (store.command()[1:], 1),
                            (['--db', store.db + '2', '--socket', store.local], 1),
                            (['--db', '/nowhere/db', '--socket', store.folder + '/x'], 1),
                            (['--db', store.db + '3', '--socket', store.db], 1)):
        run = subprocess.run([store.program, *options], stderr=subprocess.PIPE, timeout=WAIT_S)
        same((run.returncode, bool(run.stderr)), (status, True))


@case
def restart(store):
    fill(store, a='1')
    notify = os.path.join(store.folder, 'notify')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(notify)
        manager.settimeout(WAIT_S)
        store.kill()
        assert os.path.exists(store.local)  # left behind, and replaced
        store.start(NOTIFY_SOCKET=notify)
        same(manager.recv(100), b'READY=1')
    with Peer(store.local) as p:
        same(p.ask(READ, '/a'), (READ_IS, '/a', b'1'))


def run_case(program, function):
    store = Store(program, '--patience', '1', '--half', '1')
    try:
        store.start()
        function(store)
        assert store.alive(), 'the store died'
        with Peer(store.local) as p:
            same(p.ask(READ, '/nothing/here')[0], NOENT)
        same(store.stop(), 0)
        for path in (store.local, store.read_only, store.link):
            assert not os.path.exists(path), f'{path} left behind'
        return True
    except Exception:  # whatever it is, it is this case's failure
        print(f'FAILED: {function.__name__}')
        traceback.print_exc()
        return False
    finally:
        store.remove()


def main(program):
    failed = sum(not run_case(program, function) for function in CASES)
    print(f'{len(CASES) - failed} passed, {failed} failed')
    return failed > 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
