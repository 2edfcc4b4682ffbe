"""Step finish: note what serves now, or undo all when the step promote, which can't itself, has failed.

python3 -m pipeline.ci.finish
"""

from pipeline.ci import deployment, shell
from pipeline.ci.build import PROMOTED, TARGET, Build, read_build
from pipeline.ci.shell import Run
from pipeline.errors import DeliveryError


def finish(run: Run, build: Build) -> str:
    """Complete the deployment; what was deployed is undone when that fails.

    Raises:
        DeliveryError: it was not promoted.
    """
    if not TARGET.exists():
        return "nothing was deployed"
    with deployment.undone_on_failure(run, build):
        if not PROMOTED.exists():
            raise DeliveryError("the step promote failed")
        release = deployment.complete(run, build)
    return " ".join(["serving:", *release.revisions.values(), release.image])


if __name__ == "__main__":
    shell.step(lambda: finish(shell.run, read_build()))
