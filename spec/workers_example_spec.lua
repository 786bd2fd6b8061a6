-- examples/workers.lua, as a program.

local program = require "spec.program"

local NAME <const> = "workers.lua"
local QUEUE_SIZE <const> = 8

-- A program in which every job is one that it did not expect.
local BROKEN <const> = [[
package.path = "examples/?.lua;" .. package.path
require "workers.jobs".attempt = function()
  error "a mistake"
end
]]

local function run(...)
  local text <const>, status <const> = program.run(NAME, { ... })
  return text, status
end

-- What happens in a line: a pattern, which captures the worker and the job, and
-- what that does to the books.
local EVENTS <const> = {
  {
    "^(worker %d+) begins job (%d+): [%l ]+$",
    function(book, worker, job)
      assert.is_nil(book.stopping)
      assert.is_nil(book.job_of[worker])
      assert.is_nil(book.ends[job])
      book.job_of[worker], book.ends[job], book.tries[job] = job, "begun", 1
      book.begun = book.begun + 1
    end,
  },
  {
    "^(worker %d+) tries job (%d+) again: [%l ]+$",
    function(book, worker, job)
      assert.equal(job, book.job_of[worker])
      book.tries[job] = book.tries[job] + 1
    end,
  },
  {
    "^(worker %d+) has done job (%d+)$",
    function(book, worker, job)
      assert.equal(job, book.job_of[worker])
      book.job_of[worker], book.ends[job] = nil, "done"
      book.done = book.done + 1
    end,
  },
  {
    "^(worker %d+) gives up job (%d+): [%l ]+$",
    function(book, worker, job)
      assert.equal(job, book.job_of[worker])
      assert.equal(3, book.tries[job])
      book.job_of[worker], book.ends[job] = nil, "failed"
      book.failed = book.failed + 1
    end,
  },
  {
    "^stopping: ",
    function(book)
      assert.is_nil(book.stopping)
      book.stopping = true
    end,
  },
  {
    "^interrupted$",
    function(book)
      book.interrupted = true
    end,
  },
  {
    "^(%d+) jobs?: (%d+ done, %d+ failed), (%d+) left$",
    function(book, made, over, left)
      assert.equal(("%d done, %d failed"):format(book.done, book.failed), over)
      book.made, book.left = tonumber(made), tonumber(left)
      assert.equal(book.made, book.done + book.failed + book.left)
    end,
  },
  {
    "^%d+%.%d%d s of work in %d+%.%d%d s %(%d+%.%dx%)$",
    function(book)
      book.closed = true
    end,
  },
}

local function enter(book, line)
  for _, event in ipairs(EVENTS) do
    local first <const>, second <const>, third <const> = line:match(event[1])
    if first then
      return event[2](book, first, second, third)
    end
  end
  error("what is this line? " .. line)
end

-- Reads the lines of a run, each of which must make sense; returns the books.
local function audit(text, workers)
  local book <const> = { begun = 0, done = 0, failed = 0, job_of = {}, ends = {}, tries = {} }
  for line in text:gmatch "[^\n]+" do
    assert.is_nil(book.closed)
    enter(book, line)
    for worker in pairs(book.job_of) do
      assert.is_true(tonumber(worker:match "%d+") <= workers)
    end
  end
  assert.is_true(book.closed)
  assert.equal(book.interrupted, book.stopping)
  return book
end

describe("workers.lua", function()
  it("does all jobs", function()
    local text <const>, status <const> = run("--speed", "50")
    local book <const> = audit(text, 4)
    assert.is_nil(book.interrupted)
    assert.equal(40, book.made)
    assert.equal(40, book.begun)
    assert.equal(0, book.left)
    assert.equal(book.failed > 0 and 1 or 0, status)
  end)

  it("does the same work for the same seed, whoever does it", function()
    local one <const> = audit(run("--speed=200", "--workers=1", "--seed=7"), 1)
    local many <const> = audit(run("--speed=200", "--workers=100", "--seed=7"), 100)
    local other <const> = audit(run("--speed=200", "--workers=100", "--seed=8"), 100)
    assert.same({ one.ends, one.tries }, { many.ends, many.tries })
    assert.not_same({ one.ends, one.tries }, { other.ends, other.tries })
  end)

  it("succeeds where no job fails, or none is there", function()
    for _, jobs in ipairs { 0, 1 } do
      local text <const>, status <const> = run("--jobs", jobs, "--speed", "50", "--seed", "1")
      local book <const> = audit(text, 4)
      assert.same({ jobs, jobs, 0 }, { book.made, book.done, status })
    end
  end)

  it("finishes at Ctrl-C what was begun, and nothing else", function()
    local bank <close> = program.start(NAME, { "--jobs=1000000000", "--workers=3", "--speed=5" })
    bank:read_until "has done job"
    bank:interrupt()
    local text <const>, status <const> = bank:wait()
    local book <const> = audit(text, 3)
    assert.equal(130, status)
    assert.is_true(book.interrupted)
    assert.equal(book.begun, book.done + book.failed)
    -- the producer was held up by the queue: one more job was in its hands
    assert.is_true(book.left <= QUEUE_SIZE + 1)
  end)

  it("ends at once at a second Ctrl-C", function()
    local bank <close> = program.start(NAME, { "--workers=3", "--speed=0.001" })
    bank:read_until "worker 3 begins job"
    bank:interrupt()
    bank:read_until "^stopping"
    bank:interrupt()
    local text <const>, status <const> = bank:wait()
    local book <const> = audit(text, 3)
    assert.equal(130, status)
    assert.same({ 3, 0, 0 }, { book.begun, book.done, book.failed })
    assert.equal(3 + QUEUE_SIZE + 1, book.left)
  end)

  it("explains itself, and refuses what it does not understand", function()
    program.check_usage(NAME, {
      ["--workers takes an integer from 1 to 1000, not '0'"] = { "--workers", "0" },
      ["--workers takes an integer from 1 to 1000, not '1.5'"] = { "--workers=1.5" },
      ["--workers takes an integer from 1 to 1000, not ''"] = { "--workers=" },
      ["--jobs takes an integer from 0 to 1000000000, not '-1'"] = { "--jobs", "-1" },
      ["--speed takes a number from 0.001 to 100000, not 'nan'"] = { "--speed", "nan" },
      ["--speed takes a number from 0.001 to 100000, not 'inf'"] = { "--speed", "inf" },
      ["--seed takes a value"] = { "--jobs", "5", "--seed" },
      ["there is no option '--lazy'"] = { "--lazy" },
      ["there is no option '--lazy=5'"] = { "--lazy=5" },
      ["there is no use for 'WORD'"] = { "WORD" },
    })
  end)
end)

describe("workers.lua in a terminal", function()
  local function start(arguments, opts)
    return program.start_in_terminal(NAME, arguments, opts)
  end

  it("draws what the workers do", function()
    if program.has_terminals() then
      local opts <const> = { columns = 100, rows = 30, locale = "C.UTF-8" }
      local bank <close> = start({ "--speed=20", "--workers=5" }, opts)
      local text <const>, status <const> = bank:wait()
      program.check_drawing(text, opts)
      assert.is_truthy(text:find "\nall +[^\n]+ 40 of 40 jobs, %d failed, ")
      assert.is_truthy(text:find "\n[^\n]*worker 5 ")
      local failed <const> = text:match "%?25h40 jobs: %d+ done, (%d+) failed, 0 left\r\n"
      assert.equal(tonumber(failed) > 0 and 1 or 0, status)
    end
  end)

  it("is content with little room, and without UTF-8", function()
    if program.has_terminals() then
      local opts <const> = { columns = 30, rows = 8 }
      local bank <close> = start({ "--speed=20", "--workers=50" }, opts)
      program.check_drawing(bank:wait(), opts)
    end
  end)

  it("shows the cursor again after Ctrl-C", function()
    if program.has_terminals() then
      local opts <const> = { columns = 80, rows = 24 }
      local bank <close> = start({ "--jobs=1000000", "--speed=5" }, opts)
      bank:read_until "worker 4 +job"
      bank:interrupt()
      local text <const>, status <const> = bank:wait()
      program.check_drawing(text, opts)
      assert.is_truthy(text:find "stopping: ")
      assert.is_truthy(text:find "%?25hinterrupted\r\n%d+ jobs: %d+ done, %d+ failed, %d left\r\n")
      assert.equal(130, status)
    end
  end)

  it("shows the cursor again after a second Ctrl-C", function()
    if program.has_terminals() then
      local opts <const> = { columns = 80, rows = 24 }
      local bank <close> = start({ "--speed=0.001" }, opts)
      bank:read_until "worker 4 +job"
      bank:interrupt()
      bank:read_until "stopping: "
      bank:interrupt()
      local text <const>, status <const> = bank:wait()
      program.check_drawing(text, opts)
      assert.is_truthy(text:find "%?25hinterrupted\r\n13 jobs: 0 done, 0 failed, 13 left\r\n")
      assert.equal(130, status)
    end
  end)

  it("shows the cursor again after an error", function()
    if program.has_terminals() then
      local opts <const> = { columns = 80, rows = 24, code = BROKEN }
      local bank <close> = start({}, opts)
      local text <const>, status <const> = bank:wait()
      program.check_drawing(text, opts)
      assert.is_truthy(text:find "a mistake")
      assert.equal(1, status)
    end
  end)
end)
