"""Work shared out over processes, which are spawned: a fork would copy the locks of whatever threads the caller has.

OpenCV, torch and ONNX Runtime all have such threads, and a copy of theirs waits for ever.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

from lite_vton.errors import UserError

__all__ = ["spawned", "worker_pool"]

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


def spawned(work: Callable[[_Job], _Result], jobs: Sequence[_Job], workers: int) -> Iterator[_Result]:
    """What `work` makes of each job, in the order in which they are done; with one worker, here and in their order.

    `work` and its jobs must be picklable. Ending the iterator early leaves jobs undone and no process behind. Raises as
    `worker_pool`.
    """
    if workers == 1:
        yield from map(work, jobs)
        return
    with worker_pool(workers) as pool:
        futures = [pool.submit(work, job) for job in jobs]
        for future in as_completed(futures):
            yield future.result()


@contextmanager
def worker_pool(workers: int) -> Iterator[Executor]:
    """`workers` processes for picklable work, of one OpenCV thread each. Work not begun at the end is left undone.

    `UserError` where one of them ends before its work does: the system kills a process that asks for too much memory.
    """
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise UserError(
            f"one of {workers} worker processes was killed, most often because memory ran out: "
            "close other programs or use fewer workers, and give the same command again"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    import cv2

    cv2.setNumThreads(1)
    # Ctrl-C reaches all processes; the caller ends these, after the job in hand.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A pool's processes outlive a parent that is killed, and wait for ever.
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
