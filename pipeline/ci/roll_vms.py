"""Step roll-vms: the VM instance group runs the same image.

python3 -m pipeline.ci.roll_vms
"""

from pipeline.ci import deployment, shell
from pipeline.ci.build import TARGET, Build, read_build
from pipeline.ci.shell import Run
from pipeline.ci.target import read_target


def roll_vms(run: Run, build: Build) -> str:
    """Roll the group; what was deployed is undone when it fails."""
    target = read_target(TARGET)
    if target is None or not build.vm_group:
        return "no VMs to roll"
    with deployment.undone_on_failure(run, build):
        deployment.roll(run, build, target.image)
    return f"{build.vm_group} runs {target.image}"


if __name__ == "__main__":
    shell.step(lambda: roll_vms(shell.run, read_build()))
