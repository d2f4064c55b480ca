"""A hub on this machine: folders served as repositories, as far as Hugging Face's libraries ask."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "c0ffee" * 6 + "beef"
"""The newest commit of every repository."""


class _Hub(BaseHTTPRequestHandler):
    """`repositories` maps `models/org/name` and `datasets/org/name` to folders."""

    repositories: Mapping[str, Path] = {}
    asked: list[str] = []
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.answer(body=True)

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        repository, _, rest = self.parted(unquote(urlsplit(self.path).path).removeprefix("/api/"))
        folder = self.repositories.get(repository)
        if folder is None or not rest.startswith("paths-info/"):
            self.say(404, {"error": "Repository not found"})
            return
        given = json.loads(said)["paths"] if said.startswith("{") else parse_qs(said)["paths"]
        self.say(200, [e for e in self.tree(folder, "", recursive=True) if e["path"] in given])

    def parted(self, path: str) -> tuple[str, str, str]:
        """`models/org/name`, nothing, and what stands behind it."""
        kind, owner, name, *rest = [*path.split("/"), "", ""]
        return f"{kind}/{owner}/{name}", "", "/".join(rest).strip("/")

    def answer(self, *, body: bool) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.asked.append(path)
        if path.startswith("/api/"):
            self.api(path.removeprefix("/api/"), recursive="recursive=true" in parts.query.lower())
            return
        kind = "datasets" if path.startswith("/datasets/") else "models"
        repository, _, rest = self.parted(f"{kind}/{path.removeprefix('/datasets').strip('/')}")
        folder, (_, revision, *names) = (
            self.repositories.get(repository),
            [*rest.split("/"), "", ""],
        )
        if folder is None:
            self.say(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        elif revision not in ("main", COMMIT):
            self.say(404, {"error": "Revision"}, {"X-Error-Code": "RevisionNotFound"})
        elif not (file := folder / "/".join(names).strip("/")).is_file():
            missing = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}
            self.say(404, {"error": "Entry not found"}, missing)
        else:
            self.give(file, body=body)

    def give(self, file: Path, *, body: bool) -> None:
        content = file.read_bytes()
        self.send_response(200)
        self.send_header("ETag", f'"{sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def api(self, path: str, *, recursive: bool) -> None:
        repository, _, rest = self.parted(path)
        folder = self.repositories.get(repository)
        if folder is None:
            self.say(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        elif rest.startswith("tree/"):
            self.say(200, self.tree(folder, rest.split("/", 2)[2] if rest.count("/") > 1 else "",
                                    recursive=recursive))  # fmt: skip
        elif rest in ("", "revision/main", f"revision/{COMMIT}"):
            files = [{"rfilename": entry["path"]} for entry in self.tree(folder, "", recursive=True)
                     if entry["type"] == "file"]  # fmt: skip
            name = repository.partition("/")[2]
            told = {"id": name, "modelId": name, "sha": COMMIT, "siblings": files, "private": False}
            self.say(200, told | {"tags": [], "downloads": 0, "likes": 0, "gated": False})
        else:
            self.say(404, {"error": "Revision"}, {"X-Error-Code": "RevisionNotFound"})

    def tree(self, folder: Path, below: str, *, recursive: bool) -> list[dict[str, object]]:
        place = folder / below
        found = sorted(place.rglob("*") if recursive else place.glob("*"))
        entries: list[dict[str, object]] = []
        for path in found:
            name = path.relative_to(folder).as_posix()
            if path.is_dir():
                entries.append({"type": "directory", "path": name, "oid": "0" * 40, "size": 0})
                continue
            blob = sha1(path.read_bytes()).hexdigest()
            size = path.stat().st_size
            entries.append({"type": "file", "path": name, "oid": blob, "size": size})
        return entries

    def say(self, status: int, said: object, headers: Mapping[str, str] | None = None) -> None:
        content = json.dumps(said).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def serving(repositories: Mapping[str, Path]) -> Iterator[tuple[str, list[str]]]:
    """The address of a hub with these repositories, and what it was asked."""
    asked: list[str] = []
    told = {"repositories": dict(repositories), "asked": asked}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Hub", (_Hub,), told))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
