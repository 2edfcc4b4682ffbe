"""The VM instance group: which image it runs, and rolling it to another without losing capacity."""

from pipeline.ci import storage
from pipeline.ci.build import Build
from pipeline.ci.shell import Run
from pipeline.errors import DeliveryError

ZONES = 3
"""Of a regional group: a fixed surge is none or at least as many."""

REPLACED_SECONDS, STABLE_SECONDS = 900, 300


def image(run: Run, build: Build) -> str | None:
    """The image that VMs start with, by digest, None where nothing has been set."""
    text = storage.read(run, _object(build))
    return None if text is None else text.strip()


def roll(run: Run, build: Build, image: str) -> None:
    """Set the image, replace the VMs, and wait until all serve it.

    A VM counts when its health check passes. A public VM with its own address can't stand beside its
    successor: its group says RESTART, and it is away for seconds.

    Raises:
        CommandFailed: they do not come up.
        DeliveryError: the group is of neither kind.
    """
    storage.write(run, _object(build), f"{image}\n")
    group = ("gcloud", "compute", "instance-groups", "managed")
    region = f"--region={build.region}"
    action = run(*group, "describe", build.vm_group, region, "--format=value(updatePolicy.minimalAction)").strip()
    if action == "REPLACE":
        surge = (f"--max-surge={ZONES}", "--max-unavailable=0")
        run(*group, "rolling-action", "replace", build.vm_group, region, *surge)
    elif action == "RESTART":
        run(*group, "rolling-action", "restart", build.vm_group, region, f"--max-unavailable={ZONES}")
    else:
        raise DeliveryError(f"{build.vm_group}: its update policy says {action!r}, neither REPLACE nor RESTART")
    wait = (*group, "wait-until", build.vm_group, region)
    run(*wait, "--version-target-reached", f"--timeout={REPLACED_SECONDS}")
    run(*wait, "--stable", f"--timeout={STABLE_SECONDS}")


def _object(build: Build) -> str:
    return f"{build.deployment}/vm-image.txt"
