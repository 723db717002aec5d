"""A W&B server that runs on this machine, records what it is told, and fails when asked to.

It speaks as much of the client's protocol as a run needs: GraphQL, file stream, files, artifacts.
Its answers were written from the client's questions: it proves that our calls are well formed and
what they carry, not how wandb.ai behaves.
"""

import base64
import contextlib
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

from tests.wandb_artifacts import Artifacts
from tests.wandb_queries import Queries

ENTITY = "me"
KEY = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Run:
    """What the server holds of one run."""

    name: str
    state: str = "running"
    exit_code: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)  # displayName, groupName, jobType, tags
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    num_starts: int = 0  # upserts that began the run or took it up again


class Server(Queries, Artifacts):
    """The server and all that it was told.

    Attributes:
        runs: by their project and id.
        fail: HTTP status to answer with, by kind of request: graphql, file_stream, put, all.
        num_failures: how many requests fail; all of them by default.
        is_stalled: take requests and answer none of them, until cleared.
        is_down: break every connection, as a server does that was killed, until cleared.
        most_open: how many runs were open at once, at most.
        unknown: operations that it has no answer to; empty in a good test.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.runs: dict[tuple[str, str], Run] = {}
        self.blobs: dict[str, bytes] = {}
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.fail: dict[str, int] = {}
        self.num_failures = float("inf")
        self.views: dict[str, dict[str, Any]] = {}
        self.is_stalled = self.is_down = False
        self.is_closing = False
        self.open: set[tuple[str, str]] = set()
        self.most_open = 0
        self.requests: list[str] = []
        self.unknown: list[str] = []
        self.handler = type("H", (_Handler,), {"server_": self})
        self.http = _Http(("127.0.0.1", 0), self.handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def start(self) -> None:
        """Take requests, on a thread; on the same port after a stop."""
        if self.http.socket.fileno() == -1:
            self.http = _Http(self.http.server_address, self.handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Close the port and all connections, as a server does that ends."""
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()
        for connection in self.http.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def run_named(self, display_name: str) -> Run:
        """The only run of that display name."""
        (run,) = [r for r in self.runs.values() if r.fields.get("displayName") == display_name]
        return run

    def answer(self, op: str, query: str, values: dict[str, Any]) -> dict[str, Any] | None:
        """Answer one GraphQL operation; None if there is no answer to it."""
        handler = getattr(self, f"on_{op}", None)
        if handler is None:
            self.unknown.append(f"{op}: {query[:200]}")
            return None
        with self.lock:
            return handler(values)

    def stream(self, project: str, run_id: str, body: dict[str, Any]) -> None:
        """Take history, summary and exit code."""
        key = (project, run_id)
        with self.lock:
            run = self.runs.setdefault(key, Run(run_id))
            files = body.get("files") or {}
            if chunk := files.get("wandb-history.jsonl"):
                rows = [json.loads(line) for line in chunk["content"]]
                run.history[chunk["offset"] : chunk["offset"] + len(rows)] = rows
            if chunk := files.get("wandb-summary.json"):
                run.summary = json.loads(chunk["content"][-1])
            if body.get("complete"):
                self.open.discard(key)
                run.exit_code = body["exitcode"]
                run.state = "failed" if run.exit_code else "finished"

    def project(self, name: str) -> dict[str, Any]:
        return {
            "id": f"p_{name}",
            "internalId": "UHJvamVjdEludGVybmFsSWQ6MQ==",
            "name": name,
            "entity": {"id": "e1", "name": ENTITY},
            "__typename": "Project",
            "entityName": ENTITY,
            "createdAt": "2026-01-01T00:00:00Z",
            "isBenchmark": False,
            "readOnly": False,
            "user": None,
        }

    def bucket(self, run: Run) -> dict[str, Any]:
        """A run as GraphQL shows it."""
        tail = run.history[-1:]
        keys = {
            key: {"typeCounts": [{"type": "number"}], "monotonic": False}
            for row in run.history
            for key in row
        }
        last = run.history[-1].get("_step", 0) if run.history else -1
        return {
            "__typename": "Run",
            "projectId": "1",
            "group": run.fields.get("groupName"),
            "jobType": run.fields.get("jobType"),
            "createdAt": "2026-01-01T00:00:00Z",
            "heartbeatAt": "2026-01-01T00:00:00Z",
            "readOnly": False,
            "commit": None,
            "description": "",
            "notes": None,
            "systemMetrics": "{}",
            "user": {"name": ENTITY, "username": ENTITY},
            "historyKeys": {"lastStep": last, "sets": [], "keys": keys},
            "id": base64.b64encode(f"Run:{run.name}".encode()).decode(),
            "name": run.name,
            "displayName": run.fields.get("displayName") or run.name,
            "state": run.state,
            # W&B keeps no order of keys
            "config": json.dumps({k: {"value": v} for k, v in run.config.items()}, sort_keys=True),
            "summaryMetrics": json.dumps(run.summary),
            "historyLineCount": len(run.history),
            "historyTail": json.dumps([json.dumps(row) for row in tail]),
            "logLineCount": 0,
            "eventsLineCount": 0,
            "eventsTail": "[]",
            "tags": run.fields.get("tags") or [],
            "sweepName": None,
            "wandbConfig": '{"t":1}',
        }

    def on_UpsertBucket(self, values: dict[str, Any]) -> dict[str, Any]:
        name = values.get("name") or values["id"]
        key = (values["project"], name)
        is_new = key not in self.runs
        run = self.runs.setdefault(key, Run(name))
        if values.get("config"):
            sent = json.loads(values["config"])
            run.config = {key: entry["value"] for key, entry in sent.items()}
            run.num_starts += 1
            self.open.add(key)
            self.most_open = max(self.most_open, len(self.open))
            run.state = "running"
        if values.get("summaryMetrics") and not run.history:
            run.summary = json.loads(values["summaryMetrics"])
        run.fields.update({key: value for key, value in values.items() if value not in (None, "")})
        bucket = {**self.bucket(run), "project": self.project(run.fields.get("project", ""))}
        return {"upsertBucket": {"bucket": bucket, "inserted": is_new}}

    def on_RunResumeStatus(self, values: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get((values["project"], values["name"]))
        bucket = self.bucket(run) if run else None
        return {"model": {**self.project(values["project"]), "bucket": bucket}}

    def on_CreateRunFiles(self, values: dict[str, Any]) -> dict[str, Any]:
        project, run, names = values["project"], values["run"], values["files"]
        self.runs[project, run].files.extend(names)
        place = f"{self.url}/files/{quote(project)}/{run}"
        files = [{"name": n, "uploadUrl": f"{place}/{n}"} for n in names]
        return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": files}}

    def on_Viewer(self, values: dict[str, Any]) -> dict[str, Any]:
        viewer = {"id": "u1", "entity": ENTITY, "username": ENTITY, "email": "a@b", "flags": "{}"}
        more = {"__typename": "User", "name": ENTITY, "admin": False, "deletedAt": None}
        teams = {"apiKeys": {"edges": []}, "teams": {"edges": [{"node": {"name": ENTITY}}]}}
        return {"viewer": {**viewer, **more, **teams}}

    on_GetViewer = on_GetDefaultEntity = on_Viewer

    def on_ServerFeaturesQuery(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"serverInfo": {"features": []}}

    def on_OrganizationCoreWeaveOrganizationID(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"entity": {"organization": None}}


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server_: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing; the requests are kept."""

    def do_GET(self) -> None:
        if (found := self.server_.blobs.get(self.path)) is None:
            self.answer(404, {"error": "not here"})
        else:
            self.answer(200, found)

    def do_PUT(self) -> None:
        body = self.body()
        if not self.is_failing("put"):
            self.server_.blobs[self.path] = body
            self.answer(200, {})

    def do_POST(self) -> None:
        body = self.body()
        if not self.is_known():
            return
        if self.path.endswith("/file_stream"):
            if not self.is_failing("file_stream"):
                project, run_id = self.path.split("/")[-3:-1]
                self.server_.stream(unquote(project), run_id, json.loads(body))
                self.answer(200, {"limits": {}})
        elif self.path.startswith("/graphql"):
            if not self.is_failing("graphql"):
                self.graphql(json.loads(body))
        else:
            self.server_.requests.append(f"POST {self.path}")
            self.answer(404, {"error": "not here"})

    def graphql(self, call: dict[str, Any]) -> None:
        query = call["query"]
        found = re.search(r"\b(?:query|mutation)\s+(\w+)", query)
        op = found.group(1) if found else ""
        self.server_.requests.append(op)
        data = self.server_.answer(op, query, call.get("variables") or {})
        errors = {} if data else {"errors": [{"message": f"no answer to {op}"}]}
        self.answer(200, {"data": data, **errors})

    def is_known(self) -> bool:
        """Whether the request has the right key."""
        given = self.headers.get("authorization", "").removeprefix("Basic ")
        if base64.b64decode(given).decode() == f"api:{KEY}":
            return True
        self.answer(401, {"errors": [{"message": "user is not logged in"}]})
        return False

    def is_failing(self, kind: str) -> bool:
        server = self.server_
        while server.is_stalled and not server.is_closing:
            time.sleep(0.05)
        if server.is_down:
            self.close_connection = True
            return True
        code = server.fail.get(kind) or server.fail.get("all")
        if code and server.num_failures > 0:
            server.num_failures -= 1
            server.requests.append(f"{kind} {code}")
            self.answer(code, {"error": "injected"})
            return True
        return False

    def body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        chunks = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def answer(self, code: int, value: Any) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        with contextlib.suppress(ConnectionError):  # the client may have gone
            self.send_response(code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port, which ends with the block."""
    server = Server()
    server.start()
    try:
        yield server
    finally:
        server.is_closing = True
        if server.thread.is_alive():
            server.stop()
