// The workloads on Node's promises.
//
// node.js WORKLOAD N

"use strict";

const { readFileSync } = require("node:fs");
const { performance } = require("node:perf_hooks");

function statusKib(key) {
  try {
    const status = readFileSync("/proc/self/status", "utf8");
    return Number(new RegExp(key + ":\\s+(\\d+)").exec(status)[1]);
  } catch {
    return 0;
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function timed(run) {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

function times(n, make) {
  const made = new Array(n);
  for (let i = 0; i < n; i++) made[i] = make(i);
  return made;
}

// An async function runs at once up to its first await; this one lets all of
// them exist before the first goes on, as a task does elsewhere.
async function job(i) {
  await null;
  return i;
}

async function eagerJob(i) {
  return i;
}

async function switcher(turns) {
  for (let i = 0; i < turns; i++) await turn();
}

function future() {
  const f = {};
  f.promise = new Promise((resolve) => {
    f.resolve = resolve;
  });
  return f;
}

function handover(n) {
  const slots = [future(), future()];
  async function player(mine, other) {
    for (let i = 0; i < n / 2; i++) {
      await slots[mine].promise;
      slots[mine] = future();
      slots[other].resolve();
    }
  }
  return timed(() => {
    const players = [player(0, 1), player(1, 0)];
    slots[0].resolve();
    return Promise.all(players);
  });
}

// A bounded queue: arrays of items and of those who wait.
class Queue {
  constructor(size) {
    this.size = size;
    this.items = [];
    this.getters = [];
    this.putters = [];
  }

  async put(value) {
    while (this.items.length >= this.size)
      await new Promise((resolve) => this.putters.push(resolve));
    this.items.push(value);
    if (this.getters.length > 0) this.getters.shift()();
  }

  async get() {
    while (this.items.length === 0)
      await new Promise((resolve) => this.getters.push(resolve));
    const value = this.items.shift();
    if (this.putters.length > 0) this.putters.shift()();
    return value;
  }
}

function queue(n) {
  const [there, back] = [new Queue(1), new Queue(1)];
  async function echo() {
    for (let i = 0; i < n; i++) await back.put(await there.get());
  }
  return timed(async () => {
    const echoing = echo();
    for (let i = 0; i < n; i++) {
      await there.put(i);
      await back.get();
    }
    await echoing;
  });
}

function waitFor(promise, ms) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("timeout")), ms);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

function cancellableSleep(ms) {
  const sleeper = {};
  sleeper.promise = new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    sleeper.cancel = () => {
      clearTimeout(timer);
      reject(new Error("cancelled"));
    };
  });
  return sleeper;
}

async function cancel(n) {
  const sleepers = times(n, () => cancellableSleep(1e6));
  const tasks = sleepers.map(async (sleeper) => sleeper.promise);
  await turn();
  return timed(() => {
    for (const sleeper of sleepers) sleeper.cancel();
    return Promise.allSettled(tasks);
  });
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function waitfor(n) {
  for (let i = 0; i < n; i++) await waitFor(turn(), 10000);
}

const workloads = {
  spawn: (n) => timed(() => Promise.all(times(n, job))),
  eager: (n) => timed(() => Promise.all(times(n, eagerJob))),
  switch: (n) =>
    timed(() => Promise.all(times(100, () => switcher(n / 100)))),
  sleepers: (n) =>
    timed(() => Promise.all(times(n, async () => sleep(1000)))),
  handover,
  waitfor: (n) => timed(() => waitfor(n)),
  queue,
  cancel,
};

async function main() {
  const [workload, n] = [process.argv[2], Number(process.argv[3])];
  const base = statusKib("VmRSS");
  const seconds = await workloads[workload](n);
  console.log(
    `seconds=${seconds.toFixed(6)} base_kib=${base}` +
      ` rss_kib=${statusKib("VmRSS")} peak_kib=${statusKib("VmHWM")}`,
  );
}

main();
