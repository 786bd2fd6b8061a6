"""The workloads on trio.

trio_peer.py WORKLOAD N
"""

import sys
from time import perf_counter

import trio

from process import report, rss_kib


async def spawn(n):
    results = [None] * n

    async def job(i):
        results[i] = i

    start = perf_counter()
    async with trio.open_nursery() as nursery:
        for i in range(n):
            nursery.start_soon(job, i)
    return perf_counter() - start


async def switch(n):
    checkpoint = trio.lowlevel.checkpoint

    async def switcher():
        for _ in range(n // 100):
            await checkpoint()

    start = perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(switcher)
    return perf_counter() - start


async def sleepers(n):
    start = perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(n):
            nursery.start_soon(trio.sleep, 1)
    return perf_counter() - start


async def handover(n):
    slots = [trio.Event(), trio.Event()]

    async def player(mine, other):
        for _ in range(n // 2):
            await slots[mine].wait()
            slots[mine] = trio.Event()
            slots[other].set()

    start = perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(player, 0, 1)
        nursery.start_soon(player, 1, 0)
        slots[0].set()
    return perf_counter() - start


async def waitfor(n):
    checkpoint, fail_after = trio.lowlevel.checkpoint, trio.fail_after
    start = perf_counter()
    for _ in range(n):
        with fail_after(10):
            await checkpoint()
    return perf_counter() - start


async def queue(n):
    to_echo, there = trio.open_memory_channel(1)
    to_main, back = trio.open_memory_channel(1)

    async def echo():
        for _ in range(n):
            await to_main.send(await there.receive())

    start = perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(echo)
        for i in range(n):
            await to_echo.send(i)
            await back.receive()
    return perf_counter() - start


async def cancel(n):
    async with trio.open_nursery() as nursery:
        for _ in range(n):
            nursery.start_soon(trio.sleep, 1000)
        await trio.lowlevel.checkpoint()
        start = perf_counter()
        nursery.cancel_scope.cancel()
    return perf_counter() - start


WORKLOADS = {f.__name__: f for f in (
    spawn, switch, sleepers, handover, waitfor, queue, cancel)}
WORKLOADS["group"] = spawn
WORKLOADS["timeout"] = waitfor


def main():
    workload, n = sys.argv[1], int(sys.argv[2])
    base = rss_kib()
    report(trio.run(WORKLOADS[workload], n), base)


main()
