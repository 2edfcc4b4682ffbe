"""`python -m pipeline.doctor`, in the project's root. Exit codes: 0 all is well, 1 something has to be put right."""

import os
import sys
from pathlib import Path

from functions.doctor import TITLE, service_findings
from functions.findings import report
from pipeline.doctor.machine import machine_findings
from pipeline.doctor.training import training_findings


def main() -> int:
    """Check, and write what was found; gives the exit code."""
    root = Path.cwd()
    tables = {
        "This machine": machine_findings(root, os.environ),
        "Training (docs/experiments.md)": training_findings(root, os.environ),
        TITLE: service_findings(os.environ),
    }
    return report(tables, sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
