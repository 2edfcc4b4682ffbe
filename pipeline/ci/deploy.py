"""Step deploy: make a revision of the pushed image, without traffic.

python3 -m pipeline.ci.deploy
"""

import json

from pipeline.ci import deployment, shell
from pipeline.ci.build import COMPARED, IMAGE, TARGET, Build, read_build
from pipeline.ci.cloud_run import Service
from pipeline.ci.shell import Run
from pipeline.errors import DeliveryError


def deploy(run: Run, build: Build, image: str) -> str:
    """Deploy `image` as the candidate and note it in TARGET; leave no note where nothing serves yet.

    Raises:
        DeliveryError: another build deploys, or promoted after this one had fetched the champion.
        CommandFailed: the revision does not start. Nothing of the deployment is left.
    """
    TARGET.unlink(missing_ok=True)
    if build.service and Service(run, build.service, build.region).describe() is None:
        return first_image(image, f"there is no service {build.service} in {build.region} yet")
    if not build.service and not build.vm_group:
        return first_image(image, "neither _SERVICE nor _VM_GROUP is set")
    with deployment.undone_on_failure(run, build):
        deployment.begin(run, build)
        check_champion(COMPARED.read_text(encoding="utf-8").strip(), deployment.read_pointer(run, build))
        service = Service(run, build.service, build.region)
        revision = service.deploy(image, build.runtime_service_account) if build.service else ""
        TARGET.write_text(json.dumps({"revision": revision, "image": image}), encoding="utf-8")
    return f"deployed {revision or 'nothing to Cloud Run'}; image {image}"


def check_champion(compared: str, pointer: str | None) -> None:
    """Compare the champion of now with the one that this build knows; no other build can promote any more.

    Raises:
        DeliveryError: it is another: the model was never compared with it, or the image holds an older one.
    """
    champion = "" if pointer is None else json.loads(pointer)["version"]
    if champion != compared:
        raise DeliveryError(
            f"the champion is {champion or 'none'} by now, and was {compared or 'none'} when this build fetched it; "
            "start again"
        )


def first_image(image: str, why: str) -> str:
    """What the user of a new project does next."""
    line = f"  docker_image = {json.dumps(image)}"
    return f"{why}, so this build ends with its image:\n\n{line}\n\nterraform apply with it, then submit again"


if __name__ == "__main__":
    shell.step(lambda: deploy(shell.run, read_build(), IMAGE.read_text(encoding="utf-8").strip()))
