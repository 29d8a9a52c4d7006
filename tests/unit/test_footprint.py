"""What benchmarks of scale see of processes from outside."""

import os
import subprocess
import sys

import pytest

from benchmarks.simulation.footprint import Footprint, Sample, own_mib, watched

BURN = "import time\nwhile time.process_time() < {}: pass"


def test_processes_are_counted_with_those_they_started_and_those_that_have_ended() -> None:
    ends_soon = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN.format(0.9)!r}])"
    program = f"{ends_soon}\nimport sys; print('over', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        with watched(process.pid) as footprint:
            assert process.stdout is not None
            process.stdout.readline()
            footprint.look()
        first, last = footprint.samples[0].moment, footprint.samples[-1].moment
        process.communicate()
    spent = footprint.cpu_between(first, last)
    assert spent["driver"] < 0.4 < spent["Ray"]  # what is neither the driver nor a worker


def test_cpu_seconds_are_those_between_two_moments() -> None:
    footprint = Footprint(driver=1, kinds={1: "driver", 2: "replicas"})
    for moment, spent in ((0.0, {1: 1.0}), (10.0, {1: 1.0, 2: 5.0, 3: 0.0}), (20.0, {1: 1.0, 2: 25.0, 3: 2.0})):
        footprint.samples.append(Sample(moment=moment, cpu_seconds=spent, driver_mib=moment))
    assert footprint.cpu_between(5.0, 15.0) == {"driver": 0.0, "replicas": 12.5, "reading": 0.0, "Ray": 1.0}
    assert footprint.driver_mib(5.0, 20.0) == [10.0, 20.0]


def test_memory_is_what_a_process_has_of_its_own() -> None:
    before = own_mib("self")
    held = bytearray(os.urandom(1)) * (64 << 20)
    assert own_mib("self") - before == pytest.approx(len(held) / 2**20, abs=8)
