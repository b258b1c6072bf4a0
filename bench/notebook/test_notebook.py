#!/usr/bin/env python3
"""Tests of the notebook's rows, with the standard library's unittest:

    python -m unittest discover -s bench/notebook -t bench/notebook

What needs a package that is not installed is skipped, and says so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, Callable

from failures import FAULTS, SCENARIOS, fanouts_answer, kill_session, processes
from harness import words
from pickle_lesson import lesson

HERE = Path(__file__).resolve().parent

Test = Callable[[Any], None]

# The executable files are the rows: nothing lists them.
ROWS = sorted(path for path in HERE.glob("*.py") if os.access(path, os.X_OK))

PACKAGES = {"python-loky": "loky", "numpy-sequential": "numpy", "numpy-threads": "numpy", "numpy-process-pool": "numpy"}


def installed(package: str | None) -> bool:
    return package is None or importlib.util.find_spec(package) is not None


def needs(package: str) -> Callable[[Test], Test]:
    return unittest.skipUnless(installed(package), f"{package} is not installed")


def command(row: Path, flags: str) -> list[str]:
    return [sys.executable, str(row), *flags.split()]


def run(row: Path, flags: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    own = {name: value for name, value in os.environ.items() if name != "FANOUT_WORKERS"}
    return subprocess.run(command(row, flags), capture_output=True, timeout=30, env={**own, **environment})


def row(name: str) -> Path:
    return HERE / f"{name}.py"


SEQUENTIAL = row("python-sequential")


def vectors() -> list[list[str]]:
    lines = (HERE / "frozen" / "mt19937.tsv").read_text().splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


class EveryRow(unittest.TestCase):
    """One subtest for every executable file beside this one, those left out whose package is missing."""

    def rows(self) -> list[Path]:
        missing = {PACKAGES[path.stem] for path in ROWS if not installed(PACKAGES.get(path.stem))}
        if missing:
            print(f"\nskipped: rows that need {', '.join(sorted(missing))}, not installed", file=sys.stderr)
        return [path for path in ROWS if installed(PACKAGES.get(path.stem))]

    def test_the_executable_files_are_the_rows(self) -> None:
        names = {"python-sequential", "python-process-pool", "python-loky", "python-threads"}
        names |= {"numpy-sequential", "numpy-threads", "numpy-process-pool"}
        self.assertEqual({path.stem for path in ROWS}, names)

    def test_gives_the_frozen_bytes(self) -> None:
        some = [line for line in vectors() if line[:3] == ["4294967301", "10", "700"]]
        self.assertTrue(some)
        for path in self.rows():
            for seed, keys, count, length, sha256, _ in some:
                with self.subTest(path.stem, seed=seed):
                    flags = f"--seed {seed} --keys {keys} --count {count} --workers 2 --rng mt19937 --dump"
                    done = run(path, flags)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(len(done.stdout), int(length))
                    self.assertEqual(hashlib.sha256(done.stdout).hexdigest(), sha256)
                    self.assertIn(f"{path.stem}: fill, {keys} keys".encode(), done.stderr)

    def test_reports_the_fields_of_a_rust_strategy(self) -> None:
        for path in self.rows():
            with self.subTest(path.stem):
                done = run(path, "--keys 3 --count 5 --workers 2 --repeat 2 --format json")
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                answer = json.loads(done.stdout)
                expected = {
                    "strategy": path.stem, "workload": "fill", "keys": 3, "count": 5, "skew": "uniform",
                    "rng": "mt19937", "seed": 42, "workers": 2, "profile": "release", "output_bytes": 120,
                    "failed": [], "digest": None, "bits": "same",
                }  # fmt: skip
                self.assertEqual({name: answer[name] for name in expected}, expected)
                self.assertEqual([len(answer["run_ns"]), len(answer["drop_ns"])], [2, 2])
                self.assertGreater(min(answer["run_ns"] + answer["drop_ns"]), 0)
                self.assertGreaterEqual(min(answer["start_ns"], answer["stop_ns"]), 0)
                self.assertEqual(answer["python"]["implementation"], sys.implementation.name.replace("cp", "CP"))
                self.assertIs(answer["python"]["gil"], getattr(sys, "_is_gil_enabled", lambda: True)())


class Sequential(unittest.TestCase):
    """What is the same in all rows, tried on the one that needs nothing."""

    def test_gives_every_frozen_vector(self) -> None:
        self.assertGreater(len(vectors()), 10)
        for seed, keys, count, length, sha256, _ in vectors():
            with self.subTest(seed=seed, keys=keys, count=count):
                done = run(SEQUENTIAL, f"--seed {seed} --keys {keys} --count {count} --dump")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(len(done.stdout), int(length))
                self.assertEqual(hashlib.sha256(done.stdout).hexdigest(), sha256)

    @needs("xxhash")
    def test_gives_the_frozen_digest(self) -> None:
        seed, keys, count, _, _, digest = vectors()[0]
        flags = f"--seed {seed} --keys {keys} --count {count} --format json"
        self.assertEqual(json.loads(run(SEQUENTIAL, f"{flags} --digest").stdout)["digest"], digest)
        self.assertEqual(run(SEQUENTIAL, f"{flags} --expect {digest.upper()}").returncode, 0)
        wrong = run(SEQUENTIAL, f"{flags} --expect {'0' * 32}")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn(f"the digest is {digest}, and --expect says".encode(), wrong.stderr)

    def test_values_are_the_notebooks_products(self) -> None:
        done = run(SEQUENTIAL, "--seed 5 --keys 2 --count 3 --dump")
        keys = random.Random(5 << 32)
        expected: list[float] = []
        for index in range(2):
            key, draw = keys.random(), random.Random(5 << 32 | index + 1)
            expected += [key, *(key * draw.random() for _ in range(3))]
        self.assertEqual(memoryview(done.stdout).cast("d").tolist(), expected)

    def test_no_keys_start_nothing(self) -> None:
        answer = json.loads(run(SEQUENTIAL, "--keys 0 --format json").stdout)
        self.assertEqual([answer[name] for name in ("start_ns", "run_ns", "drop_ns", "stop_ns")], [0, [], [], 0])

    def test_wrong_usage_is_one_line_that_names_the_flag(self) -> None:
        wrong = {
            "--keys x": "--keys: 'x': expected a whole number from 0 to 4294967295",
            "--keys 4294967296": "--keys",
            "--count -1": "--count",
            "--count 1_000": "--count: '1_000'",
            "--seed 18446744073709551616": "--seed",
            "--workers 0": "--workers: '0': expected a whole number from 1",
            "--repeat 0": "--repeat",
            "--rng xoshiro": "--rng: invalid choice: 'xoshiro'",
            "--rng default_rng": "--rng: invalid choice",
            "--workload sum": "--workload",
            "--skew zipf": "--skew",
            "--format xml": "--format",
            "--expect 00": "--expect: '00': expected a digest of 32 hexadecimal digits",
            "--worker 3": "unexpected argument '--worker'; a similar one exists: --workers",
            "--deadline 3": "--deadline cannot be kept",
            "--dump --repeat 1": "--dump cannot be used with --repeat",
            "--dump --format json": "--dump and --format json",
            "--keys 100000 --count 10000000000": "memory as Python holds them",
        }
        for flags, reason in wrong.items():
            with self.subTest(flags):
                done = run(SEQUENTIAL, flags)
                self.assertEqual((done.returncode, done.stdout), (2, b""))
                text = done.stderr.decode()
                self.assertTrue(text.startswith("python-sequential: error: "), text)
                self.assertIn(reason, text)
                self.assertEqual(text.count("\n"), 1, text)

    def test_the_variable_gives_the_workers_and_the_flag_overrides_it(self) -> None:
        flags = "--keys 9 --count 1 --format json"
        self.assertEqual(json.loads(run(SEQUENTIAL, flags, FANOUT_WORKERS="7").stdout)["workers"], 7)
        self.assertEqual(json.loads(run(SEQUENTIAL, f"{flags} --workers 3", FANOUT_WORKERS="7").stdout)["workers"], 3)
        self.assertEqual(json.loads(run(SEQUENTIAL, f"{flags} --workers 30").stdout)["workers"], 9)
        for bad in ("0", "abc", ""):
            done = run(SEQUENTIAL, flags, FANOUT_WORKERS=bad)
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"the environment variable FANOUT_WORKERS is", done.stderr)

    def test_a_closed_pipe_is_a_quiet_end(self) -> None:
        with subprocess.Popen(
            command(SEQUENTIAL, "--keys 20 --count 20000 --dump"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as row:
            assert row.stdout and row.stderr
            self.assertEqual(len(row.stdout.read(10)), 10)
            row.stdout.close()
            told = row.stderr.read().decode()
            self.assertEqual(row.wait(10), 0)
        self.assertNotIn("Traceback", told)
        self.assertNotIn("Broken", told)

    def test_a_missing_package_is_named(self) -> None:
        # An entry of None is what Python itself keeps for a module that must not be found.
        hide = "import sys; sys.modules['loky'] = sys.modules['numpy'] = None"
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "sitecustomize.py").write_text(hide)
            for name, package in (("python-loky", b"loky"), ("numpy-threads", b"numpy")):
                done = run(row(name), "--keys 1 --count 1", PYTHONPATH=folder)
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.assertIn(b"could not start", done.stderr)
                self.assertIn(package, done.stderr)
                self.assertEqual(done.stderr.count(b"\n"), 1)


class ProcessPools(unittest.TestCase):
    def test_every_start_method_gives_the_same(self) -> None:
        # Of these, only fork has the row's functions without importing its file again, whose name is no identifier.
        expected = run(SEQUENTIAL, "--keys 3 --count 4 --dump").stdout
        names = ["python-process-pool"] + ["numpy-process-pool"] * installed("numpy")
        for method in multiprocessing.get_all_start_methods():
            with tempfile.TemporaryDirectory() as folder:
                start = f"import multiprocessing; multiprocessing.set_start_method({method!r}, force=True)"
                Path(folder, "sitecustomize.py").write_text(start)
                for name in names:
                    with self.subTest(name, method=method):
                        done = run(row(name), "--keys 3 --count 4 --workers 2 --dump", PYTHONPATH=folder)
                        self.assertEqual(done.stdout, expected, done.stderr)

    @unittest.skipUnless(Path("/proc/self/stat").exists(), "needs /proc")
    def test_a_signal_takes_the_workers_along(self) -> None:
        names = ["python-process-pool"] + ["python-loky"] * installed("loky")
        for name in names:
            for number in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(name, signal=number.name):
                    flags = "--keys 4 --count 10000000 --workers 2"
                    quiet = subprocess.DEVNULL
                    start = command(row(name), flags)
                    child = subprocess.Popen(start, start_new_session=True, stdout=quiet, stderr=quiet)
                    self.ends_with_its_workers(child, number)

    def ends_with_its_workers(self, child: subprocess.Popen[bytes], number: signal.Signals) -> None:
        try:
            self.until(lambda: self.at_work(processes(child.pid), child.pid) == 2)
            child.send_signal(number)
            self.assertEqual(child.wait(5), -number)
            self.until(lambda: not processes(child.pid))
        finally:
            kill_session(child.pid)

    def at_work(self, found: list[Any], parent: int) -> int:
        """Workers that have used a fifth of a second: by then their pool knows them."""
        ticks = 0.2 * os.sysconf("SC_CLK_TCK")
        fields = [Path(f"/proc/{each.pid}/stat").read_text().rpartition(")")[2].split() for each in found]
        return sum(int(each[11]) > ticks for each, process in zip(fields, found) if process.pid != parent)

    def until(self, condition: Any) -> None:
        end = time.monotonic() + 5
        while not condition():
            self.assertLess(time.monotonic(), end, "not within five seconds")
            time.sleep(0.02)


class Numpy(unittest.TestCase):
    @needs("numpy")
    def test_its_own_generator_gives_other_bits_and_says_so(self) -> None:
        dumps = {run(row(f"numpy-{name}"), "--rng default_rng --keys 3 --count 5 --workers 2 --dump").stdout
                 for name in ("sequential", "threads", "process-pool")}  # fmt: skip
        self.assertEqual(len(dumps), 1)
        self.assertNotEqual(dumps, {run(SEQUENTIAL, "--keys 3 --count 5 --dump").stdout})
        answer = json.loads(run(row("numpy-sequential"), "--rng default_rng --keys 3 --count 5 --format json").stdout)
        self.assertEqual((answer["rng"], answer["bits"]), ("default_rng", "other"))
        self.assertIn("numpy", answer["python"]["packages"])


class Words(unittest.TestCase):
    def test_are_those_of_the_integer_lowest_first(self) -> None:
        self.assertEqual(words(0), [0])
        self.assertEqual(words(42), [42])
        self.assertEqual(words(42 << 32), [0, 42])
        self.assertEqual(words((2**64 - 1) << 32 | 1), [1, 2**32 - 1, 2**32 - 1])


class Pickle(unittest.TestCase):
    def test_two_of_the_notebooks_three_claims_are_not_so(self) -> None:
        rows = {row["object"]: row for row in lesson()}
        for name in ("defaultdict(int)", "instance of a module's class"):
            self.assertTrue(rows[name]["notebook"], name)
            self.assertEqual(rows[name]["pickle"], "yes", name)
        for name in ("lambda", "defaultdict(lambda: 0)", "instance of a class inside a function", "threading.Lock"):
            self.assertTrue(str(rows[name]["pickle"]).startswith("no: "), rows[name])

    def test_the_page_says_what_is_so(self) -> None:
        page = (HERE.parents[1] / "docs/what-may-cross.md").read_text()
        table = page.partition("<!-- fanout:pickle:begin -->")[2].partition("<!-- fanout:pickle:end -->")[0]
        told = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| ")]
        rows = {row["object"]: row for row in lesson()}
        self.assertEqual([cells[0] for cells in told[1:]], list(rows))
        for name, _, *said in told[1:]:
            for cell, by in zip(said, ("pickle", "cloudpickle")):
                # None without cloudpickle, and "not installed" without numpy.
                measured = str(rows[name][by])
                if measured not in ("None", "not installed"):
                    # Messages differ from version to version; what crosses does not.
                    self.assertEqual(re.split("[:,]", cell)[0], re.split("[:,]", measured)[0], (name, by))

    @needs("cloudpickle")
    def test_cloudpickle_takes_the_lambda(self) -> None:
        rows = {row["object"]: row["cloudpickle"] for row in lesson()}
        self.assertEqual(rows["lambda"], "yes")
        self.assertTrue(str(rows["threading.Lock"]).startswith("no: "))

    def test_the_cost_is_counted_in_bytes_too(self) -> None:
        done = run(HERE / "pickle_cost.py", "--count 100 --repeat 1 --format json")
        records = [json.loads(line) for line in done.stdout.splitlines()]
        lengths = {record["shape"]: (record["pickle_bytes"], record["bytes_beside"]) for record in records}
        self.assertGreater(lengths["list of floats"][0], 900)
        self.assertGreater(lengths["array('d')"][0], 800)
        if installed("numpy"):
            self.assertLess(lengths["numpy array, out-of-band"][0], 800)
            self.assertEqual(lengths["numpy array, out-of-band"][1], 800)


@unittest.skipUnless(sys.platform == "linux", "the scenarios need Linux")
class Failures(unittest.TestCase):
    def records(self, only: str, limit: float) -> list[dict[str, Any]]:
        flags = f"--pool concurrent.futures --format json --only {only} --limit {limit}"
        done = run(HERE / "failures.py", flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_a_record_has_what_a_table_needs(self) -> None:
        (record,) = self.records("P2-computing", 10)
        self.assertEqual((record["id"], record["pool"], record["hangs"]), ("P2-computing", "concurrent.futures", False))
        self.assertIn("BrokenProcessPool", record["outcome"])
        self.assertLess(record["seconds"], 5)

    def test_a_hang_is_cut_and_located(self) -> None:
        (record,) = self.records("P1", 3)
        self.assertEqual(
            (record["outcome"], record["seconds"], record["hangs"]), ("hangs (killed after 3 s)", None, True)
        )
        self.assertIn("killed when the parent had read", record["evidence"])
        self.assertTrue(any("_recv" in frame for frame in record["where"]), record["where"])

    def test_fanouts_commands_are_for_scenarios(self) -> None:
        self.assertEqual(set(FAULTS) - set(SCENARIOS), set())

    def test_what_several_keys_have_in_common_is_told_once(self) -> None:
        reasons = ["process 17 died", "process 18 died", "too late"]
        failed = [{"key": key, "reason": reason} for key, reason in enumerate(reasons)]
        told = fanouts_answer(SCENARIOS["P4"], {"keys": 5, "failed": failed}, "")
        self.assertEqual(told, "2 of 5 keys come back, 2 keys: process died, key 2: too late")

    def test_another_programs_column_is_put_beside(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            other = Path(folder, "other.jsonl")
            other.write_text(
                json.dumps({"id": "P16", "scenario": "", "pool": "fanout", "outcome": "two", "seconds": 1.5})
            )
            done = run(HERE / "failures.py", f"--pool concurrent.futures --only P16 --add {other}")
        table = done.stdout.decode()
        self.assertIn("| # | scenario | concurrent.futures | fanout |", table)
        self.assertIn("| two (1.50 s) |", table)


if __name__ == "__main__":
    unittest.main()
