#!/usr/bin/env python3
"""Measures what becomes of the notebook's two pools when something goes wrong, and prints a table of it.

    python bench/notebook/failures.py                          all scenarios, as a markdown table
    python bench/notebook/failures.py --no-fanout              Python's pools alone; needs no Rust
    python bench/notebook/failures.py --format json            one JSON object per scenario and pool
    python bench/notebook/failures.py --only P1,P2-computing   these alone, or a whole family: --only P2
    python bench/notebook/failures.py --add other.jsonl        with further columns from such JSON lines

Every scenario runs in a process and session of its own, under a watchdog: what does not end in time is reported as
hanging, with the place where it hangs, and is killed with all that it started. Nothing in the pools or in
multiprocessing is patched; faults are what a key does to its own process, or a signal from outside. `seconds` is the
time from the fault until the caller knows of it, or until the pool's processes are gone.

Linux only: the watchdog and the faults look into /proc.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import faulthandler
import json
import multiprocessing
import os
import platform
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, ProcessPoolExecutor, TimeoutError, wait
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

POOLS = ("concurrent.futures", "loky")
FANOUT = "fanout process-pool"

# How a scenario and its workers find the file that they write their notes in: workers inherit the environment, however
# they are started.
NOTES_VARIABLE = "FANOUT_FAILURES_NOTES"

# Long enough for the kill to land in the middle: the parent takes tens of milliseconds to read it, the killer looks
# about every tenth of one.
LARGE = 128 << 20

# A key that is still at work whenever a scenario is over.
LONG = 300.0

# The answer of a scenario: one line, and the seconds if there are any to tell.
Answer = tuple[str, Optional[float]]


class Scenario(NamedTuple):
    """One row of the table. `signals` says what is sent to whom once the pool is as the scenario wants it."""

    id: str
    text: str
    body: Callable[[str], Any]
    signals: tuple[signal.Signals, str] | None


SCENARIOS: dict[str, Scenario] = {}


def scenario(id: str, text: str, signals: tuple[signal.Signals, str] | None = None) -> Callable[[Any], Any]:
    """Enters a function as a scenario. It gets the name of a pool, and gives an answer or, if signalled, never ends."""

    def enter(body: Callable[[str], Any]) -> Callable[[str], Any]:
        SCENARIOS[id] = Scenario(id, text, body, signals)
        return body

    return enter


# What scenarios are made of.


def make(pool: str, workers: int, **more: Any) -> Executor:
    if pool == "loky":
        from loky import get_reusable_executor  # type: ignore[import-untyped]

        executor: Executor = get_reusable_executor(max_workers=workers, **more)
        return executor
    return ProcessPoolExecutor(max_workers=workers, **more)


def note(**fields: Any) -> None:
    """Adds a line to the scenario's notes: one short write, so that processes don't mix theirs."""
    line = json.dumps({"time": time.monotonic(), **fields}) + "\n"
    fd = os.open(os.environ[NOTES_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, line.encode())
    os.close(fd)


def read_notes(file: str) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in Path(file).read_text().splitlines()]
    except FileNotFoundError:
        return []


def fault_time() -> float:
    """When the first fault struck. The clock is the machine's, the same in all processes."""
    return next(float(entry["time"]) for entry in read_notes(os.environ[NOTES_VARIABLE]) if entry.get("fault"))


def worker_pids() -> list[int]:
    return [child.pid for child in multiprocessing.active_children() if child.pid]


def warm_up(executor: Executor, workers: int) -> None:
    """Makes every worker take a key, so that all of them are started, and leaves them idle."""
    wait(submit(executor, [(nap, 0.3)] * workers))


def name_of(error: BaseException) -> str:
    argument = f"({error})" if isinstance(error, SystemExit) else ""
    return type(error).__name__ + argument


def submit(executor: Executor, calls: Sequence[tuple[Callable[..., Any], Any]]) -> list[Future[Any]]:
    """A future for every call: a pool that breaks meanwhile refuses the rest, and a refused key is a failed one."""
    futures: list[Future[Any]] = []
    for function, argument in calls:
        try:
            futures.append(executor.submit(function, argument))
        except Exception as error:
            refused: Future[Any] = Future()
            refused.set_exception(error)
            futures.append(refused)
    return futures


def settle(futures: Sequence[Future[Any]]) -> tuple[int, Counter[str], float]:
    """Waits for all futures: how many keys came back, the errors of the others, and when the first error was known."""
    wait(futures, return_when=FIRST_EXCEPTION)
    known = time.monotonic()
    errors = [error for future in futures if (error := future.exception()) is not None]
    return len(futures) - len(errors), Counter(map(name_of, errors)), known


def lost(futures: Sequence[Future[Any]]) -> tuple[str, float]:
    came_back, errors, known = settle(futures)
    failures = "".join(f", {count} fail with {name}" for name, count in errors.items())
    return f"{came_back} of {len(futures)} keys come back{failures}", known


def afterwards(pool: str, executor: Executor) -> str:
    """Whether the pool still works."""
    if works(executor):
        return "the pool goes on"
    if pool == "loky":
        again = "gives a working one" if works(make(pool, 2)) else "does not help"
        return f"the pool is broken; get_reusable_executor() {again}"
    return "the pool is broken"


def works(executor: Executor) -> bool:
    try:
        return executor.submit(nap, 0).result() == 0
    except Exception:
        return False


# What keys do.


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def strike(what: str) -> Any:
    """A key that is a fault, after a moment in which keys that end at the same time as the one before are sent back."""
    time.sleep(0.02)
    note(fault=what)
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif what == "segv":
        ctypes.string_at(0)
    elif what == "abort":
        os.abort()
    elif what == "recursion":
        strike_deeper()
    elif what == "print":
        print("printed in a key")
    elif what == "unpicklable":
        return threading.Lock()
    elif what == "unreadable":
        return Unreadable()
    elif what == "unsendable":
        return Unsendable()
    elif what.startswith("after"):
        return After(what.split()[1])
    elif what == "stderr":
        print("words of a key", file=sys.stderr, flush=True)
    elif what == "close-all":
        os.closerange(3, 1024)
    elif what == "kill-leaving-child":
        note(child=subprocess.Popen(["sleep", str(int(LONG))]).pid)
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "child-writes":
        garbage_from_a_child()
    elif what.startswith("sys.exit"):
        sys.exit(int(what.split()[1]))
    elif what.startswith("os._exit"):
        os._exit(int(what.split()[1]))
    return None


def strike_deeper() -> None:
    strike_deeper()


class Unreadable:
    """Can be pickled; cannot be unpickled."""

    def __reduce__(self) -> Any:
        return int, ("no number",)


class Unsendable:
    """Cannot be pickled, for a reason that is not pickle's own."""

    def __reduce__(self) -> Any:
        raise ValueError("not to be sent")


class Unloadable:
    """Can be pickled. Its user's code fails where it is unpickled."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __setstate__(self, state: dict[str, str]) -> None:
        note(fault=state["how"])
        if state["how"] == "abort":
            os.abort()
        raise ValueError("not to be loaded")


class After:
    """What a worker drops as soon as it has sent it, whereupon the fault strikes. It arrives as 0."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __reduce__(self) -> Any:
        return int, ()

    def __del__(self) -> None:
        note(fault=self.what)
        if self.what == "raise":
            raise ValueError("while it is dropped")
        if self.what == "exit":
            os._exit(0)
        os.kill(os.getpid(), signal.Signals[self.what])


def stop_for(seconds: float, program: int) -> None:
    """A key that stops the program when that has begun to wait."""
    time.sleep(0.1)
    os.kill(program, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(program, signal.SIGCONT)


def block(size: int) -> bytes:
    time.sleep(0.3)
    return bytes(size)


def accept(_: Any) -> int:
    """A key whose argument is the fault."""
    return 0


def fork(size: int) -> bytes:
    """A key that comes back in two processes, each with bytes of its own."""
    note(fault="fork")
    return (b"p" if os.fork() else b"c") * size


def garbage_from_a_child() -> None:
    """Leaves a child that writes, a moment later, where its parent sends results: found where the pool has it."""
    frame = sys._getframe()
    while "result_queue" not in frame.f_locals:
        assert frame.f_back
        frame = frame.f_back
    if os.fork() == 0:
        time.sleep(0.2)
        os.write(frame.f_locals["result_queue"]._writer.fileno(), b"xxxx garbage of a child")
        os._exit(0)


def large_result(reader: int) -> bytes:
    """A key whose process is killed when process `reader` has read half of its result.

    The kernel counts what a process reads at every read; what it writes, only when the whole write is over. So the
    killer watches the one that reads. While the main thread is in that write it does not hold the GIL.
    """
    before = bytes_read(reader)

    def kill_half_way() -> None:
        while bytes_read(reader) - before < LARGE // 2:
            time.sleep(0.0001)
        note(fault="kill", read=bytes_read(reader) - before, of=LARGE)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=kill_half_way, daemon=True).start()
    return bytes(LARGE)


def bytes_read(pid: int) -> int:
    found = re.search(r"^rchar: (\d+)$", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


# The scenarios, under the numbers of fanout's own tests; those with S have none there.


@scenario("P1", "worker SIGKILLed with half of its result sent")
def killed_sending(pool: str) -> Answer:
    executor = make(pool, 2)
    warm_up(executor, 2)
    text, known = lost(submit(executor, [(large_result, os.getpid()), *[(nap, 0.1)] * 9]))
    return f"{text}; {afterwards(pool, executor)}", known - fault_time()


@scenario("P2-starting", "worker SIGKILLed before it takes a key")
def killed_starting(pool: str) -> Answer:
    executor = make(pool, 2, initializer=strike, initargs=("kill",))
    text, known = lost(submit(executor, [(nap, 0)] * 10))
    return text, known - fault_time()


def ten_with(key: tuple[Callable[..., Any], Any]) -> list[tuple[Callable[..., Any], Any]]:
    """Ten keys of which this is key 4; each other takes a twentieth of a second."""
    return [*[(nap, 0.05)] * 4, key, *[(nap, 0.05)] * 5]


def one_of_ten(pool: str, what: str) -> Answer:
    """The fault in key 4 of 10, on two workers."""
    executor = make(pool, 2)
    warm_up(executor, 2)
    text, known = lost(submit(executor, ten_with((strike, what))))
    return f"{text}; {afterwards(pool, executor)}", known - fault_time() if "fail" in text else None


@scenario("P2-computing", "worker SIGKILLed while it computes key 4 of 10")
def killed_computing(pool: str) -> Answer:
    return one_of_ten(pool, "kill")


@scenario("P2-pending", "worker SIGKILLed in key 50 of 100: what is lost with it")
def killed_with_pending(pool: str) -> Answer:
    executor = make(pool, 2)
    warm_up(executor, 2)
    text, known = lost(submit(executor, [*[(nap, 0.01)] * 50, (strike, "kill"), *[(nap, 0.01)] * 49]))
    return text, known - fault_time()


@scenario("P2-idle", "idle worker SIGKILLed, a second before the next 10 keys")
def killed_idle(pool: str) -> Answer:
    executor = make(pool, 2)
    warm_up(executor, 2)
    note(fault="kill")
    os.kill(worker_pids()[0], signal.SIGKILL)
    time.sleep(1)
    text, _ = lost(submit(executor, [(nap, 0.01)] * 10))
    return f"{text}; {afterwards(pool, executor)}", None


@scenario("P3-segv", "segmentation fault in a key")
def segv(pool: str) -> Answer:
    return one_of_ten(pool, "segv")


@scenario("P3-abort", "`os.abort()` in a key")
def abort(pool: str) -> Answer:
    return one_of_ten(pool, "abort")


@scenario("P3-recursion", "recursion without end in a key")
def recursion(pool: str) -> Answer:
    return one_of_ten(pool, "recursion")


@scenario("P3-sys-exit-0", "`sys.exit(0)` in a key")
def sys_exit(pool: str) -> Answer:
    return one_of_ten(pool, "sys.exit 0")


@scenario("P3-exit-0", "`os._exit(0)` in a key")
def exit_0(pool: str) -> Answer:
    return one_of_ten(pool, "os._exit 0")


@scenario("P3-exit-42", "`os._exit(42)` in a key")
def exit_42(pool: str) -> Answer:
    return one_of_ten(pool, "os._exit 42")


@scenario("P3-close-all", "a key closes all descriptors from 3 on")
def close_all(pool: str) -> Answer:
    return one_of_ten(pool, "close-all")


@scenario("P4", "all workers SIGKILLed at once, busy with 2 of 10 keys")
def all_killed(pool: str) -> Answer:
    executor = make(pool, 2)
    warm_up(executor, 2)
    futures = submit(executor, [(nap, 0.5)] * 10)
    time.sleep(0.2)
    note(fault="kill")
    for pid in worker_pids():
        os.kill(pid, signal.SIGKILL)
    text, known = lost(futures)
    return f"{text}; {afterwards(pool, executor)}", known - fault_time()


@scenario("P5", "worker stopped by SIGSTOP, its future awaited for at most 1 s")
def stopped(pool: str) -> Answer:
    executor = make(pool, 2)
    warm_up(executor, 2)
    future = executor.submit(strike, "stop")
    try:
        future.result(timeout=1)
        text = "the key comes back"
    except TimeoutError:
        text = "TimeoutError"
    known = time.monotonic() - fault_time()
    others, _ = lost(submit(executor, [(nap, 0.01)] * 10))
    text = f"{text}; {others} afterwards; the worker {'stays stopped' if any_stopped() else 'is replaced'}"
    note(so_far=f"{text}; shutdown()")
    executor.shutdown()
    return f"{text}; shutdown() ends", known


def any_stopped() -> bool:
    return any(process.state == "T" for process in processes(os.getsid(0)))


@scenario("P7", "`print` in a key")
def printing(pool: str) -> Answer:
    executor = make(pool, 2)
    executor.submit(strike, "print").result()
    time.sleep(0.5)
    at_once = os.fstat(sys.stdout.fileno()).st_size > 0
    executor.shutdown()
    time.sleep(0.5)
    at_end = os.fstat(sys.stdout.fileno()).st_size > 0
    when = "at once" if at_once else "when the worker ends"
    return (f"on the program's stdout, {when}" if at_end else "is lost"), None


def busy(pool: str, seconds: float) -> None:
    """Keeps two workers busy and eight keys waiting, until a signal comes."""
    executor = make(pool, 2)
    warm_up(executor, 2)
    results = executor.map(nap, [seconds] * 10)
    time.sleep(0.3)
    note(ready=worker_pids())
    list(results)


@scenario("P8-busy", "parent SIGKILLed, workers busy", (signal.SIGKILL, "parent"))
def parent_killed_busy(pool: str) -> None:
    busy(pool, LONG)


@scenario("P8-idle", "parent SIGKILLed, workers idle", (signal.SIGKILL, "parent"))
def parent_killed_idle(pool: str) -> None:
    executor = make(pool, 2)
    warm_up(executor, 2)
    time.sleep(0.3)
    note(ready=worker_pids())
    time.sleep(LONG)


@scenario("P10-int", "SIGINT to the whole group (Ctrl-C), workers busy with keys of 3 s", (signal.SIGINT, "group"))
def interrupted(pool: str) -> None:
    busy(pool, 3)


@scenario("P10-term", "SIGTERM to the parent, workers busy", (signal.SIGTERM, "parent"))
def terminated(pool: str) -> None:
    busy(pool, LONG)


@scenario("P16", "2 keys on a pool of 8")
def fewer_keys(pool: str) -> Answer:
    executor = make(pool, 8)
    wait(submit(executor, [(nap, 0.5)] * 2))
    return f"{len(worker_pids())} processes are started", None


def forked(pool: str, size: int) -> Answer:
    """Five rounds at once: ten keys of which one forks, ten more, and the end of the pool.

    `shutdown()` sends one message for each worker that the pool knows, and now there is one more to take them: who gets
    them is luck.
    """
    for _ in range(5):
        if os.fork() == 0:
            forked_round(pool, size)
            os._exit(0)
    notes: list[dict[str, Any]] = []
    while len(told := [entry for entry in notes if "round" in entry]) < 5:
        time.sleep(0.1)
        notes = read_notes(os.environ[NOTES_VARIABLE])
    time.sleep(2)
    ended = sum("ended" in entry for entry in read_notes(os.environ[NOTES_VARIABLE]))
    counts = Counter(entry["round"] for entry in told)
    texts = [text if count == 5 else f"{text} in {count} of 5 rounds" for text, count in counts.items()]
    return f"{'; '.join(texts)}; shutdown() hangs in {5 - ended} of 5 rounds", None


def forked_round(pool: str, size: int) -> None:
    executor = make(pool, 2)
    warm_up(executor, 2)
    futures = submit(executor, ten_with((fork, size)))
    text, _ = lost(futures)
    if futures[4].exception() is None:
        result = futures[4].result()
        whole = len(result) == size and len(set(result)) == 1
        text += ", the bytes of one process" if whole else ", mixed bytes"
    more, _ = lost(submit(executor, [(nap, 0.05)] * 10))
    note(round=f"{text}; {more} afterwards")
    executor.shutdown()
    note(ended=True)


@scenario("P17-small", "a key forks and returns in both processes, 1 kB each")
def forked_small(pool: str) -> Answer:
    return forked(pool, 1000)


@scenario("P17-large", "the same, 8 MB each")
def forked_large(pool: str) -> Answer:
    return forked(pool, 8_000_000)


@scenario("P18-kill", "worker SIGKILLed when it has sent the result of key 4 of 10")
def killed_after(pool: str) -> Answer:
    return one_of_ten(pool, "after SIGKILL")


@scenario("P18-exit", "`os._exit(0)` when the result of key 4 of 10 is sent")
def exit_after(pool: str) -> Answer:
    return one_of_ten(pool, "after exit")


@scenario("P18-stop", "worker SIGSTOPped when it has sent the result of key 4 of 10")
def stopped_after(pool: str) -> Answer:
    executor = make(pool, 2)
    warm_up(executor, 2)
    text, _ = lost(submit(executor, ten_with((strike, "after SIGSTOP"))))
    text += f"; the worker {'stays stopped' if any_stopped() else 'is replaced'}"
    note(so_far=f"{text}; shutdown()")
    executor.shutdown()
    return f"{text}; shutdown() ends", None


@scenario("P18-child", "a child that key 4 leaves behind writes where results are sent")
def child_writes(pool: str) -> Answer:
    executor = make(pool, 2)
    warm_up(executor, 2)
    # The keys after it are still at work when the child writes.
    futures = submit(executor, [*[(nap, 0.05)] * 4, (strike, "child-writes"), *[(nap, 0.3)] * 5])
    text, _ = lost(futures)
    return f"{text}; {afterwards(pool, executor)}", None


@scenario("P19", "the program stopped for 0.8 s in a `result(timeout=0.5)`, whose key of 3 MB ends meanwhile; 5 rounds")
def program_stopped(pool: str) -> Answer:
    executor = make(pool, 2)
    warm_up(executor, 2)
    timeouts = there = 0
    for _ in range(5):
        pause = executor.submit(stop_for, 0.8, os.getpid())
        future = executor.submit(block, 3_000_000)
        try:
            future.result(timeout=0.5)
        except TimeoutError:
            timeouts += 1
            there += len(future.result(timeout=1)) == 3_000_000
        pause.result()
    again = f"; asked again, {there} have their result" if timeouts else ""
    return f"TimeoutError in {timeouts} of 5 rounds{again}", None


@scenario("P20", "program that closed its descriptor 2; key 4 of 10 prints to stderr")
def without_stderr(pool: str) -> Answer:
    os.close(2)
    try:
        executor = make(pool, 2)
        warm_up(executor, 2)
    except ValueError as error:
        return f"the pool cannot be started: ValueError: {error}", None
    text, _ = lost(submit(executor, ten_with((strike, "stderr"))))
    return f"{text}; {afterwards(pool, executor)}", None


@scenario("P21-stopped", "parent SIGKILLed, both workers stopped by SIGSTOP", (signal.SIGKILL, "parent"))
def parent_killed_stopped(pool: str) -> None:
    executor = make(pool, 2)
    warm_up(executor, 2)
    workers = worker_pids()
    submit(executor, [(strike, "stop")] * 2)
    while sum(process.state == "T" for process in processes(os.getsid(0))) < 2:
        time.sleep(0.02)
    note(ready=workers)
    time.sleep(LONG)


@scenario("P21-children", "worker SIGKILLed in key 4, which has started `sleep`")
def killed_leaving_child(pool: str) -> Answer:
    text, seconds = one_of_ten(pool, "kill-leaving-child")
    time.sleep(1)
    child = next(entry["child"] for entry in read_notes(os.environ[NOTES_VARIABLE]) if "child" in entry)
    there = any(process.pid == child for process in processes(os.getsid(0)))
    return f"{text}; `sleep` {'lives on' if there else 'is gone'}", seconds


def handled(pool: str, before: bool) -> Answer:
    """SIGINT for the whole group while two of eight keys are at work, in a program with a handler of its own."""

    def handle() -> None:
        signal.signal(signal.SIGINT, lambda *_: None)

    if before:
        handle()
    executor = make(pool, 2)
    warm_up(executor, 2)
    handle()
    futures = submit(executor, [(nap, 0.5)] * 8)
    time.sleep(0.2)
    note(fault="interrupt")
    os.killpg(os.getpgrp(), signal.SIGINT)
    text, _ = lost(futures)
    return f"{text}; {afterwards(pool, executor)}", None


@scenario("P22-before", "SIGINT to the whole group, 8 keys; the program has set a handler before it starts the pool")
def handled_before(pool: str) -> Answer:
    return handled(pool, before=True)


@scenario("P22-after", "the same, with the handler set when the pool is started")
def handled_after(pool: str) -> Answer:
    return handled(pool, before=False)


def given(pool: str, argument: Any) -> Answer:
    """The fault in what all ten keys are given."""
    executor = make(pool, 2)
    warm_up(executor, 2)
    text, _ = lost(submit(executor, [(accept, argument)] * 10))
    return f"{text}; {afterwards(pool, executor)}", None


@scenario("P23-loading", "what all 10 keys are given raises ValueError when a worker unpickles it")
def unloadable(pool: str) -> Answer:
    return given(pool, Unloadable("raise"))


@scenario("P23-loading-one", "what key 4 alone is given raises it")
def one_unloadable(pool: str) -> Answer:
    executor = make(pool, 2)
    warm_up(executor, 2)
    text, _ = lost(submit(executor, ten_with((accept, Unloadable("raise")))))
    return f"{text}; {afterwards(pool, executor)}", None


@scenario("P23-loading-abort", "what all 10 keys are given calls `os.abort()` when a worker unpickles it")
def aborts_loading(pool: str) -> Answer:
    return given(pool, Unloadable("abort"))


@scenario("P23-encoding", "what all 10 keys are given raises ValueError when the program pickles it")
def unencodable(pool: str) -> Answer:
    return given(pool, Unsendable())


@scenario("P23-sending", "key 4's output raises ValueError when the worker pickles it")
def unsendable(pool: str) -> Answer:
    return one_of_ten(pool, "unsendable")


@scenario("P23-dropping", "key 4's output raises ValueError when the worker drops it")
def raises_dropping(pool: str) -> Answer:
    return one_of_ten(pool, "after raise")


@scenario("P24", "2 keys on two workers, each given the same 256 MiB")
def large_argument(pool: str) -> Answer:
    executor = make(pool, 2)
    warm_up(executor, 2)
    workers = worker_pids()
    argument = b"x" * (256 << 20)
    assert [future.result() for future in submit(executor, [(len, argument), (held, argument)])] == [256 << 20] * 2
    peak = memory("VmHWM", os.getpid())
    del argument
    time.sleep(0.5)
    kept = memory("VmRSS", os.getpid())
    peaks, keep = (max(memory(field, pid) for pid in workers) for field in ("VmHWM", "VmRSS"))
    parent = f"the parent peaks at {peak} MiB, its own 256 among them, and keeps {kept} when it has dropped these"
    return f"{parent}; a worker peaks at {peaks} MiB and keeps {keep}", None


def held(argument: bytes) -> int:
    """Not before the other worker has its own."""
    time.sleep(0.5)
    return len(argument)


def memory(field: str, pid: int) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


def forks_meanwhile(pool: str, uses: bool) -> Answer:
    """What becomes of the pool, and of a child, when the program forks while the pool lives."""
    executor = make(pool, 2)
    warm_up(executor, 2)
    child = os.fork()
    if child == 0:
        if uses:
            os._exit(0 if works(executor) else 1)
        sys.exit(0)
    end = time.monotonic() + 2
    status = None
    while status is None and time.monotonic() < end:
        ended, raw = os.waitpid(child, os.WNOHANG)
        status = os.waitstatus_to_exitcode(raw) if ended else None
        time.sleep(0.02)
    if status is None:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if uses:
        answers = {None: "the child hangs (killed after 2 s)", 0: "the child's key comes back"}
        text = answers.get(status, "the child's key fails")
    else:
        text = "the child hangs (killed after 2 s)" if status is None else f"the child ends with status {status}"
    more, _ = lost(submit(executor, [(nap, 0.01)] * 10))
    note(so_far=f"{text}; {more} in the program; shutdown()")
    executor.shutdown()
    return f"{text}; {more} in the program, and shutdown() ends", None


@scenario("P25-exits", "the program forks while the pool is idle, and the child calls `sys.exit(0)`")
def fork_exits(pool: str) -> Answer:
    return forks_meanwhile(pool, uses=False)


@scenario("P25-uses", "the program forks while the pool is idle, and the child gives the pool a key")
def fork_uses(pool: str) -> Answer:
    return forks_meanwhile(pool, uses=True)


@scenario("P26", "there is no /proc")
def without_proc(pool: str) -> Answer:
    try:
        hide_proc()
    except PermissionError:
        return NOT_HIDDEN, None
    text, _ = lost(submit(make(pool, 2), [(nap, 0.05)] * 10))
    return text, None


NOT_HIDDEN = "not tried: this user may not hide it"


def hide_proc() -> None:
    """Puts an empty folder in its place, for this process and its children."""
    clone_newns, ms_rec, ms_private = 0x20000, 0x4000, 1 << 18
    libc = ctypes.CDLL(None, use_errno=True)
    if (
        libc.unshare(clone_newns)
        or libc.mount(None, b"/", None, ms_rec | ms_private, None)
        or libc.mount(b"none", b"/proc", b"tmpfs", 0, None)
    ):
        raise PermissionError(ctypes.get_errno(), "/proc cannot be hidden")


@scenario("S1-unpicklable", "a key's output cannot be pickled (a lock)")
def unpicklable(pool: str) -> Answer:
    return one_of_ten(pool, "unpicklable")


@scenario("S2-unreadable", "a key's output is pickled, but cannot be unpickled")
def unreadable(pool: str) -> Answer:
    return one_of_ten(pool, "unreadable")


# The watchdog.


class Process(NamedTuple):
    pid: int
    state: str


def processes(session: int) -> list[Process]:
    """The processes of a session that are not dead yet."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] not in "ZX":
                found.append(Process(int(folder.name), fields[0]))
    return found


def kill_session(session: int) -> None:
    while left := processes(session):
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.02)


def perform(id: str, pool: str, limit: float) -> None:
    """Runs one scenario in this process, which is the watchdog's child and the leader of a session."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A shell that starts this in the background has SIGINT ignored, and Python then leaves it at that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Shortly before the watchdog loses patience, the threads say where they are.
    where = os.open(os.environ[NOTES_VARIABLE] + ".where", os.O_WRONLY | os.O_CREAT, 0o600)
    faulthandler.dump_traceback_later(max(limit - 1, limit / 2), file=where)
    answer = SCENARIOS[id].body(pool)
    note(outcome=answer[0], seconds=answer[1])


def watch(one: Scenario, pool: str, limit: float) -> dict[str, Any]:
    """Runs one scenario, bounded in time, and says what happened."""
    with tempfile.TemporaryDirectory() as folder:
        notes = os.path.join(folder, "notes")
        flags = ["--perform", one.id, "--pool", pool, "--limit", str(limit)]
        command = [sys.executable, os.path.abspath(__file__), *flags]
        # What changes how Python behaves is not to change what is measured.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        with open(os.path.join(folder, "stdout"), "wb") as stdout, open(os.path.join(folder, "stderr"), "wb") as stderr:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                env={**environment, NOTES_VARIABLE: notes},
            )
        try:
            told = after_signal(child, one, notes, limit) if one.signals else to_the_end(child, notes, limit)
        finally:
            kill_session(child.pid)
            child.wait()
        if "outcome" not in told:
            last = Path(folder, "stderr").read_text(errors="replace").strip().splitlines()[-1:]
            raise SystemExit(f"failures.py: {one.id} on {pool} did not work: {told} {last}")
        return {"id": one.id, "scenario": one.text, "pool": pool, **told, "versions": versions()}


def to_the_end(child: subprocess.Popen[bytes], notes: str, limit: float) -> dict[str, Any]:
    try:
        child.wait(limit)
        ended = True
    except subprocess.TimeoutExpired:
        ended = False
    told: dict[str, Any] = {}
    read = read_notes(notes)
    for entry in read:
        if "outcome" in entry:
            told.update(outcome=entry["outcome"], seconds=entry["seconds"])
        if "read" in entry:
            told["evidence"] = f"killed when the parent had read {entry['read']} of {entry['of']} bytes"
    if ended:
        return {**told, "hangs": False}
    hangs = f"hangs (killed after {limit:g} s)"
    if "outcome" in told:
        told["outcome"] += f"; the program {hangs} at its end"
    else:
        so_far = [entry["so_far"] for entry in read if "so_far" in entry]
        told["outcome"] = f"{so_far[-1]} {hangs}" if so_far else hangs
        told["seconds"] = None
    return {**told, "hangs": True, "where": innermost(Path(notes + ".where").read_text())}


def innermost(traceback: str) -> list[str]:
    """The innermost frame of every thread, without this machine's folders."""
    frames = re.findall(r'most recent call first\):\n  File "(.+?)", line (\d+) in (\S+)', traceback)
    return [f"{'/'.join(Path(file).parts[-2:])}:{line} in {function}" for file, line, function in frames]


def after_signal(child: subprocess.Popen[bytes], one: Scenario, notes: str, limit: float) -> dict[str, Any]:
    """Sends the scenario's signal when it is ready, and watches how long parent and workers are there."""
    assert one.signals
    number, whom = one.signals
    begin = time.monotonic()
    while not (ready := [entry["ready"] for entry in read_notes(notes) if "ready" in entry]):
        if child.poll() is not None or time.monotonic() - begin > limit:
            return {}
        time.sleep(0.02)
    workers = set(ready[0])
    sent = time.monotonic()
    os.kill(child.pid, number) if whom == "parent" else os.killpg(child.pid, number)
    parent_gone = workers_gone = after_two = None
    while (elapsed := time.monotonic() - sent) < limit and None in (parent_gone, workers_gone):
        left = {process.pid for process in processes(child.pid)}
        if parent_gone is None and child.poll() is not None:
            parent_gone = elapsed
        if after_two is None and elapsed >= 2:
            after_two = len(workers & left)
        if workers_gone is None and not workers & left:
            workers_gone = elapsed
        time.sleep(0.02)
    total = len(workers)
    if workers_gone is not None and workers_gone < 2:
        text = f"all {total} workers are gone after {workers_gone:.1f} s"
    else:
        then = "still there" if workers_gone is None else f"gone after {workers_gone:.1f} s"
        at_end = f"{then} after {limit:g} s (then killed)" if workers_gone is None else then
        text = f"{after_two} of {total} workers are there after 2 s, {at_end}"
    if number != signal.SIGKILL:
        status = child.returncode
        ends = f"by {signal.Signals(-status).name}" if status is not None and status < 0 else f"with status {status}"
        parent = "the parent hangs" if parent_gone is None else f"the parent ends {ends} after {parent_gone:.1f} s"
        text = f"{parent}; {text}"
    return {"outcome": text, "seconds": workers_gone, "hangs": parent_gone is None}


# The same faults in fanout's pool, by its program: `--fault KEY:KIND` makes a key do what `strike` does above. Scenarios
# that no flag can make, such as a death between two batches, are left to its tests, which have the same numbers.


@dataclass(frozen=True)
class Fault:
    """What a scenario is on fanout's command line. The seconds of its answer are the whole batch's, or from the signal
    until the workers are gone."""

    flags: str
    # A signal to `whom`, once the workers are busy. SIGSTOP is followed by SIGCONT two seconds later.
    signal: Optional[signal.Signals] = None
    whom: str = ""
    # What the program's process does before it becomes that program.
    before: Callable[[], None] = lambda: None


# Keys of half a second each, ten on two workers, unless a scenario says otherwise.
WAIT = "--workload wait --keys 10 --count 500000"
FILL = "--keys 10 --count 1000"

FAULTS: dict[str, Fault] = {
    "P1": Fault("--keys 10 --count 1000000 --fault 0:kill-sending"),
    "P2-computing": Fault(f"{FILL} --fault 4:kill"),
    "P2-pending": Fault("--keys 100 --count 1000 --fault 50:kill"),
    "P3-segv": Fault(f"{FILL} --fault 4:segv"),
    "P3-abort": Fault(f"{FILL} --fault 4:abort"),
    "P3-recursion": Fault(f"{FILL} --fault 4:stack-overflow"),
    "P3-exit-0": Fault(f"{FILL} --fault 4:exit0"),
    "P3-exit-42": Fault(f"{FILL} --fault 4:exit42"),
    "P3-close-all": Fault(f"{FILL} --fault 4:close-all"),
    "P4": Fault(WAIT, signal.SIGKILL, "workers"),
    "P5": Fault(f"{FILL} --deadline 1 --fault 4:stop"),
    "P7": Fault(f"{FILL} --fault 4:print"),
    "P8-busy": Fault(WAIT, signal.SIGKILL, "parent"),
    "P10-int": Fault(WAIT, signal.SIGINT, "group"),
    "P10-term": Fault(WAIT, signal.SIGTERM, "parent"),
    "P16": Fault("--workload wait --keys 2 --count 500000 --workers 8"),
    "P17-small": Fault("--keys 10 --count 125 --digest --fault 4:fork"),
    "P17-large": Fault("--keys 10 --count 1000000 --digest --fault 4:fork"),
    "P18-kill": Fault(f"{FILL} --digest --fault 4:die-after"),
    "P18-stop": Fault(f"{FILL} --digest --deadline 1 --fault 4:stop-after"),
    "P18-child": Fault(f"{FILL} --digest --fault 4:child-writes"),
    # Ten keys of a tenth of a second each: two are at work when the program is stopped.
    "P19": Fault(
        "--keys 10 --count 400000 --deadline 1 " + " ".join(f"--fault {key}:slow" for key in range(10)),
        signal.SIGSTOP,
        "parent",
    ),
    "P21-stopped": Fault(f"{FILL} --fault 0:stop --fault 1:stop", signal.SIGKILL, "parent"),
    "P21-children": Fault(f"{FILL} --fault 4:kill-leaving-child"),
    "P23-loading": Fault(f"{FILL} --fault 4:panic-loading"),
    "P23-loading-abort": Fault(f"{FILL} --fault 4:abort-loading"),
    "P23-encoding": Fault(f"{FILL} --fault 4:panic-encoding"),
    "P23-sending": Fault(f"{FILL} --fault 4:panic-sending"),
    "P23-dropping": Fault(f"{FILL} --digest --fault 4:panic-dropping"),
    "P26": Fault(FILL, before=hide_proc),
}


def build_fanout() -> Path:
    """The pool's program, as cargo says where it is."""
    command = "cargo build --release --locked --package process-pool --message-format json-render-diagnostics".split()
    root = Path(__file__).resolve().parents[2]
    messages = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    executables = [json.loads(message).get("executable") for message in messages]
    return next(Path(executable) for executable in executables if executable)


def watch_fanout(one: Scenario, program: Path, limit: float) -> dict[str, Any]:
    """Runs a scenario on fanout's pool, bounded in time, and says what happened."""
    fault = FAULTS[one.id]
    told: dict[str, Any] = {"hangs": False, "seconds": None}

    def prepare() -> None:
        # A shell that starts this in the background has SIGINT ignored, and children inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        fault.before()

    try:
        child = subprocess.Popen(
            fanouts_command(program, fault.flags),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=prepare,
        )
    except subprocess.SubprocessError:
        return {**identity(one), **told, "outcome": NOT_HIDDEN}
    try:
        if fault.signal or one.id == "P16":
            # A worker's own worker threads are no processes: what is there beside the parent are workers.
            wanted = 1 if one.id == "P16" else 2
            begin = time.monotonic()
            while len(processes(child.pid)) < 1 + wanted and time.monotonic() - begin < limit:
                time.sleep(0.01)
            time.sleep(0.2)
        if one.id == "P16":
            told["outcome"] = f"{len(processes(child.pid)) - 1} processes are started"
        elif fault.signal == signal.SIGSTOP:
            child.send_signal(signal.SIGSTOP)
            time.sleep(2)
            child.send_signal(signal.SIGCONT)
        elif fault.signal and fault.whom != "workers":
            return {**identity(one), **told, **after_fanouts_signal(child, fault)}
        elif fault.signal:
            for process in processes(child.pid):
                if process.pid != child.pid:
                    os.kill(process.pid, fault.signal)
        stdout, stderr = child.communicate(timeout=limit)
        if child.returncode and not stdout:
            # It refuses the job.
            return {**identity(one), **told, "outcome": stderr.strip()}
        report = json.loads(stdout)
        told.setdefault("outcome", fanouts_answer(one, report, stderr))
        if report["digest"]:
            sound = fanouts_command(program, re.sub("--fault [^ ]*", "", fault.flags))
            expected = json.loads(subprocess.run(sound, stdout=subprocess.PIPE, check=True).stdout)["digest"]
            told["outcome"] += ", all bits right" if report["digest"] == expected else ", with wrong bits"
        if one.id == "P21-children":
            time.sleep(1)
            told["outcome"] += f"; `sleep` {'lives on' if processes(child.pid) else 'is gone'}"
        if not fault.signal and one.id not in ("P7", "P16"):
            told["seconds"] = sum(report["run_ns"]) / 1e9
    except subprocess.TimeoutExpired:
        told.update(outcome=f"hangs (killed after {limit:g} s)", hangs=True)
    finally:
        kill_session(child.pid)
        child.wait()
    return {**identity(one), **told}


def fanouts_command(program: Path, flags: str) -> list[str]:
    workers = [] if "--workers" in flags else ["--workers", "2"]
    return [str(program), *flags.split(), *workers, "--format", "json"]


def identity(one: Scenario) -> dict[str, Any]:
    return {"id": one.id, "scenario": one.text, "pool": FANOUT, "versions": versions()}


def fanouts_answer(one: Scenario, report: dict[str, Any], stderr: str) -> str:
    if one.id == "P7":
        where = "at once" if "printed in key 4" in stderr else "nowhere"
        return f"on the program's stderr, {where}; its stdout is the JSON alone"
    failed = report["failed"]
    text = f"{report['keys'] - len(failed)} of {report['keys']} keys come back"
    keys: dict[str, list[str]] = {}
    for failure in failed:
        # Not the process's number, which differs from run to run.
        keys.setdefault(re.sub(r"process \d+", "process", failure["reason"]), []).append(str(failure["key"]))
    told = [(f"key {names[0]}" if len(names) == 1 else f"{len(names)} keys", reason) for reason, names in keys.items()]
    return text + "".join(f", {who}: {reason}" for who, reason in told)


def after_fanouts_signal(child: subprocess.Popen[str], fault: Fault) -> dict[str, Any]:
    assert fault.signal
    workers = {process.pid for process in processes(child.pid)} - {child.pid}
    sent = time.monotonic()
    os.kill(child.pid, fault.signal) if fault.whom == "parent" else os.killpg(child.pid, fault.signal)
    while workers & {process.pid for process in processes(child.pid)} and time.monotonic() - sent < 2:
        time.sleep(0.005)
    seconds = time.monotonic() - sent
    left = len(workers & {process.pid for process in processes(child.pid)})
    text = f"{left} of {len(workers)} workers are there after 2 s" if left else f"all {len(workers)} workers are gone"
    if fault.signal != signal.SIGKILL:
        text = f"the parent ends by {signal.Signals(-child.wait()).name}; {text}"
    return {"outcome": text, "seconds": None if left else seconds}


# The report.


def versions() -> dict[str, str]:
    found = {platform.python_implementation(): platform.python_version()}
    for package in ("loky", "cloudpickle"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    release = ".".join(platform.release().split(".")[:2])
    start = multiprocessing.get_start_method()
    return {**found, platform.system(): f"{release} {platform.machine()}", "start method": start}


def cell(record: dict[str, Any]) -> str:
    seconds, outcome = record.get("seconds"), str(record["outcome"]).replace("|", "\\|")
    if seconds is None:
        return outcome
    return f"{outcome} ({seconds * 1000:.0f} ms)" if seconds < 1 else f"{outcome} ({seconds:.2f} s)"


def markdown(records: list[dict[str, Any]]) -> str:
    """A row for every scenario, a column for every pool, in the order of their first appearance."""
    pools = list(dict.fromkeys(record["pool"] for record in records))
    rows = dict.fromkeys((record["id"] for record in records), "")
    texts = {record["id"]: record["scenario"] for record in reversed(records)}
    cells = {(record["id"], record["pool"]): cell(record) for record in records}
    lines = ["| # | scenario | " + " | ".join(pools) + " |", "|---|---|" + "---|" * len(pools)]
    for id in rows:
        columns = [cells.get((id, pool), "") for pool in pools]
        lines.append(f"| {id} | {texts[id]} | " + " | ".join(columns) + " |")
    ran = ", ".join(f"{name} {version}" for name, version in records[0]["versions"].items())
    return "\n".join(["Made by `python bench/notebook/failures.py`: " + ran + ".", "", *lines])


def matches(id: str, name: str) -> bool:
    return id == name or id.startswith(f"{name}-")


def main() -> None:
    parser = argparse.ArgumentParser(description="What becomes of Python's process pools when something fails.")
    parser.add_argument("--format", choices=["markdown", "json"], default="markdown")
    parser.add_argument("--only", metavar="ID,…", help="these scenarios alone; P2 is all of P2-…")
    parser.add_argument("--pool", choices=POOLS, help="this pool alone")
    parser.add_argument("--no-fanout", action="store_true", help="without fanout's pool, which cargo builds")
    parser.add_argument("--limit", type=float, default=10, metavar="SECONDS", help="what takes longer hangs [10]")
    parser.add_argument("--add", type=Path, action="append", default=[], metavar="FILE", help="more columns")
    parser.add_argument("--perform", choices=list(SCENARIOS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.perform:
        return perform(given.perform, given.pool, given.limit)
    if platform.system() != "Linux":
        parser.error("the scenarios need Linux")
    fanout = None if given.no_fanout or given.pool else build_fanout()
    chosen = [id for id in SCENARIOS if not given.only or any(matches(id, name) for name in given.only.split(","))]
    if unknown := [name for name in (given.only or "P1").split(",") if not any(matches(id, name) for id in SCENARIOS)]:
        parser.error(f"no such scenario: {unknown[0]}; there are {', '.join(SCENARIOS)}")
    pools = [given.pool] if given.pool else list(POOLS)
    if "loky" in pools and "loky" not in versions():
        print("failures.py: loky is not installed: its column is left out", file=sys.stderr)
        pools.remove("loky")
    records = []
    for one in (SCENARIOS[id] for id in chosen):
        for pool in pools:
            print(f"{one.id} on {pool}: {one.text}", file=sys.stderr)
            records.append(watch(one, pool, given.limit))
            if given.format == "json":
                print(json.dumps(records[-1]), flush=True)
        if fanout and one.id in FAULTS:
            records.append(watch_fanout(one, fanout, given.limit))
            if given.format == "json":
                print(json.dumps(records[-1]), flush=True)
    if given.format == "markdown":
        for file in given.add:
            records += [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
        print(markdown(records))


if __name__ == "__main__":
    main()
