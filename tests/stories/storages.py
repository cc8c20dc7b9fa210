"""Storages as teams have them, each a real server on the loopback with a port of its own."""

import base64
import functools
import getpass
import hashlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SECRET = "never-in-git-7f3a"
"""Part of every password and key that a story uses."""


@dataclass(frozen=True)
class Storage:
    """Where data and models are kept.

    Args:
        url: what `make storage URL=...` is told.
        folder: where the server keeps its files, None where they are not in a folder.
        shared: options of DVC's remote that are committed.
        private: those that stay in .dvc/config.local.
    """

    url: str
    folder: Path | None
    shared: dict[str, str] = field(default_factory=dict)
    private: dict[str, str] = field(default_factory=dict)


Opened = AbstractContextManager[Storage]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _server(command: list[str], port: int, log: Path) -> Iterator[None]:
    """Run a server in the foreground until it listens, and as long as the block runs."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        end = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            alive = process.poll() is None and time.monotonic() < end
            assert alive, f"{command[0]} does not listen: {log.read_text()}"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def _program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is missing: apt-get install {package}")
    return found


@contextmanager
def local(top: Path) -> Iterator[Storage]:
    """A folder, as on a network drive; its name has a space."""
    yield Storage(str(top / "team storage"), top / "team storage")


@contextmanager
def s3(top: Path) -> Iterator[Storage]:
    """A bucket of an S3 server (moto)."""
    import requests
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        keys = {"access_key_id": "somebody", "secret_access_key": SECRET}
        requests.put(f"{endpoint}/photos", timeout=60).raise_for_status()
        shared = {"endpointurl": endpoint, "region": "us-east-1"}
        yield Storage("s3://photos/landmarks", None, shared, keys)
    finally:
        server.stop()


@contextmanager
def ssh(top: Path) -> Iterator[Storage]:
    """A folder behind OpenSSH, which runs as the user of the tests and with its own keys."""
    sshd = _program("sshd", "openssh-server")
    if os.getuid() == 0:
        # Whoever is root needs it; Debian's service would make it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    top.mkdir(parents=True, exist_ok=True)
    for name in ("host", f"user-{SECRET}"):
        key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(top / name)]
        subprocess.run(key, check=True)
    shutil.copy(top / f"user-{SECRET}.pub", top / "authorized")
    port = free_port()
    (top / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {top}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {top}/authorized\nStrictModes no\nPermitRootLogin yes\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\n"
        "MaxStartups 100\nMaxSessions 100\n"
    )
    command = [sshd, "-D", "-e", "-f", str(top / "sshd_config")]
    with _server(command, port, top / "sshd.log"):
        url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{top / 'storage'}"
        yield Storage(url, top / "storage", private={"keyfile": str(top / f"user-{SECRET}")})


_DAV = Path("/usr/lib/nginx/modules/ngx_http_dav_ext_module.so")
NGINX = """
daemon off; master_process off; pid {top}/nginx.pid; error_log {top}/error.log;
load_module {module};
events {{ }}
http {{
  access_log {top}/access.log;
  client_body_temp_path {top}/body; proxy_temp_path {top}/proxy; fastcgi_temp_path {top}/fastcgi;
  uwsgi_temp_path {top}/uwsgi; scgi_temp_path {top}/scgi;
  client_max_body_size {largest};
  server {{
    listen 127.0.0.1:{port};
    root {top}/www;
    auth_basic storage; auth_basic_user_file {top}/passwords;
    location / {{
      dav_methods PUT DELETE MKCOL COPY MOVE;
      dav_ext_methods PROPFIND OPTIONS;
      create_full_put_path on;
      # nginx makes a folder only where its name ends with a slash; clients leave that out.
      if ($request_method = MKCOL) {{ rewrite ^(.*[^/])$ $1/ break; }}
    }}
  }}
}}
"""


@contextmanager
def nginx(top: Path, largest: str = "0") -> Iterator[int]:
    """Run nginx with WebDAV on `top/www`, for user `somebody`; yield its port.

    Args:
        top: a new folder for all that it writes.
        largest: bytes of the largest file that it takes; 0 is without bounds.
    """
    program = _program("nginx", "nginx-light libnginx-mod-http-dav-ext")
    if not _DAV.exists():
        pytest.skip("nginx lacks PROPFIND: apt-get install libnginx-mod-http-dav-ext")
    (top / "www").mkdir(parents=True)
    salted = base64.b64encode(hashlib.sha1(SECRET.encode()).digest()).decode()
    (top / "passwords").write_text(f"somebody:{{SHA}}{salted}\n")
    port = free_port()
    text = NGINX.format(top=top, port=port, largest=largest, module=_DAV)
    (top / "nginx.conf").write_text(text)
    command = [program, "-p", str(top), "-e", str(top / "error.log"), "-c", str(top / "nginx.conf")]
    with _server(command, port, top / "nginx.log"):
        yield port


@contextmanager
def webdav(top: Path, largest: str = "0") -> Iterator[Storage]:
    """A folder behind nginx that speaks WebDAV; `largest` as for `nginx`."""
    with nginx(top, largest) as port:
        # DVC makes folders in it, but not itself.
        (top / "www/landmarks").mkdir()
        private = {"user": "somebody", "password": SECRET}
        yield Storage(f"webdav://127.0.0.1:{port}/landmarks", top / "www/landmarks", {}, private)


@contextmanager
def http_put(top: Path) -> Iterator[Storage]:
    """A folder behind a web server that takes files by PUT."""
    with nginx(top) as port:
        shared = {"method": "PUT", "auth": "basic"}
        private = {"user": "somebody", "password": SECRET}
        url = f"http://127.0.0.1:{port}/landmarks"
        yield Storage(url, top / "www/landmarks", shared, private)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def public(folder: Path) -> Iterator[str]:
    """Serve a folder as a plain static web site; yield its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


KINDS: dict[str, Callable[[Path], Opened]] = {
    "local": local,
    "s3": s3,
    "ssh": ssh,
    "webdav": webdav,
    "http": http_put,
}
