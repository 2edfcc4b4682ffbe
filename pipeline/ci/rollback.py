"""Step rollback: back to the revisions, the VMs' image and the champion before. A second one undoes the first.

python3 -m pipeline.ci.rollback
"""

from pipeline.ci import deployment, shell, vms
from pipeline.ci.build import IMAGE, Build, read_build
from pipeline.ci.shell import Run


def roll_back(run: Run, build: Build) -> str:
    """Go back, and note the image in IMAGE for the step that names it as the build's.

    Raises:
        DeliveryError: nothing served before.
    """
    with deployment.undone_on_failure(run, build):
        deployment.begin(run, build)
        release = deployment.previous_release(run, build)
        for service in deployment.services(run, build):
            revision = release.revisions.get(service.region)
            # a region that has been added since
            revision = revision or service.deploy(release.image, build.runtime_service_account)
            service.set_traffic({revision: 100})
        if build.vm_group:
            vms.roll(run, build, release.image)
        if release.pointer is not None:
            deployment.write_pointer(run, build, release.pointer)
        serving = deployment.complete(run, build, release.image)
    IMAGE.write_text(release.image, encoding="utf-8")
    return serving


if __name__ == "__main__":
    shell.step(lambda: roll_back(shell.run, read_build()))
