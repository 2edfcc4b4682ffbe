"""Step finish: note what serves now, or undo all when the step promote, which can't itself, has failed.

python3 -m pipeline.ci.finish
"""

from pipeline.ci import deployment, shell
from pipeline.ci.build import PROMOTED, TARGET, Build, read_build
from pipeline.ci.shell import Run
from pipeline.ci.target import read_target
from pipeline.errors import DeliveryError


def finish(run: Run, build: Build) -> str:
    """Complete the deployment.

    Raises:
        DeliveryError: it was not promoted, and is undone.
    """
    target = read_target(TARGET)
    if target is None:
        return "nothing was deployed"
    if not PROMOTED.exists():
        deployment.abandon(run, build)
        raise DeliveryError("the step promote failed; traffic, VMs and pointer are as they were")
    return deployment.complete(run, build, target.image)


if __name__ == "__main__":
    shell.step(lambda: finish(shell.run, read_build()))
