"""A model replaced under load: no request fails, and each answer is that of the version it names."""

import re
import subprocess
import sys
from collections import Counter

import pytest

from benchmarks import reload

pytestmark = pytest.mark.cloud


def test_demo_swaps_models_under_load_and_no_request_fails(bundle_folder):
    command = [sys.executable, "-m", "benchmarks.reload", "--model-dir", str(bundle_folder)]
    done = subprocess.run(command, cwd=reload.ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"promote( --rollback)?: champion is version", done.stdout)) == 4
    assert len(re.findall(r"version \S+ answers, \d", done.stdout)) == 4
    answered = [int(number) for number in re.findall(r"(\d+) answered by version 2", done.stdout)]
    assert len(answered) == 2
    seconds = float(re.search(r"requests in (\S+) s", done.stdout)[1])
    assert sum(answered) >= 0.9 * reload.RATE * seconds
    assert "  0 failed\n" in done.stdout
    assert done.stdout.endswith("  0 with another answer than their X-Model-Version gives\n")


def test_each_of_several_processes_follows_the_pointer(bundle_folder, tmp_path):
    another = reload.train_another(tmp_path)
    account = reload.measure(bundle_folder, another, swaps=3, WORKERS="2")
    assert account.failed == []
    assert account.mixed == []
    assert set(Counter(answer.version for answer in account.answers)) == set(account.expected)
