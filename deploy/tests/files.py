"""Checks the files of deploy/ and the TLS commands of docs/cluster.md, each by the program that it is for.

A line on standard error names what could not be checked. Validators that pip fetched are found by PYTHONPATH.
"""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
TOKEN = "t1e5-of-the-test-only"
# Where the units look for programs that are installed on hosts only.
INSTALLED = re.compile(r"/usr/local/bin/fanout-\w+")


def say(text):
    print(f"deploy/tests/files.py: {text}", file=sys.stderr)


def run(*command, **options):
    """Runs `command`; fails with what it printed unless its status is 0. Returns that."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "timeout": 60} | options
    done = subprocess.run(command, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}"
    return done.stdout


def units(folder):
    for unit in DEPLOY.glob("*.service"):
        (folder / unit.name).write_text(INSTALLED.sub("/bin/true", unit.read_text()))
    # It takes unknown settings for warnings.
    said = run("systemd-analyze", "verify", "--man=no", *folder.glob("*.service"))
    assert not said, said


def kubernetes(_):
    validate = Path(importlib.util.find_spec("kubernetes_validate").origin).parents[1] / "bin/kubernetes-validate"
    said = run(sys.executable, validate, "--strict", "-k", "1.37", DEPLOY / "kubernetes.yaml")
    assert said.count("passed") == 5, said


def compose(_):
    run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def connect(host, port):
    """A connection to the broker there, and what that says of itself first. Waits up to 10 s for it."""
    end = time.monotonic() + 10
    while True:
        try:
            connection = socket.create_connection((host, port), timeout=5)
            return connection, json.loads(connection.makefile().readline().removeprefix("INFO "))
        except OSError:
            assert time.monotonic() < end, f"no broker at {host}:{port}"
            time.sleep(0.05)


def answer(connection, **fields):
    """What the broker says to a client that shows `fields`."""
    connection.sendall(f"CONNECT {json.dumps(fields | {'verbose': True})}\r\n".encode())
    return connection.makefile().readline().strip()


@contextlib.contextmanager
def brokers(folder, config, *starts, **environment):
    """A broker for each of `starts`, which are arguments; ended with the block."""
    token = folder / "token"
    token.write_text(TOKEN + "\n")
    started = []
    try:
        for number, arguments in enumerate(starts):
            command = [DEPLOY / "broker.sh", token, "-c", config, "--store_dir", folder / f"store{number}", *arguments]
            log = (folder / f"log{number}").open("w")
            started.append(subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environment))
        yield
    finally:
        for broker in started:
            broker.kill()
            broker.wait()


def broker(folder):
    token = folder / "token"
    for text in ["", "\n", "123456789012345678901234", "1e5bcdef1e5bcdef1e5bcdef", "short"]:
        token.write_text(text)
        refused = subprocess.run([DEPLOY / "broker.sh", token, "--help"], capture_output=True, text=True)
        assert refused.returncode == 1 and "token" in refused.stderr, (text, refused)
    port = free_port()
    with brokers(folder, DEPLOY / "nats-server.conf", ["--addr", "127.0.0.1", "--port", str(port)]):
        connection, info = connect("127.0.0.1", port)
        assert info["jetstream"] and info["max_payload"] == 8 << 20, info
        assert answer(connection) == "-ERR 'Authorization Violation'"
        assert answer(connect("127.0.0.1", port)[0], auth_token=TOKEN) == "+OK"
    run("nats-server", "-t", "-c", DEPLOY / "nats-server.conf", env=os.environ | {"FANOUT_TOKEN": TOKEN})


def three_brokers(folder):
    hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    port, routes = free_port(), free_port()
    text = (DEPLOY / "nats-server-three.conf").read_text()
    # The line that makes the routes, as the comment has it.
    line = next(line for line in text.splitlines() if "FANOUT_ROUTES=" in line).lstrip("# ")
    line = line.replace("broker1 broker2 broker3", " ".join(hosts)).replace("6222", str(routes))
    (folder / "token").write_text(TOKEN)
    of_all = run("bash", "-c", f'{line}; echo "$FANOUT_ROUTES"', cwd=folder).strip()
    starts = []
    for host in hosts:
        config = folder / f"{host}.conf"
        config.write_text(text.replace("0.0.0.0:4222", f"{host}:{port}").replace("0.0.0.0:6222", f"{host}:{routes}"))
        starts.append(["-c", config, "--name", host])
    with brokers(folder, os.devnull, *starts, FANOUT_ROUTES=of_all):
        end = time.monotonic() + 15
        while "metadata leader" not in (log := (folder / "log0").read_text()):
            assert time.monotonic() < end, f"the three brokers found no leader:\n{log}"
            time.sleep(0.1)
        assert answer(connect(hosts[2], port)[0], auth_token=TOKEN) == "+OK"
        assert "Authorization" in answer(connect(hosts[2], routes)[0], name="intruder", cluster="fanout")


def tls(folder):
    """The commands of the page make what nats-server and a client that knows the CA take."""
    page = (ROOT / "docs/cluster.md").read_text()
    commands = re.search(r"^## TLS\n.*?^```sh\n(.*?)^```", page, re.M | re.S)[1]
    commands, replaced = re.subn(r"^broker=\S+", "broker=localhost", commands, flags=re.M)
    assert replaced == 1, commands
    run("bash", "-euc", commands, cwd=folder)
    config = folder / "tls.conf"
    text = (DEPLOY / "nats-server.conf").read_text()
    text = re.sub(r"^# (tls \{|    (?:cert|key)_file.*|\})$", r"\1", text, flags=re.M)
    config.write_text(text.replace("/etc/fanout/", f"{folder}/"))
    assert "\ntls {" in config.read_text()
    port = free_port()
    with brokers(folder, config, ["--addr", "127.0.0.1", "--port", str(port)]):
        connection, info = connect("127.0.0.1", port)
        assert info["tls_required"], info
        encrypted = ssl.create_default_context(cafile=folder / "ca.pem").wrap_socket(connection, server_hostname="localhost")
        assert answer(encrypted, auth_token=TOKEN) == "+OK"
        connection, _ = connect("127.0.0.1", port)
        with contextlib.suppress(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(connection, server_hostname="localhost")
            raise AssertionError("a client that does not know the CA took the broker's certificate")
        # Python does not look whether the certificate is one of a CA, as rustls does.
        assert "CA:FALSE" in run("openssl", "x509", "-in", folder / "broker.pem", "-noout", "-text")


def main():
    def program(name):
        return shutil.which(name) is not None

    def module(name):
        return importlib.util.find_spec(name) is not None

    nats = "nats-server", program("nats-server")
    checks = [
        (units, "the systemd units", [("systemd-analyze", program("systemd-analyze"))]),
        (kubernetes, "kubernetes.yaml", [("kubernetes-validate", module("kubernetes_validate"))]),
        (compose, "compose.yaml", [("check-jsonschema", module("check_jsonschema"))]),
        (broker, "nats-server.conf", [nats]),
        (three_brokers, "nats-server-three.conf", [nats]),
        (tls, "TLS", [nats, ("openssl", program("openssl"))]),
    ]
    for check, what, needs in checks:
        missing = [name for name, is_there in needs if not is_there]
        if missing:
            say(f"no {', '.join(missing)}: {what} was not checked")
            continue
        with tempfile.TemporaryDirectory() as folder:
            check(Path(folder))
    say("Dockerfile was not built; compose.yaml and kubernetes.yaml were not run, only checked by their schemas")


main()
