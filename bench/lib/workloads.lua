-- The workloads that every peer runs. `n` is their size, and `on` names the
-- peers that have the workload where not all do.

local function set(names)
  local made = {}
  for name in names:gmatch("%S+") do
    made[name] = true
  end
  return made
end

return {
  {name = "spawn", n = 200000, reps = 5, title = "tasks made, run and gathered"},
  {name = "eager", n = 200000, reps = 5, on = set "asyncio node",
    title = "the same, where a task may run to its end while it is made"},
  {name = "group", n = 100000, reps = 5, on = set "asyncio cpython uvloop trio",
    title = "tasks of one group, made, run and awaited at its end"},
  {name = "switch", n = 1000000, reps = 5, title = "switches among 100 tasks by sleep(0)"},
  {name = "handover", n = 300000, reps = 5,
    title = "hand-overs between two tasks, each by a new future"},
  {name = "waitfor", n = 200000, reps = 5,
    title = "wait_for(sleep(0), 10), one after the other"},
  {name = "waitfuture", n = 200000, reps = 5, on = set "asyncio cpython uvloop luv cqueues",
    title = "wait_for(future, 10), of a future set in the next turn"},
  {name = "timeout", n = 200000, reps = 5, on = set "asyncio cpython uvloop trio",
    title = "scopes of timeout(10) around sleep(0)"},
  {name = "queue", n = 300000, reps = 5,
    title = "round trips between two tasks, over two queues of capacity 1"},
  {name = "lock", n = 1000000, reps = 5, on = set "asyncio cpython uvloop",
    title = "a lock that is free, taken and released"},
  {name = "contended", n = 1000000, reps = 5, on = set "asyncio cpython uvloop",
    title = "a lock that goes round among 1000 tasks"},
  {name = "crossing", n = 72000, reps = 5, on = set "asyncio cpython",
    title = "records copied as to another Lua state, or by pickle: 10 MB when packed"},
  {name = "cancel", n = 100000, reps = 5, title = "sleepers cancelled and awaited"},
  {name = "tothread", n = 20000, reps = 5, on = set "asyncio cpython uvloop",
    title = "to_thread of an empty function, one after the other"},
  {name = "executor", n = 20000, reps = 5, on = set "asyncio cpython uvloop",
    title = "empty jobs for two threads, all at once"},
  {name = "processes", n = 2000, reps = 5, on = set "asyncio cpython uvloop",
    title = "empty jobs for two processes, one after the other"},
  {name = "onejob", n = 20000000, reps = 5, on = set "asyncio",
    title = "a job that computes"},
  {name = "twojobs", n = 20000000, reps = 5, on = set "asyncio",
    title = "two of them at once"},
  {name = "ticks", n = 20000000, reps = 5, on = set "asyncio",
    title = "the 99th percentile of a sleep of 1 ms meanwhile"},
  {name = "sleepers100k", program = "sleepers", n = 100000, reps = 3, over = 1,
    title = "tasks that sleep 1 s: the time over that second"},
  {name = "sleepers1m", program = "sleepers", n = 1000000, reps = 1, over = 1, long = true,
    title = "tasks that sleep 1 s: the time over that second"},
}
