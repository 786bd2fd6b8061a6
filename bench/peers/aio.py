"""The workloads on CPython's asyncio and on uvloop.

aio.py asyncio|uvloop WORKLOAD N
"""

import asyncio
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from time import perf_counter

from process import report, rss_kib


async def job(i):
    return i


async def spawn(n):
    start = perf_counter()
    await asyncio.gather(*[job(i) for i in range(n)])
    return perf_counter() - start


async def group(n):
    start = perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for i in range(n):
            tasks.create_task(job(i))
    return perf_counter() - start


async def switcher(turns):
    sleep = asyncio.sleep
    for _ in range(turns):
        await sleep(0)


async def switch(n):
    start = perf_counter()
    await asyncio.gather(*[switcher(n // 100) for _ in range(100)])
    return perf_counter() - start


async def sleepers(n):
    start = perf_counter()
    await asyncio.gather(*[asyncio.sleep(1) for _ in range(n)])
    return perf_counter() - start


async def handover(n):
    create_future = asyncio.get_running_loop().create_future
    slots = [create_future(), create_future()]

    async def player(mine, other):
        for _ in range(n // 2):
            await slots[mine]
            slots[mine] = create_future()
            slots[other].set_result(None)

    start = perf_counter()
    players = asyncio.gather(player(0, 1), player(1, 0))
    slots[0].set_result(None)
    await players
    return perf_counter() - start


async def waitfor(n):
    sleep, wait_for = asyncio.sleep, asyncio.wait_for
    start = perf_counter()
    for _ in range(n):
        await wait_for(sleep(0), 10)
    return perf_counter() - start


async def waitfuture(n):
    loop, wait_for = asyncio.get_running_loop(), asyncio.wait_for
    start = perf_counter()
    for i in range(n):
        future = loop.create_future()
        loop.call_soon(future.set_result, i)
        await wait_for(future, 10)
    return perf_counter() - start


async def timeout(n):
    sleep, timeout = asyncio.sleep, asyncio.timeout
    start = perf_counter()
    for _ in range(n):
        async with timeout(10):
            await sleep(0)
    return perf_counter() - start


async def queue(n):
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def echo():
        for _ in range(n):
            await back.put(await there.get())

    start = perf_counter()
    task = asyncio.get_running_loop().create_task(echo())
    for i in range(n):
        await there.put(i)
        await back.get()
    await task
    return perf_counter() - start


async def crossing(n):
    data = [{
        "id": i, "name": f"user{i}", "active": True, "score": i / 2,
        "tags": ["red", "green", "blue"],
        "place": {"x": i, "y": 2 * i, "z": [1, 2, 3]},
    } for i in range(1, n + 1)]
    start = perf_counter()
    pickle.loads(pickle.dumps(data, pickle.HIGHEST_PROTOCOL))
    return perf_counter() - start


async def lock(n):
    lock = asyncio.Lock()
    start = perf_counter()
    for _ in range(n):
        await lock.acquire()
        lock.release()
    return perf_counter() - start


async def contended(n):
    lock = asyncio.Lock()

    async def worker(rounds):
        for _ in range(rounds):
            await lock.acquire()
            lock.release()

    await lock.acquire()
    create_task = asyncio.get_running_loop().create_task
    tasks = [create_task(worker(n // 1000)) for _ in range(1000)]
    await asyncio.sleep(0)
    start = perf_counter()
    lock.release()
    await asyncio.gather(*tasks)
    return perf_counter() - start


async def cancel(n):
    create_task = asyncio.get_running_loop().create_task
    tasks = [create_task(asyncio.sleep(1000)) for _ in range(n)]
    await asyncio.sleep(0)
    start = perf_counter()
    for task in tasks:
        task.cancel()
    for task in tasks:  # faster than gather and wait
        try:
            await task
        except asyncio.CancelledError:
            pass
    return perf_counter() - start


def nothing():
    pass


async def tothread(n):
    await asyncio.to_thread(nothing)
    start = perf_counter()
    for _ in range(n):
        await asyncio.to_thread(nothing)
    return perf_counter() - start


async def executor(n):
    run = asyncio.get_running_loop().run_in_executor
    with ThreadPoolExecutor(2) as pool:
        await asyncio.gather(run(pool, nothing), run(pool, nothing))
        start = perf_counter()
        await asyncio.gather(*[run(pool, nothing) for _ in range(n)])
        return perf_counter() - start


async def processes(n):
    run = asyncio.get_running_loop().run_in_executor
    with ProcessPoolExecutor(2) as pool:
        await run(pool, nothing)
        start = perf_counter()
        for _ in range(n):
            await run(pool, nothing)
        return perf_counter() - start


WORKLOADS = {f.__name__: f for f in (
    spawn, group, switch, sleepers, handover, waitfor, waitfuture, timeout,
    queue, crossing, lock, contended, cancel, tothread, executor, processes)}


def main():
    loop, workload, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if loop == "uvloop":
        import uvloop
        uvloop.install()
    base = rss_kib()
    report(asyncio.run(WORKLOADS[workload](n)), base)


main()
