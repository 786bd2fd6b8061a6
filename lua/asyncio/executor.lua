-- Executors: what of them needs no C. An executor has 'submit', which returns a
-- future; map is made of that, for any kind. Shutting one down is to stop it and
-- to wait for its workers.

local core <const> = require "asyncio.core"

local executor <const> = {}

-- {====== map ======

-- What a worker does with a chunk: calls fn for each of the n items, whose
-- arguments stand in the lists. Returns the list of its results; an error ends
-- the chunk, and is the second result.
function executor.run_chunk(fn, n, ...)
  fn = core.named_function(fn)
  local lists <const>, results = table.pack(...), {}
  local function run()
    for i = 1, n do
      local arguments = {}
      for k = 1, lists.n do
        arguments[k] = lists[k][i]
      end
      results[i] = table.pack(fn(table.unpack(arguments, 1, lists.n)))
    end
  end
  local ok, err = xpcall(run, function(err)
    if core.isinstance(err, core.Error) then
      rawset(err, "traceback", debug.traceback(nil, 2))
    end
    return { err }
  end)
  return results, not ok and err or nil
end

local Map <const> = {}
Map.__index = Map

-- The arguments of the next items, at most a chunk of them: how many, and for each
-- source a list.
function Map:take()
  local columns, n = {}, 0
  for k = 1, #self.sources do
    columns[k] = {}
  end
  while n < self.chunksize do
    local item = {}
    for k, source in ipairs(self.sources) do
      item[k] = source()
      if item[k] == nil then
        self.exhausted = true
        return n, columns
      end
    end
    n = n + 1
    for k, value in ipairs(item) do
      columns[k][n] = value
    end
  end
  return n, columns
end

-- Submits one chunk, protected: true and its future, or nil when there are no more
-- items; or false and an error. What ends the task itself passes.
function Map:submit()
  local ok, n, columns = core.pcall(self.take, self)
  if not ok or n == 0 then
    return ok, not ok and n or nil
  end
  local submit <const> = self.executor.submit
  if self.chunksize > 1 then
    local name <const> = "asyncio.executor:run_chunk"
    return core.pcall(submit, self.executor, name, self.fn, n, table.unpack(columns))
  end
  for k, column in ipairs(columns) do
    columns[k] = column[1]
  end
  return core.pcall(submit, self.executor, self.fn, table.unpack(columns))
end

-- Submits what may be under way. What cannot be submitted is an error in its
-- turn, after the results of what stood before.
function Map:fill()
  while not self.exhausted and self.last - self.first < self.buffersize do
    local ok, future = self:submit()
    if ok and not future then
      return
    end
    self.last = self.last + 1
    self.chunks[self.last] = ok and future or { error = future }
    self.exhausted = self.exhausted or not ok
  end
end

function Map:close()
  self.exhausted, self.results, self.failure = true, {}, nil
  for i = self.first + 1, self.last do
    local chunk = self.chunks[i]
    if core.isfuture(chunk) and not chunk:cancel() and not chunk:cancelled() then
      chunk:exception() -- nobody is told
    end
  end
  self.first = self.last
end

Map.__close = Map.close

-- Waits for the next chunk; false when there is none.
function Map:advance()
  if self.first == self.last then
    return false
  end
  local chunk = self.chunks[self.first + 1]
  if not core.isfuture(chunk) then
    error(chunk.error, 0)
  end
  if self.chunksize > 1 then
    self.results, self.failure = chunk:await()
  else
    self.results = { table.pack(chunk:await()) }
  end
  self.first = self.first + 1
  self.chunks[self.first] = nil
  self.at = 0
  self:fill()
  return true
end

-- The next results, packed, or nil at the end.
function Map:next()
  while not self.results[self.at + 1] do
    if self.failure then
      error(self.failure[1], 0)
    elseif not self:advance() then
      return nil
    end
  end
  self.at, self.count = self.at + 1, self.count + 1
  return self.results[self.at]
end

-- A result that is nil would end the loop as if it were the end: it is an error,
-- after which the iterator goes on.
local function iterator(map)
  return function()
    local ok, results = pcall(map.next, map)
    if not ok then
      map:close()
      error(results, 0)
    elseif results and results[1] == nil then
      error(core.RuntimeError(("result %d is nil"):format(map.count)), 2)
    elseif results then
      return table.unpack(results, 1, results.n)
    end
  end
end

-- What gives the items one by one.
local function source_of(list, arg)
  if type(list) == "function" then
    return list
  elseif type(list) ~= "table" then
    local text = "bad argument #%d to 'map' (table or function expected, got %s)"
    error(text:format(arg, type(list)), 3)
  end
  local i = 0
  return function()
    i = i + 1
    return list[i]
  end
end

local MAP_OPTIONS <const> = { "chunksize", "buffersize" }

-- Whether the k-th of the lists is the options: it has no items, but one of these,
-- or any field when there are other lists.
local function is_options(value, k)
  if type(value) ~= "table" or #value > 0 then
    return false
  end
  local key = k > 1 and getmetatable(value) == nil and next(value)
  return value.chunksize ~= nil
    or value.buffersize ~= nil
    or type(key) == "string" and key ~= "n"
end

-- Raises an argument error of the function of that name, which calls this one,
-- unless the options have these names.
local function check_names(options, names, arg, fname)
  local wrong = core.unknown_option(options, names)
  if wrong then
    error(("bad argument #%d to '%s' (%s)"):format(arg, fname, wrong), 3)
  end
end

local function check_size(options, name, arg, missing)
  local size = options[name]
  if size == nil then
    return missing
  elseif math.type(size) ~= "integer" or size < 1 then
    local text = "bad argument #%d to 'map' (field '%s' must be a positive integer)"
    error(text:format(arg, name), 3)
  end
  return size
end

-- The method map, for executors of any kind; 'workers' says how many jobs one runs
-- at once.
function executor.map(self, workers, fn, ...)
  local lists, options = table.pack(...), {}
  if lists.n > 0 and is_options(lists[lists.n], lists.n) then
    options = lists[lists.n]
    check_names(options, MAP_OPTIONS, lists.n + 1, "map")
    lists.n = lists.n - 1
  end
  local map <const> = setmetatable({
    executor = self,
    fn = core.check_function(fn, "map"),
    sources = {},
    chunksize = check_size(options, "chunksize", lists.n + 2, 1),
    buffersize = check_size(options, "buffersize", lists.n + 2, 2 * workers),
    chunks = {}, -- futures, from first + 1 to last
    first = 0,
    last = 0,
    results = {}, -- of the chunk before these
    at = 0,
    count = 0,
  }, Map)
  for k = 1, math.max(lists.n, 1) do
    map.sources[k] = source_of(lists[k], k + 1)
  end
  local ok, err = pcall(map.fill, map)
  if not ok then
    map:close()
    error(err, 0)
  end
  return iterator(map), nil, nil, map
end

-- }======

-- {====== Shutting down ======

-- Waits until the workers have left: suspends where a loop runs.
local function wait_for_workers(pool)
  local left = core.is_running() and core.executor_left(pool)
  if left then
    left:await()
  end
  core.executor_join(pool)
end

local methods <const> = {}

local function check_self(pool, method)
  if not core.isinstance(pool, core.Executor) then
    local text = "bad argument #1 to '%s' (asyncio.Executor expected, got %s)"
    error(text:format(method, type(pool)), 3)
  end
end

function methods.map(pool, fn, ...)
  check_self(pool, "map")
  return executor.map(pool, pool:statistics().max_workers, fn, ...)
end

local SHUTDOWN_OPTIONS <const> = { "wait", "cancel_futures" }

function methods.shutdown(pool, options)
  check_self(pool, "shutdown")
  if options ~= nil and type(options) ~= "table" then
    local text = "bad argument #1 to 'shutdown' (table expected, got %s)"
    error(text:format(type(options)), 2)
  elseif options then
    check_names(options, SHUTDOWN_OPTIONS, 1, "shutdown")
  end
  core.executor_stop(pool, options and options.cancel_futures)
  if not options or options.wait ~= false then
    wait_for_workers(pool)
  end
end

for _, class in ipairs { core.Executor, core.ThreadPoolExecutor, core.ProcessPoolExecutor } do
  local class_methods <const> = getmetatable(class).__index
  for name, method in pairs(methods) do
    class_methods[name] = method
  end
end

-- Where nothing can wait, since the loop closes, the jobs are left to themselves.
core.executor_onclose(function(pool)
  core.executor_stop(pool)
  local waits = core.is_running() and pcall(core.check_await, "__close")
  if waits or not core.is_running() and not core.is_closing() then
    wait_for_workers(pool)
  end
end)

-- }======

-- {====== The default executor of a loop ======

-- Waits for the workers, but not longer than that.
function executor.finish(loop, pool, timeout)
  local ok, err = core.catch(core.TimeoutError, core.wait_for, pool.shutdown, timeout, pool)
  if not ok then
    loop:call_exception_handler {
      message = ("the default executor's jobs did not end within %g seconds"):format(timeout),
      exception = err,
    }
  end
end

local loop_methods <const> = getmetatable(core.EventLoop).__index

function loop_methods.shutdown_default_executor(loop, timeout)
  if not core.isinstance(loop, core.EventLoop) then
    local text = "bad argument #1 to '%s' (asyncio.EventLoop expected, got %s)"
    error(text:format("shutdown_default_executor", type(loop)), 2)
  elseif timeout ~= nil and type(timeout) ~= "number" then
    local text = "bad argument #1 to 'shutdown_default_executor' (number expected, got %s)"
    error(text:format(type(timeout)), 2)
  end
  local pool = core.drop_default_executor(loop)
  if pool then
    executor.finish(loop, pool, timeout)
  end
end

-- }======

return executor
