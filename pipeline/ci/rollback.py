"""Step rollback: back to the revision, the VMs' image and the champion before. A second one undoes the first.

python3 -m pipeline.ci.rollback
"""

from dataclasses import replace

from pipeline.ci import deployment, shell, vms
from pipeline.ci.build import IMAGE, Build, read_build
from pipeline.ci.cloud_run import Service
from pipeline.ci.shell import Run


def roll_back(run: Run, build: Build) -> str:
    """Go back, and note the image in IMAGE for the step that names it as the build's.

    Raises:
        DeliveryError: nothing served before.
    """
    with deployment.undone_on_failure(run, build):
        deployment.begin(run, build)
        release = replace(deployment.previous_release(run, build), build=build.id)
        if release.revision:
            Service(run, build.service, build.region).set_traffic({release.revision: 100})
        if build.vm_group:
            vms.roll(run, build, release.image)
        if release.pointer is not None:
            deployment.write_pointer(run, build, release.pointer)
        deployment.complete(run, build, release)
    IMAGE.write_text(release.image, encoding="utf-8")
    return f"serving: {release.revision} {release.image}"


if __name__ == "__main__":
    shell.step(lambda: roll_back(shell.run, read_build()))
