"""Step rollback: back to the revisions, the VMs' image and the champion before. A second one undoes the first.

python3 -m pipeline.ci.rollback
"""

from pipeline.ci import deployment, lock, shell
from pipeline.ci.build import IMAGE, Build, read_build
from pipeline.ci.deployment import Release
from pipeline.ci.shell import Run


def roll_back(run: Run, build: Build) -> str:
    """Go back, and note the image in IMAGE for the step that names it as the build's.

    Where a build was killed while it deployed, what served before it is what to go back to, and no further.

    Raises:
        DeliveryError: nothing served before.
    """
    with deployment.undone_on_failure(run, build):
        killed = deployment.begin(run, build)
        if killed is None:
            _bring_back(run, build, deployment.previous_release(run, build))
            release = deployment.complete(run, build)
        else:
            release = deployment.serving(run, build)
            lock.release(run, build, lock.held(run, build))
    IMAGE.write_text(release.image, encoding="utf-8")
    said = " ".join(["serving:", *release.revisions.values(), release.image])
    if killed is not None:
        said += f"\nwhat build {killed} had changed is put back; another rollback goes to the release before"
    return said


def _bring_back(run: Run, build: Build, release: Release) -> None:
    for service in deployment.services(run, build):
        revision = release.revisions.get(service.region)
        # a region that has been added since
        revision = revision or service.deploy(release.image, build.runtime_service_account)
        service.set_traffic({revision: 100})
    if build.vm_group:
        deployment.roll(run, build, release.image)
    if release.pointer is not None:
        deployment.write_pointer(run, build, release.pointer)


if __name__ == "__main__":
    shell.step(lambda: roll_back(shell.run, read_build()))
