"""What is timed of a pool in Python: what `rust/src/lib.rs` times in Rust, in the same way, with the same checks.

    pools.py POOL ROW SIZE FOLDER

prints the row's figures in seconds. FOLDER has the two pipes of a meeting; see `join`.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from typing import Any, Callable

from tasks import abort, add, double, empty, ends, join, keep, make

WORKERS = 2
BLOCKS = 100
CHUNK = 1_000
# How long all processes stay as they are before they are let go: whoever counts their memory sees it.
HOLD = 0.2


class FuturesPool:
    """`ProcessPoolExecutor`, and what has its interface."""

    def __init__(self, workers: int, **init: Any) -> None:
        self.workers = workers
        self.executor = self.new(**init)

    def new(self, **init: Any) -> Executor:
        return ProcessPoolExecutor(self.workers, **init)

    def call(self, task: Callable[[Any], Any], argument: Any) -> Any:
        return self.executor.submit(task, argument).result()

    def submit(self, task: Callable[[Any], Any], argument: Any) -> Callable[[], Any]:
        future: Future[Any] = self.executor.submit(task, argument)
        return future.result

    def map(self, task: Callable[[Any], Any], arguments: Iterable[Any], chunk: int = 1) -> Iterator[Any]:
        return self.executor.map(task, arguments, chunksize=chunk)

    def lose_worker(self) -> None:
        """Such a pool is broken for ever. What is to be done is a new one."""
        try:
            self.call(abort, None)
        except BrokenExecutor:
            self.executor.shutdown()
            self.executor = self.new()
        else:
            raise AssertionError("a worker died, and nobody says so")

    def stop(self) -> None:
        self.executor.shutdown()


class ForkserverPool(FuturesPool):
    """The same with the start method that is the default from CPython 3.14 on."""

    def new(self, **init: Any) -> Executor:
        return ProcessPoolExecutor(self.workers, multiprocessing.get_context("forkserver"), **init)


class LokyPool(FuturesPool):
    """loky's reusable executor."""

    def new(self, **init: Any) -> Executor:
        from loky import get_reusable_executor  # type: ignore[import-untyped]

        executor: Executor = get_reusable_executor(self.workers, **init)
        return executor


class MultiprocessingPool:
    """`multiprocessing.Pool`."""

    def __init__(self, workers: int, **init: Any) -> None:
        self.pool = multiprocessing.Pool(workers, **init)

    def call(self, task: Callable[[Any], Any], argument: Any) -> Any:
        return self.pool.apply(task, (argument,))

    def submit(self, task: Callable[[Any], Any], argument: Any) -> Callable[[], Any]:
        return self.pool.apply_async(task, (argument,)).get

    def map(self, task: Callable[[Any], Any], arguments: Iterable[Any], chunk: int = 1) -> Iterator[Any]:
        return self.pool.imap(task, arguments, chunksize=chunk)

    def lose_worker(self) -> None:
        """The pool starts another worker, and never says what became of the call."""
        self.submit(abort, None)

    def stop(self) -> None:
        self.pool.terminate()


POOLS = {
    "executor": FuturesPool,
    "forkserver": ForkserverPool,
    "loky": LokyPool,
    "multiprocessing": MultiprocessingPool,
}


class Row:
    """One row, timed with one pool."""

    def __init__(self, pool: Any, folder: str) -> None:
        self.start_pool = pool
        self.folder = folder
        # Both ends of both pipes, so that nothing waits for an end.
        self.here = os.open(f"{folder}/here", os.O_RDWR)
        self.go = os.open(f"{folder}/go", os.O_RDWR)

    def all_here(self, calls: int) -> None:
        while calls > 0:
            calls -= len(os.read(self.here, calls))

    def meet(self, pool: Any, workers: int) -> list[int]:
        answers = [pool.submit(join, self.folder) for _ in range(workers)]
        self.all_here(workers)
        os.write(self.go, bytes(workers))
        return [answer() for answer in answers]

    def warm(self) -> Any:
        pool = self.start_pool(WORKERS)
        self.meet(pool, WORKERS)
        for _ in range(100):
            pool.call(empty, None)
        return pool

    def call(self, calls: int) -> list[float]:
        """The median of so many calls, one after the other."""
        pool = self.warm()
        for _ in range(calls // 10):
            pool.call(empty, None)
        times = []
        for _ in range(calls):
            start = time.perf_counter()
            pool.call(empty, None)
            times.append(time.perf_counter() - start)
        pool.stop()
        return [statistics.median(times)]

    def map(self, numbers: int, chunk: int = 1) -> list[float]:
        pool = self.warm()
        start = time.perf_counter()
        doubled = list(pool.map(double, range(numbers), chunk))
        seconds = time.perf_counter() - start
        assert doubled == [2 * number for number in range(numbers)]
        pool.stop()
        return [seconds]

    def chunks(self, numbers: int) -> list[float]:
        return self.map(numbers, CHUNK)

    def out(self, length: int) -> list[float]:
        pool = self.warm()
        (whole,) = pool.map(make, [(0, length)])
        assert len(whole) == length and not whole.any()
        blocks = 0
        start = time.perf_counter()
        for block in pool.map(make, [(block, length) for block in range(BLOCKS)]):
            assert ends(block) == (length, blocks, blocks)
            blocks += 1
        seconds = time.perf_counter() - start
        assert blocks == BLOCKS
        pool.stop()
        return [seconds]

    def in_(self, length: int) -> list[float]:
        pool = self.warm()
        make((0, length))
        start = time.perf_counter()
        answers = list(pool.map(ends, (make((block, length)) for block in range(BLOCKS))))
        seconds = time.perf_counter() - start
        assert answers == [(length, block, block) for block in range(BLOCKS)]
        pool.stop()
        return [seconds]

    def share(self, length: int) -> list[float]:
        """From values without a pool until both workers of one have read all of them."""
        import numpy

        values = numpy.arange(length // 8, dtype=numpy.uint64)
        start = time.perf_counter()
        pool = self.start_pool(WORKERS, initializer=keep, initargs=(values,))
        answers = [pool.submit(add, self.folder) for _ in range(WORKERS)]
        self.all_here(WORKERS)
        seconds = time.perf_counter() - start
        time.sleep(HOLD)
        os.write(self.go, bytes(WORKERS))
        pids, sums = zip(*(answer() for answer in answers))
        assert_are_others(pids, WORKERS)
        assert set(sums) == {int(values.sum())}
        pool.stop()
        return [seconds]

    def start(self, workers: int) -> list[float]:
        start = time.perf_counter()
        pool = self.start_pool(workers)
        pids = self.meet(pool, workers)
        seconds = time.perf_counter() - start
        assert_are_others(pids, workers)
        pool.stop()
        return [seconds]

    def death(self, _: int) -> list[float]:
        """From a call that aborts to the answer of the next, and until both workers answer."""
        pool = self.start_pool(WORKERS)
        before = self.meet(pool, WORKERS)
        start = time.perf_counter()
        pool.lose_worker()
        pool.call(empty, None)
        answered = time.perf_counter() - start
        after = self.meet(pool, WORKERS)
        whole = time.perf_counter() - start
        assert_are_others(after, WORKERS)
        assert set(after) - set(before), "a worker died"
        pool.stop()
        return [answered, whole]


def assert_are_others(pids: Iterable[int], workers: int) -> None:
    assert len({os.getpid(), *pids}) == workers + 1, "each call was in a process of its own"


def main() -> None:
    if sys.argv[1:] == ["versions"]:
        from importlib import metadata

        method = multiprocessing.get_start_method()
        packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("loky", "numpy"))
        print(f"CPython {'.'.join(map(str, sys.version_info[:3]))} (which starts processes by {method}), {packages}")
        return
    pool, name, size, folder = sys.argv[1:]
    row = Row(POOLS[pool], folder)
    figures = getattr(row, "in_" if name == "in" else name)(int(size))
    print(*figures, flush=True)


if __name__ == "__main__":
    main()
