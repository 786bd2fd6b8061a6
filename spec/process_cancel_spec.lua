-- What waits for children, cancelled at each of its stages: no child is left then,
-- not even as a zombie.

local asyncio = require "asyncio"
local cancelling = require "spec.cancelling"
local processes = require "spec.processes"

local BLOCK <const> = ("x"):rep(1 << 20) -- more than pipes take

-- An operation on a child that does nothing until its stdin ends.
local function of_idle(wait)
  return function(keep)
    local process <const> = processes.idle()
    keep(process)
    return function()
      wait(process)
    end, function()
      process.stdin:close()
    end
  end
end

-- One on a child that reads nothing until it is killed, which may be an error.
local function of_full(wait)
  return function(keep)
    local process <const> = processes.shell "echo ready; exec sleep 1000"
    keep(process)
    process.stdin:write(BLOCK)
    return function()
      asyncio.catch(asyncio.OSError, wait, process)
    end, function()
      process:kill()
    end
  end
end

-- One that starts a child of its own.
local function starting(cmd, opts)
  return cancelling.by_itself(function()
    asyncio.subprocess.run(cmd, opts)
  end)
end

asyncio.run(function() -- what the first child makes stays
  asyncio.create_subprocess_exec("true"):wait()
end)

local OPERATIONS <const> = {
  ["wait"] = of_idle(function(process)
    process:wait()
  end),

  ["communicate"] = of_idle(function(process)
    process:communicate()
  end),

  ["communicate with input"] = of_idle(function(process)
    process:communicate(BLOCK)
  end),

  ["reading from a child"] = of_idle(function(process)
    process.stdout:read "a"
  end),

  ["drain of a child's stdin"] = of_full(function(process)
    process.stdin:drain()
  end),

  ["wait_closed of a child's stdin"] = of_full(function(process)
    process.stdin:close()
    process.stdin:wait_closed()
  end),

  ["create_subprocess_exec"] = cancelling.by_itself(function()
    local _ <close> = asyncio.create_subprocess_exec("cat", nil, { stdin = "pipe" })
  end),

  ["a scope"] = cancelling.by_itself(function()
    local _ <close> = processes.stubborn(0.001)
  end),

  ["run"] = starting("cat", { input = BLOCK }),
  ["run of what takes its time"] = starting({ "sleep", "1000" }, { timeout = 0.01 }),
}

-- The children of this process, zombies too, where the system tells.
local function children()
  local file <close> = io.open "/proc/thread-self/children"
  return file and file:read "a" or ""
end

for name, operation in pairs(OPERATIONS) do
  describe(name, function()
    after_each(function()
      assert.equal("", children())
    end)

    for moment, check in pairs(cancelling.CHECKS) do
      it("leaves nothing when " .. moment, function()
        check(operation)
      end)
    end
  end)
end
