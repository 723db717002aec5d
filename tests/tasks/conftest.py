"""Small published-looking data sets, and a mirror on the loopback interface that carries them."""

import gzip
import hashlib
import http.server
import multiprocessing
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from mnist_seq.tasks.sources import mnist1d_file
from mnist_seq.tasks.sources.published import MNIST, IdxFile, Source

NUM_TRAIN, NUM_TEST = 40, 20


def _idx(array: np.ndarray) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass
class Published:
    """A data set with real checksums: its contents and its archives by file name."""

    source: Source
    contents: dict[str, bytes]
    archives: dict[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path, *, archived: bool = False) -> Path:
        """Put all files into `folder`, raw or as `.gz`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.contents.items():
            if archived:
                (folder / (name + ".gz")).write_bytes(self.archives[name])
            else:
                (folder / name).write_bytes(content)
        return folder


@pytest.fixture
def published() -> Published:
    """A small data set in MNIST's place, with checksums of its own."""
    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(0, 256, (NUM_TRAIN, 28, 28), dtype=np.uint8),
        np.arange(NUM_TRAIN, dtype=np.uint8) % 10,
        rng.integers(0, 256, (NUM_TEST, 28, 28), dtype=np.uint8),
        np.arange(NUM_TEST, dtype=np.uint8) % 10,
    ]
    names = [file.name for file in MNIST.files]
    contents = {name: _idx(array) for name, array in zip(names, arrays, strict=True)}
    archives = {name: gzip.compress(content, mtime=0) for name, content in contents.items()}
    first, second, third, fourth = (
        IdxFile(name, _md5(contents[name]), _md5(archives[name])) for name in names
    )
    # Port 9 of the loopback interface is closed: no test reaches a real mirror by accident.
    source = replace(
        MNIST, files=(first, second, third, fourth), mirrors=("http://127.0.0.1:9/none/",)
    )
    return Published(source, contents, archives)


@dataclass
class Mirror:
    """What a loopback server was asked for."""

    url: str
    downloads: list[str]


@pytest.fixture
def serve() -> Iterator[Callable[..., Mirror]]:
    """Start loopback servers: each carries the files that it is given as `<name>.gz`.

    One that `stalls` says that it has them and then sends nothing.
    """
    servers = []
    end = threading.Event()

    def start(archives: dict[str, bytes], *, stalls: bool = False) -> Mirror:
        downloads: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def _answer(self, *, with_body: bool) -> None:
                body = archives.get(self.path.removeprefix("/").removesuffix(".gz"))
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                if with_body and body is not None:
                    self.wfile.write(body)

            def do_HEAD(self) -> None:
                self._answer(with_body=False)

            def do_GET(self) -> None:
                if stalls:
                    end.wait(30)
                    return
                if self.headers.get("Method") != "HEAD":  # torchvision's question for redirects
                    downloads.append(self.path)
                self._answer(with_body=True)

            def log_message(self, *args: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return Mirror(f"http://127.0.0.1:{server.server_address[1]}/", downloads)

    yield start
    end.set()
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def signals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with MNIST-1D, generated while two processes ask for it at once."""
    root = tmp_path_factory.mktemp("signals") / "new"
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        paths = list(pool.map(mnist1d_file.find, [root, root]))
    assert paths == [root / mnist1d_file.FILE] * 2
    assert [path.name for path in paths[0].parent.iterdir()] == [mnist1d_file.FILE.name]
    return root
