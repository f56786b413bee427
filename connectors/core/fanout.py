"""Several requests in flight over a lazy stream of work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def fan_out(work: Callable[[T], R], items: Iterable[T], in_flight: int) -> Iterator[R]:
    """Yields `work(item)` as answers arrive, at most `in_flight` at once, pulling items only when there is room.

    Items are pulled in the calling thread. After the first exception (of `work` or of `items`) no further item is
    pulled; answers already under way are still yielded, because what was sent must be accounted for; then the
    exception is raised.
    """
    stream = iter(items)
    pending: set[Future[R]] = set()
    failure: BaseException | None = None
    exhausted = False
    with ThreadPoolExecutor(max_workers=in_flight, thread_name_prefix="fan-out") as pool:
        while pending or not (exhausted or failure):
            full = exhausted or failure is not None or len(pending) >= in_flight
            # Answers go out before the next item is pulled: that may take long, and they take memory.
            done, pending = wait(pending, timeout=None if full else 0, return_when=FIRST_COMPLETED)
            for future in done:
                error = future.exception()
                if error is None:
                    yield future.result()
                else:
                    failure = failure or error
            if exhausted or failure is not None or len(pending) >= in_flight:
                continue
            try:
                pending.add(pool.submit(work, next(stream)))
            except StopIteration:
                exhausted = True
            except Exception as e:  # noqa: BLE001 - raised below, once what is in flight has come back
                failure = e
    if failure is not None:
        raise failure


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items, the last one shorter."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def in_order(
    work: Callable[[int], R], first: int, is_last: Callable[[R], bool], width: Callable[[], int], most: int
) -> Iterator[R]:
    """Yields `work(first)`, `work(first + 1)` … in this order, up to the first answer that `is_last`.

    At most `width()` of them are unanswered at a time and `most` kept, unanswered or waiting for their turn. With a
    width of 1 nothing beyond the last one is ever asked for, and the next is under way while the caller deals with
    its predecessor. What was asked for beyond the last one is left to itself.
    """
    pending: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(max_workers=most, thread_name_prefix="in-order")
    number, ended = first, False

    def ask_for_more() -> None:
        nonlocal number
        while len(pending) < most:
            answered = [future for future in pending if future.done()]
            enough = len(pending) - len(answered) >= width()
            if enough or any(future.exception() or is_last(future.result()) for future in answered):
                return
            pending.append(pool.submit(work, number))
            number += 1

    try:
        while not ended:
            ask_for_more()
            if not pending[0].done():
                wait([future for future in pending if not future.done()], return_when=FIRST_COMPLETED)
                continue
            found = pending.popleft().result()
            ended = is_last(found)
            if not ended:
                ask_for_more()
            yield found
    finally:
        pool.shutdown(wait=not ended, cancel_futures=True)


def ahead(items: Iterable[T], depth: int, leaving: Callable[[], None] = lambda: None) -> Generator[T, None, None]:
    """Yields the items while a thread fetches up to `depth` further ones; it calls `leaving` before it ends.

    What fetching raises is raised here, after the items before it. Closing the generator ends the thread after the
    item it is at.
    """
    fetched: Queue[tuple[T | None, BaseException | None, bool]] = Queue(maxsize=depth)
    closing = Event()

    def put(entry: tuple[T | None, BaseException | None, bool]) -> None:
        while not closing.is_set():
            try:
                fetched.put(entry, timeout=0.2)
            except Full:
                continue
            return

    def fetch() -> None:
        try:
            for item in items:
                put((item, None, False))
                if closing.is_set():
                    break
            put((None, None, True))
        except BaseException as e:  # noqa: BLE001 - raised in the thread that asked
            put((None, e, True))
        finally:
            leaving()

    thread = Thread(target=fetch, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error, ended = fetched.get()
            if error is not None:
                raise error
            if ended:
                return
            yield item  # type: ignore[misc]
    finally:
        closing.set()
        thread.join()
