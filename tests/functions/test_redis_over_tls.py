"""The limits on a Redis as Memorystore runs one: a password, TLS, a certificate authority of its own.

Its address is the one that terraform/modules/redis puts into a secret.
"""

import re
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote_plus

import pytest
import redis

MODULE = Path(__file__).resolve().parents[2] / "terraform/modules/redis/secret.tf"
PASSWORD = "a-password"


@pytest.fixture(scope="module")
def authority(require_program, tmp_path_factory):
    """A folder with an authority (ca.pem) and a server's certificate that names no host, like Memorystore's."""
    openssl = require_program("openssl")
    folder = tmp_path_factory.mktemp("authority")

    def run(*words):
        subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "another-ca"):
        keys = ("-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key")
        run("req", "-x509", *keys, "-out", f"{name}.pem", "-subj", f"/CN={name}", "-days", "1")
    run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", "server.pem", "-days", "1")
    return folder


@pytest.fixture(scope="module")
def port(require_program, authority):
    """The port of such a Redis."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    command = [require_program("redis-server"), "--port", "0", "--tls-port", str(free), "--bind", "127.0.0.1"]
    command += ["--requirepass", PASSWORD, "--save", "", "--tls-auth-clients", "no"]
    command += ["--tls-cert-file", "server.pem", "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.pem"]
    with subprocess.Popen(command, cwd=authority, stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", free)) == 0:
                        break
                assert process.poll() is None, "it ended at once"
                time.sleep(0.05)
            yield free
        finally:
            process.terminate()


def uri(port, certificates):
    """RATELIMIT_STORAGE_URI with what the module's own text says of TLS."""
    settings = re.findall(r'"(ssl_\w+=\w+)"', MODULE.read_text(encoding="utf-8"))
    assert settings
    query = "&".join([*settings, f"ssl_ca_data={quote_plus(certificates)}"])
    return f"rediss://:{PASSWORD}@127.0.0.1:{port}/0?{query}"


def test_limit_counts_in_redis_over_tls(make_client, row, authority, port):
    # two certificates, as in the years in which Memorystore replaces one
    certificates = "\n".join((authority / name).read_text(encoding="utf-8") for name in ("another-ca.pem", "ca.pem"))
    clients = [make_client(rate_limit_predict=2, ratelimit_storage_uri=uri(port, certificates)) for _ in range(2)]
    assert [client.post("/predict", json=row).status_code for client in (*clients, clients[0])] == [200, 200, 429]


def test_server_of_another_authority_is_refused(authority, port):
    certificate = (authority / "another-ca.pem").read_text(encoding="utf-8")
    with redis.from_url(uri(port, certificate)) as store, pytest.raises(redis.ConnectionError, match="certificate"):
        store.ping()
