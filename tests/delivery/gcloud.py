"""A stand-in for gcloud: the calls of pipeline/ci, on a state that is kept in a file.

    python gcloud.py run services describe iris-api --region=europe-west1 --format=json

What only Google has is played: Cloud Run's revisions, tags and traffic table, the request log, the scan's
findings, the instance group. What exists elsewhere is real: storage is a storage server on this machine, and a
revision is a container of the very image, started by the engine from its digest. Words that it does not know
end it with an error.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlencode

STATE = Path(os.environ["STANDIN_STATE"])
HOME = "europe-west1"
READY_SECONDS = 60


def load():
    return json.loads(STATE.read_text(encoding="utf-8"))


def save(state):
    draft = STATE.with_suffix(".draft")
    draft.write_text(json.dumps(state, indent=1), encoding="utf-8")
    draft.replace(STATE)


def say(text):
    sys.stdout.write(f"{text}\n")


def fail(message):
    sys.exit(f"ERROR: (gcloud) {message}")


def storage(method, uri, content=None, **query):
    """Call the storage server; errors are those of HTTP."""
    bucket, _, rest = uri.removeprefix("gs://").partition("/")
    name, _, generation = rest.partition("#")
    upload, path, headers = "", f"/{quote(name, safe='')}", {}
    if method == "POST":
        # in parts, as Google's client does: the server looks at no precondition otherwise
        parts = [json.dumps({"name": name}), content]
        content = "".join(f"--part\r\nContent-Type: application/json\r\n\r\n{part}\r\n" for part in parts) + "--part--"
        upload, path, headers = "upload/", "", {"Content-Type": 'multipart/related; boundary="part"'}
        query["uploadType"] = "multipart"
    if generation:
        query["generation"] = generation
    url = f"{os.environ['STORAGE_EMULATOR_HOST']}/{upload}storage/v1/b/{bucket}/o{path}?{urlencode(query)}"
    data = None if content is None else content.encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=30) as response:
            return response.read().decode()
    except HTTPError as error:
        if error.code != 412:
            raise
        fail("HTTPError 412: At least one of the pre-conditions you specified did not hold.")


def storage_cat(state, flags, uri):
    try:
        sys.stdout.write(storage("GET", uri, alt="media"))
    except HTTPError as error:
        if error.code != 404:
            raise
        fail(f"The following URLs matched no objects or files:\n{uri}")


def storage_describe(state, flags, uri):
    try:
        say(json.loads(storage("GET", uri))["generation"])
    except HTTPError as error:
        if error.code != 404:
            raise
        fail(f"{uri} not found: 404.")


def precondition(flags):
    return {"ifGenerationMatch": flags["if-generation-match"]} if "if-generation-match" in flags else {}


def storage_cp(state, flags, source, uri):
    assert source == "-"
    assert flags["content-type"]
    storage("POST", uri, sys.stdin.read(), **precondition(flags))


def storage_rm(state, flags, uri):
    try:
        # the storage server looks at no precondition of this call
        if precondition(flags) and json.loads(storage("GET", uri))["generation"] != flags["if-generation-match"]:
            fail("HTTPError 412: At least one of the pre-conditions you specified did not hold.")
        storage("DELETE", uri)
    except HTTPError as error:
        if error.code != 404:
            raise
        fail(f"The following URLs matched no objects or files:\n{uri}")


def named(name, flags):
    """A service's key in the state: its name, and its region where that is not the first."""
    region = flags.get("region", HOME)
    return name if region == HOME else f"{name} in {region}"


def services_describe(state, flags, name):
    service = state["services"].get(named(name, flags))
    if service is None:
        # a service's own bindings are none while it is none
        if "run.services.get" not in state["permissions"]:
            denied = f"Permission 'run.services.get' denied on resource 'namespaces/p/services/{name}'"
            fail(f"PERMISSION_DENIED: {denied} (or resource may not exist).")
        fail(f"Cannot find service [{name}]")
    tags = [
        {"revisionName": revision, "tag": tag} | ({"url": service["tag_url"]} if service["tag_url"] else {})
        for tag, revision in service["tags"].items()
    ]
    shares = [{"revisionName": revision, "percent": share} for revision, share in service["shares"].items()]
    status = {"traffic": shares + tags, "latestCreatedRevisionName": list(service["revisions"])[-1]}
    say(json.dumps({"metadata": {"name": name}, "status": status}))


def services_update(state, flags, name):
    service = state["services"][named(name, flags)]
    revision = f"{name}-{len(service['revisions']) + 1:05d}"
    removed = set(filter(None, flags.get("remove-env-vars", "").split(",")))
    environment = {key: value for key, value in service["environment"].items() if key not in removed}
    service["starts"] = flags["image"] not in state["broken_images"]
    if not service["starts"]:
        service["revisions"][revision] = {"image": flags["image"], "environment": environment, "port": None}
        save(state)
        fail("The user-provided container failed to start and listen on the port defined by the PORT=8000 variable.")
    port = start(state, revision, flags["image"], environment)
    service["environment"] = environment
    service["revisions"][revision] = {"image": flags["image"], "environment": environment, "port": port}
    assert "no-traffic" in flags
    service["named_by_template"] = "tag" in flags  # and the name stays there
    if "tag" in flags:
        service["tags"][flags["tag"]] = revision
    save(state)


def start(state, revision, image, environment):
    """Run a container of the image and give its port, once it is ready: so a revision's startup probe decides."""
    if not state["engine"]:
        return None
    container = f"{state['prefix']}-{revision}"
    words = [word for key, value in environment.items() for word in ("--env", f"{key}={value}")]
    docker("run", "--detach", "--name", container, "--publish", "127.0.0.1::8000", *words, image)
    port = int(docker("port", container, "8000").split(":")[1])
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
                return port
        except OSError:
            if time.monotonic() > deadline:
                fail(f"The user-provided container failed to start: {docker('logs', container)}")
            time.sleep(0.1)


def docker(*words):
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


def update_traffic(state, flags, name):
    service = state["services"][named(name, flags)]
    if "update-tags" in flags:
        service["tags"] |= parse_pairs(flags["update-tags"])
        save(state)
        return
    shares = {key: int(value) for key, value in parse_pairs(flags["to-revisions"]).items()}
    if sum(shares.values()) != 100 or not shares.keys() <= service["revisions"].keys():
        fail(f"bad traffic table {shares}")
    service["shares"] = shares
    if "clear-tags" in flags:
        service["tags"] = {}
    if "set-tags" in flags:
        service["tags"] = parse_pairs(flags["set-tags"])
    service["history"].append(shares)
    save(state)
    # gcloud waits for the service's condition Ready, which its newest revision keeps from being true
    if not service.get("starts", True):
        fail(f"Revision '{list(service['revisions'])[-1]}' is not ready and cannot serve traffic.")
    candidate = service["tags"].get("candidate")
    if state["dies_at"] and shares.get(candidate) == state["dies_at"]:
        docker("kill", f"{state['prefix']}-{candidate}")


def parse_pairs(text):
    return dict(pair.split("=") for pair in text.split(","))


def revisions_describe(state, flags, name):
    found = state["services"][named(name.rpartition("-")[0], flags)]["revisions"][name]
    collector = {"name": "collector", "image": "collector:1"}
    say(json.dumps({"spec": {"containers": [collector, {"ports": [{}], "image": found["image"]}]}}))


def logging_read(state, flags, wanted):
    revision = re.search(r'revision_name="([^"]+)"', wanted)[1]
    since = re.search(r'timestamp>="([^"]+)"', wanted)[1]
    least = re.search(r"httpRequest\.status>=(\d+)", wanted)
    sample = re.search(r"sample\(insertId, ([0-9.]+)\)", wanted)
    log = STATE.with_name("requests.log")
    lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    found = [
        number
        for number, (at, name, status) in enumerate(lines)
        if name == revision and at >= since and (least is None or int(status) >= int(least[1]))
    ]
    if sample is not None:
        found = [number for number in found if number % round(1 / float(sample[1])) == 0]
    sys.stdout.writelines(f"{number}\n" for number in found[::-1][: int(flags["limit"])])  # the newest


def builds_describe(state, flags, build):
    status = state["builds"].get(f"{flags['region']}/{build}")
    if status is None:
        fail("NOT_FOUND: Requested entity was not found.")
    say(status)


def images_scan(state, flags, image):
    assert "@sha256:" in image
    say(f"projects/p/locations/{flags['location']}/scans/1")


def list_vulnerabilities(state, flags, scan):
    say(json.dumps(state["findings"]))


def sbom_export(state, flags):
    state["sboms"].append(flags["uri"])
    save(state)


def group_describe(state, flags, name):
    say(state["groups"][name]["action"])


def group_act(state, flags, name):
    state["groups"][name]["rolls"].append(storage("GET", f"{state['deployment']}/vm-image.txt", alt="media"))
    save(state)


def group_wait(state, flags, name):
    if state["groups"][name]["rolls"][-1].strip() in state["groups"][name]["broken"]:
        fail("Timeout while waiting for group to become stable.")


MANAGED = ("compute", "instance-groups", "managed")
COMMANDS = {
    ("storage", "cat"): storage_cat,
    ("storage", "cp"): storage_cp,
    ("storage", "objects", "describe"): storage_describe,
    ("storage", "rm"): storage_rm,
    ("run", "services", "describe"): services_describe,
    ("run", "services", "update"): services_update,
    ("run", "services", "update-traffic"): update_traffic,
    ("run", "revisions", "describe"): revisions_describe,
    ("logging", "read"): logging_read,
    ("builds", "describe"): builds_describe,
    ("artifacts", "docker", "images", "scan"): images_scan,
    ("artifacts", "docker", "images", "list-vulnerabilities"): list_vulnerabilities,
    ("artifacts", "sbom", "export"): sbom_export,
    (*MANAGED, "describe"): group_describe,
    (*MANAGED, "rolling-action", "replace"): group_act,
    (*MANAGED, "rolling-action", "restart"): group_act,
    (*MANAGED, "wait-until"): group_wait,
}


def main(words):
    with STATE.with_name("commands.log").open("a", encoding="utf-8") as log:
        log.write(shlex.join(["gcloud", *words]) + "\n")
    for length in range(len(words), 0, -1):
        command = COMMANDS.get(tuple(words[:length]))
        if command is not None:
            rest = words[length:]
            named = [word.removeprefix("--").partition("=") for word in rest if word.startswith("--")]
            positional = [word for word in rest if not word.startswith("--")]
            return command(load(), {name: value for name, _, value in named}, *positional)
    return fail(f"Invalid choice: {shlex.join(words)}")


if __name__ == "__main__":
    main(sys.argv[1:])
