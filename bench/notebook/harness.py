"""What the rows share: the command line, the job's seeds, the clocks, the report.

A row is one way to run the notebook's cells, in a file of its own: the cells are there to be read beside the notebook,
everything that is no cell is here. A row gives `main` its cells:

    start(workers)    the pool of the Setup cell, or None
    run(pool, keys)   the Execution cell: one (key, values) for every key, in the order of the keys

The flags and the JSON are those of fanout's Rust strategies, so that one tool can run and compare both.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import gc
import importlib.util
import json
import multiprocessing
import os
import platform
import random
import re
import signal
import sys
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, NoReturn, TextIO, TypeVar

WORKERS_VARIABLE = "FANOUT_WORKERS"
LARGEST = 2**64 - 1

MT19937 = "mt19937"
DEFAULT_RNG = "default_rng"
PYTHON_RNGS = (MT19937,)
NUMPY_RNGS = (MT19937, DEFAULT_RNG)

# What one value takes in memory. A list has a pointer to a float object of its own; appending leaves up to an eighth of
# the pointers spare.
LIST_VALUE_BYTES = 8 + 24 + 1
ARRAY_VALUE_BYTES = 8

T = TypeVar("T")
# A list of floats or a numpy array of them.
Values = Any
Start = Callable[[int], Any]
Run = Callable[[Any, "list[Key]"], "list[tuple[float, Values]]"]

EXAMPLES = """\
Examples:
  The notebook's job on all CPUs:
    {name}
  A hundredth of it, one cold batch and four warm ones, for a program to read:
    {name} --count 10000 --repeat 5 --format json
  The same bytes as from any Rust strategy with --rng mt19937:
    {name} --keys 3 --count 5 --dump | od -t f8

Exit status: 0 all keys came back whole; 1 some did not, or the pool could not start; 2 wrong usage."""


@dataclass(frozen=True)
class Key:
    """One key of the job, and all that its values depend on: this is what a worker is sent.

    The seed belongs to the key, not to the thread or process, so that the values are the same on every row. The
    notebook draws from one unseeded generator per process: a key's numbers depend on the worker that got the key.
    """

    value: float
    # What CPython's own generator is seeded with for this key.
    seed: int
    count: int
    rng: str

    def numpy_generator(self) -> Any:
        """numpy's generator, seeded for this key."""
        return numpy_generator(self.seed, self.rng)


def words(seed: int) -> list[int]:
    """The 32-bit words of `seed`, the lowest first: how CPython hands an integer to the Mersenne Twister.

    Zero is one word, and there is no zero above the highest one (`random_seed` in CPython's `_randommodule.c`).
    """
    return [seed >> shift & 0xFFFF_FFFF for shift in range(0, max(seed.bit_length(), 1), 32)]


def numpy_generator(seed: int, rng: str) -> Any:
    """A numpy generator: the bits of CPython's `random.Random(seed)`, or those of what numpy recommends today.

    A list makes `RandomState` use the seeding that CPython uses for every integer; a plain integer would not.
    """
    import numpy

    if rng == MT19937:
        return numpy.random.RandomState(words(seed))
    return numpy.random.default_rng(words(seed))


@dataclass(frozen=True)
class Options:
    """The command line, checked."""

    keys: int
    count: int
    rng: str
    seed: int
    workers: int
    repeat: int
    json: bool
    digest: bool
    expect: str | None
    dump: bool

    def draw_keys(self, numpy: bool) -> list[Key]:
        """The keys of the Setup cell.

        A list, where the notebook has a dict or a set of the key values: two keys of the same value would be one there,
        and there is no order to compare. Key i draws from a generator of its own, seeded apart from that of the keys.
        """
        seeds = self.seed << 32
        draw = numpy_generator(seeds, self.rng).random if numpy else random.Random(seeds).random
        return [Key(float(draw()), seeds | i + 1, self.count, self.rng) for i in range(self.keys)]


class Parser(argparse.ArgumentParser):
    """argparse with one-line errors and the nearest flag's name."""

    def error(self, message: str) -> NoReturn:
        message = message.replace("argument --", "--")
        self.exit(2, f"{self.prog}: error: {message}\n")

    def parse_all(self) -> argparse.Namespace:
        known, extra = self.parse_known_args()
        if extra:
            near = difflib.get_close_matches(extra[0], self._option_string_actions, n=1)
            tip = f"; a similar one exists: {near[0]}" if near else ""
            self.error(f"unexpected argument {extra[0]!r}{tip}")
        return known


def whole(smallest: int, largest: int = LARGEST) -> Callable[[str], int]:
    """Reads a whole number as Rust does: `int` would also take '1_000' and ' 7'."""

    def read(text: str) -> int:
        if re.fullmatch(r"\+?[0-9]{1,40}", text, re.ASCII) and smallest <= int(text) <= largest:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from {smallest} to {largest}")

    return read


def hex_digest(text: str) -> str:
    if re.fullmatch(r"[0-9a-fA-F]{32}", text):
        return text.lower()
    raise argparse.ArgumentTypeError(f"{text!r}: expected a digest of 32 hexadecimal digits")


def read_options(name: str, about: str, numpy: bool) -> Options:
    """Reads the command line and the environment. Ends the program with status 2 if they make no sense."""
    rngs = NUMPY_RNGS if numpy else PYTHON_RNGS
    parser = Parser(
        prog=name,
        description=about,
        epilog=EXAMPLES.format(name=name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--workload", choices=["fill"], default="fill", help="the notebook's job is the only one here")
    # Key i is seeded with i + 1 in the 32 bits below the seed.
    add("--keys", type=whole(0, 2**32 - 1), default=100, help="how many keys [100]")
    add("--count", type=whole(0), default=1_000_000, help="values per key [1000000]")
    add("--skew", choices=["uniform"], default="uniform", help="every key has the same count")
    bits = f"{MT19937}: CPython's bits, as in Rust; {DEFAULT_RNG}: other bits"
    add("--rng", choices=rngs, default=MT19937, help=bits if numpy else "CPython's own generator")
    add("--seed", type=whole(0), default=42, help="the seed of all keys [42]")
    add("--workers", type=whole(1), metavar="N", help=f"how many keys run at once [${WORKERS_VARIABLE}, or the CPUs]")
    add("--deadline", metavar="SECONDS", help="refused: no executor of Python can end a key")
    add("--repeat", type=whole(1), metavar="N", help="batches after one start: the first is cold [1]")
    add("--format", choices=["human", "json"], default="human", help="the report on standard output")
    add("--digest", action="store_true", help="report the XXH3-128 of all keys and values; needs the package xxhash")
    add("--expect", type=hex_digest, metavar="DIGEST", help="fail if the digest is another one")
    add("--dump", action="store_true", help="write all keys and values, little endian; the report goes to stderr")
    given = parser.parse_all()

    if given.deadline is not None:
        parser.error("--deadline cannot be kept: a future's timeout ends the wait, not the key")
    if given.dump and given.repeat is not None:
        parser.error("--dump cannot be used with --repeat")
    if given.dump and given.format == "json":
        parser.error("--dump and --format json both want standard output: give one of them")
    digest = given.digest or given.expect is not None
    if digest and importlib.util.find_spec("xxhash") is None:
        parser.error("--digest and --expect need the package xxhash (pip install xxhash); --dump needs none")
    workers = given.workers
    if workers is None:
        text = os.environ.get(WORKERS_VARIABLE)
        try:
            workers = cpus() if text is None else whole(1)(text)
        except argparse.ArgumentTypeError as error:
            parser.error(f"the environment variable {WORKERS_VARIABLE} is {error}")
    needed = given.keys * given.count * (ARRAY_VALUE_BYTES if numpy else LIST_VALUE_BYTES)
    available = available_memory()
    if available is not None and needed > available:
        needs = f"the outputs of --keys and --count need {size(needed)} of memory as Python holds them"
        parser.error(f"{needs}, and {size(available)} are available")
    return Options(
        keys=given.keys,
        count=given.count,
        rng=given.rng,
        seed=given.seed,
        workers=min(workers, given.keys) or workers,
        repeat=given.repeat or 1,
        json=given.format == "json",
        digest=digest,
        expect=given.expect,
        dump=given.dump,
    )


def cpus() -> int:
    """The CPUs that affinity and a cgroup v2 quota leave to this process, at least one.

    The notebook's `ProcessPoolExecutor()` takes `os.cpu_count()`: all of the machine's, whatever the quota.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [text.split() for text in cgroup_values("cpu.max")]
    limits = [int(quota) // int(period) for quota, period in quotas if quota != "max"]
    return max(1, min([affinity, *limits]))


def available_memory() -> int | None:
    """Bytes that can be had without swapping, or None where nobody says."""
    bounds = []
    with contextlib.suppress(OSError):
        found = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
        bounds += [int(found[1]) * 1024] if found else []
    limits, used = cgroup_values("memory.max"), cgroup_values("memory.current")
    bounds += [max(0, int(limit) - int(now)) for limit, now in zip(limits, used) if limit != "max"]
    return min(bounds, default=None)


def cgroup_values(name: str) -> list[str]:
    """What the file `name` says in this process's cgroup (version 2) and in those around it, the root's left out."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::/"):
                root, own = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup", line[4:])
                folders = [folder for folder in [own, *own.parents] if root in folder.parents]
                return [file.read_text().strip() for folder in folders if (file := folder / name).is_file()]
    return []


def size(count: int) -> str:
    """Bytes in decimal units, as fanout prints them."""
    units = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"]
    unit = min((len(str(count)) - 1) // 3, len(units) - 1)
    return f"{count} bytes" if unit == 0 else f"{count / 1000**unit:.1f} {units[unit]}"


def gil() -> bool:
    """Whether one lock keeps the threads of this interpreter from running Python code at the same time."""
    return getattr(sys, "_is_gil_enabled", lambda: True)()


def interpreter() -> dict[str, Any]:
    """What ran the row: versions change the numbers and, of `multiprocessing`, the way workers are started."""
    packages = {name: metadata.version(name) for name in ("cloudpickle", "loky", "numpy") if name in sys.modules}
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "gil": gil(),
        "start_method": multiprocessing.get_start_method(),
        "packages": packages,
    }


def value_bytes(values: Values) -> bytes:
    """The values as little-endian f64, on the little-endian machines that fanout supports."""
    return (array("d", values) if isinstance(values, list) else values).tobytes()


def output_chunks(outputs: Sequence[tuple[float, Values]]) -> Iterator[bytes]:
    """What is digested and dumped: for each key, in order, the key's 8 bytes and those of its values."""
    for value, values in outputs:
        yield value_bytes([value])
        yield value_bytes(values)


def digest_of(outputs: Sequence[tuple[float, Values]]) -> str:
    import xxhash

    state = xxhash.xxh3_128()
    for chunk in output_chunks(outputs):
        state.update(chunk)
    return f"{state.intdigest():032x}"


def timed(body: Callable[[], T]) -> tuple[T, int]:
    begin = time.perf_counter_ns()
    value = body()
    return value, time.perf_counter_ns() - begin


class Broken(Exception):
    """A cell raised: the report stays as it was until then."""


def complain(name: str, message: str) -> None:
    with contextlib.suppress(OSError):
        print(f"{name}: {message}", file=sys.stderr, flush=True)


def end_with_workers(number: int, _frame: object) -> None:
    """Ends by the signal, as without a handler, but takes the worker processes along.

    Python's own answer to Ctrl-C is an exception that then waits for the running keys, and to SIGTERM one that leaves
    the workers behind. A forked worker inherits this handler and, having no children, just ends.
    """
    for child in multiprocessing.active_children():
        # Not `child.kill()`: loky's processes have none.
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)  # type: ignore[arg-type]
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def main(file: str, about: str | None, start: Start, run: Run, numpy: bool = False) -> NoReturn:
    """The program of a row: reads the flags, runs the cells between clocks, reports, and ends with the exit status.

    `file` is the row's own; its name is the name of the row. `numpy` says whose keys and values these are.
    """
    name = Path(file).stem
    options = read_options(name, (about or "").strip(), numpy)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_with_workers)
    sys.exit(Session(name, options, start, run, numpy).report())


class Session:
    """One run of a row: its cells, its clocks, and what was found out between them."""

    def __init__(self, name: str, options: Options, start: Start, run: Run, numpy: bool) -> None:
        self.name, self.options, self.start, self.run, self.numpy = name, options, start, run, numpy
        self.start_ns = self.stop_ns = 0
        self.run_ns: list[int] = []
        self.drop_ns: list[int] = []
        self.output_bytes = 0
        self.failed: dict[int, str] = {}
        self.digest: str | None = None
        self.disagreeing: list[tuple[int, str]] = []

    def report(self) -> int:
        """Runs everything and reports it. Gives the exit status."""
        try:
            self.cells()
        except Broken as error:
            complain(self.name, str(error))
            return 1
        text = json.dumps(self.json(), separators=(",", ":")) if self.options.json else self.human()
        for key, reason in sorted(self.failed.items()):
            complain(self.name, f"key {key}: {reason}")
        for batch, digest in self.disagreeing:
            complain(self.name, f"batch {batch} has digest {digest}, the first has {self.digest}")
        expected = self.options.expect or self.digest
        if expected != self.digest:
            complain(self.name, f"the digest is {self.digest}, and --expect says {expected}")
        stream = sys.stderr if self.options.dump else sys.stdout
        with quiet_end(stream):
            stream.write(f"{text}\n")
        return 1 if self.failed or self.disagreeing or expected != self.digest else 0

    def cells(self) -> None:
        """Setup, then Execution and `del` for each batch, then the end of the pool, each with its clock."""
        options = self.options
        if options.keys == 0:
            self.check([])
            return

        def setup() -> tuple[Any, list[Key]]:
            return self.start(options.workers), options.draw_keys(self.numpy)

        try:
            (pool, keys), self.start_ns = timed(setup)
        except ImportError as error:
            raise Broken(f"could not start: {error} (pip install -r requirements.txt)") from None
        except OSError as error:
            raise Broken(f"could not start: {error}") from None
        for _ in range(options.repeat):
            begin = time.perf_counter_ns()
            try:
                outputs = self.run(pool, keys)
            except Exception as error:
                # The notebook's `map` gives everything or raises: one key's failure is that of all.
                self.failed = {key: f"{type(error).__name__}: {error}" for key in range(options.keys)}
                outputs = []
            self.run_ns.append(time.perf_counter_ns() - begin)
            self.check(outputs)
            begin = time.perf_counter_ns()
            del outputs
            gc.collect()
            self.drop_ns.append(time.perf_counter_ns() - begin)
        if pool is not None:
            _, self.stop_ns = timed(pool.shutdown)

    def check(self, outputs: list[tuple[float, Values]]) -> None:
        """Looks at one batch, outside the clocks."""
        whole_keys = []
        for index, output in enumerate(outputs):
            if len(output[1]) == self.options.count:
                whole_keys.append(output)
            else:
                self.failed[index] = f"came back with {8 * len(output[1])} of {8 * self.options.count} bytes"
        for index in range(len(outputs), self.options.keys):
            self.failed.setdefault(index, "did not come back")
        self.output_bytes = sum(8 * len(values) for _, values in whole_keys)
        if self.options.dump:
            with quiet_end(sys.stdout):
                for chunk in output_chunks(whole_keys):
                    sys.stdout.buffer.write(chunk)
        if self.options.digest:
            digest = digest_of(whole_keys)
            if self.digest is None:
                self.digest = digest
            elif digest != self.digest:
                self.disagreeing.append((len(self.run_ns), digest))

    def json(self) -> dict[str, Any]:
        """The fields of a Rust strategy, and what only a Python row has to say."""
        options = self.options
        return {
            "strategy": self.name,
            "workload": "fill",
            "keys": options.keys,
            "count": options.count,
            "skew": "uniform",
            "rng": options.rng,
            "seed": options.seed,
            "workers": options.workers,
            # Nothing is compiled here: there is no build whose times would mean less.
            "profile": "release",
            "start_ns": self.start_ns,
            "run_ns": self.run_ns,
            "drop_ns": self.drop_ns,
            "stop_ns": self.stop_ns,
            "output_bytes": self.output_bytes,
            "failed": [{"key": key, "reason": reason} for key, reason in sorted(self.failed.items())],
            "digest": self.digest,
            "python": interpreter(),
            # Against `--rng mt19937` of the Rust strategies.
            "bits": "same" if options.rng == MT19937 else "other",
        }

    def human(self) -> str:
        options, python = self.options, interpreter()
        job = f"fill, {options.keys} keys × {options.count}, uniform, {options.rng}, seed {options.seed}"
        lock = "with the GIL" if python["gil"] else "free-threaded, without the GIL"
        packages = "".join(f", {name} {version}" for name, version in python["packages"].items())
        lines = [f"{self.name}: {job}, {options.workers} workers", f"  start   {millis(self.start_ns)}"]
        for batch, (run_ns, drop_ns) in enumerate(zip(self.run_ns, self.drop_ns)):
            lines.append(f"  run     {millis(run_ns)}   {'warm' if batch else 'cold'}")
            lines.append(f"  drop    {millis(drop_ns)}")
        lines.append(f"  stop    {millis(self.stop_ns)}")
        came_back = options.keys - len(self.failed)
        lines.append(f"  output  {size(self.output_bytes)} in {came_back} keys, {len(self.failed)} failed")
        if self.digest is not None:
            lines.append(f"  digest  {self.digest}")
        lines.append(f"  python  {python['implementation']} {python['version']}, {lock}{packages}")
        return "\n".join(lines)


def millis(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:>10.3f} ms"


@contextlib.contextmanager
def quiet_end(stream: TextIO) -> Iterator[None]:
    """A reader that closed the pipe has what it wanted: that is a normal end."""
    try:
        yield
        stream.flush()
    except BrokenPipeError:
        # The interpreter flushes at its end once more, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
