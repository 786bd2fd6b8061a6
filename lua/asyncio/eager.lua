-- Task factories whose tasks run at once, to their first suspension, as
-- asyncio's: loop:set_task_factory(asyncio.eager_task_factory).

local core <const> = require "asyncio.core"

-- Options of a task with those of a factory's call; an eager_start given there
-- decides.
local function eager_options(loop, options)
  local all = { loop = loop, eager_start = true }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return all
end

local function create_eager_task_factory(constructor)
  if type(constructor) ~= "function" and not (getmetatable(constructor) or {}).__call then
    local text = "bad argument #1 to 'create_eager_task_factory' (%s expected, got %s)"
    error(text:format("function or class", type(constructor)), 2)
  end
  local function factory(loop, coro, options)
    return constructor(coro, eager_options(loop, options))
  end
  return constructor == core.Task and core.plain_factory(factory) or factory
end

return {
  create_eager_task_factory = create_eager_task_factory,
  eager_task_factory = create_eager_task_factory(core.Task),
}
