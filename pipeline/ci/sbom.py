"""Step sbom: have Artifact Analysis write the image's list of parts (SPDX) and attach it to the image.

python3 -m pipeline.ci.sbom
"""

import time

from pipeline.ci import shell
from pipeline.ci.build import IMAGE
from pipeline.ci.shell import CommandFailed, Run

WAIT_SECONDS, AGAIN_SECONDS = 600, 20
"""The list is made from the scan that starts by itself when the image is pushed, and fails until that has ended."""


def export(run: Run, image: str, *, wait_seconds: float = WAIT_SECONDS, again_seconds: float = AGAIN_SECONDS) -> str:
    """Export the list, trying again for a while.

    Raises:
        CommandFailed: it can't be exported.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            run("gcloud", "artifacts", "sbom", "export", f"--uri={image}")
        except CommandFailed:
            if time.monotonic() > deadline:
                raise
            time.sleep(again_seconds)
        else:
            return f"SBOM: gcloud artifacts sbom list --resource={image}"


if __name__ == "__main__":
    shell.step(lambda: export(shell.run, IMAGE.read_text(encoding="utf-8").strip()))
