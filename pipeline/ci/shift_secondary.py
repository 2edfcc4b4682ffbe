"""Step shift-secondary: the second region serves the image that has proved itself in the first.

python3 -m pipeline.ci.shift_secondary
"""

from pipeline.ci import deployment, shell
from pipeline.ci.build import TARGET, Build, read_build
from pipeline.ci.cloud_run import Service
from pipeline.ci.shell import Run
from pipeline.ci.shift_traffic import shift
from pipeline.ci.target import read_target


def shift_secondary(run: Run, build: Build) -> str:
    """Deploy and shift as in the first region; what was deployed in both is undone when it fails.

    A load balancer sends a request to the region that is nearest to its sender, so the build can't ask this one: its
    startup probe and its users' requests are what it is judged by.
    """
    target = read_target(TARGET)
    if target is None or not target.revision or not build.secondary_region:
        return "no second region"
    with deployment.undone_on_failure(run, build):
        service = Service(run, build.service, build.secondary_region)
        revision = service.deploy(target.image, build.runtime_service_account)
        shift(service, revision, build)
    return f"{revision} has all traffic of {build.secondary_region}"


if __name__ == "__main__":
    shell.step(lambda: shift_secondary(shell.run, read_build()))
