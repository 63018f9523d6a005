# SPDX-License-Identifier: ISC
"""storewire.py: QubesDB messages and a store under test, for the store's tests."""
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

(READ, WRITE, MULTIREAD, LIST, RM, WATCH, UNWATCH, OK, NOENT, ERROR, READ_IS, MULTIREAD_IS,
 LIST_IS, WATCH_IS) = range(14)
LAYOUT = struct.Struct('<B64s3xI')
WAIT_S = 20


def message(kind, path='', data=b'', size=None):
    """The bytes of one message; size lies about the data's length."""
    path = path.encode() if isinstance(path, str) else path
    return LAYOUT.pack(kind, path, len(data) if size is None else size) + data


class Peer:
    """One connection, to a Unix socket of the store."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(path)

    def send(self, *arguments, **named):
        self.socket.sendall(message(*arguments, **named))

    def exactly(self, size):
        parts = b''
        while len(parts) < size:
            part = self.socket.recv(size - len(parts))
            if not part:
                raise EOFError('closed by the store')
            parts += part
        return parts

    def take(self):
        kind, path, size = LAYOUT.unpack(self.exactly(LAYOUT.size))
        return kind, path.split(b'\0')[0].decode(), self.exactly(size)

    def ask(self, *arguments, **named):
        self.send(*arguments, **named)
        return self.take()

    def series(self, kind, prefix):
        """All answers of a MULTIREAD or LIST up to its end."""
        self.send(kind, prefix)
        return self.rest(MULTIREAD_IS if kind == MULTIREAD else LIST_IS)

    def rest(self, kind):
        got = []
        while True:
            answer = self.take()
            if answer == (kind, '', b''):
                return got
            if answer[0] != kind:
                raise AssertionError(f'{answer} inside a series')
            got.append(answer[1:])

    def ended(self):
        """True if the store closes this connection."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True

    def silent(self):
        """Nothing is waiting. Only after something later was answered elsewhere."""
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1) is None
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(WAIT_S)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Store:
    """postern-store in a folder of its own."""

    def __init__(self, program, *options):
        self.program = program
        self.options = options
        self.folder = tempfile.mkdtemp(prefix='postern-store-')
        self.db = os.path.join(self.folder, 'db')
        self.local = os.path.join(self.folder, 'rw')
        self.read_only = os.path.join(self.folder, 'ro')
        self.link = os.path.join(self.folder, 'link')
        self.process = None

    def command(self):
        return [self.program, '--db', self.db, '--socket', self.local, '--ro-socket',
                self.read_only, '--link', self.link, *self.options]

    def start(self, **environment):
        self.process = subprocess.Popen(self.command(), stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **environment})
        line = self.process.stderr.readline()
        if line != 'postern-store: ready\n':
            raise AssertionError(f'no start: {line!r}')

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stderr.close()

    def stop(self):
        """Ends it in order; its exit status."""
        self.process.terminate()
        status = self.process.wait(WAIT_S)
        self.process.stderr.close()
        return status

    def remove(self):
        if self.process and self.alive():
            self.kill()
        shutil.rmtree(self.folder)
