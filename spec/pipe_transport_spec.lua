local asyncio = require "asyncio"
local fifo = require "spec.fifo"
local helper = require "spec.helper"
local protocols = require "spec.protocols"
local streams = require "spec.streams"

local ait <const> = helper.ait
local recorder <const> = protocols.recorder

-- The number of the descriptor that the file has.
local function number_of(open, ...)
  local used <const> = {}
  for fd = 0, 255 do
    local info <close> = io.open("/proc/self/fdinfo/" .. fd)
    used[fd] = info and true
  end
  local file <const> = open(...)
  for fd = 0, 255 do
    local info = not used[fd] and io.open("/proc/self/fdinfo/" .. fd)
    if info then
      info:close()
      return fd, file
    end
  end
  error "no new descriptor"
end

-- How many descriptors are open when libuv has the one that it keeps with the
-- first stream.
local function descriptors()
  local reader, writer = asyncio.pipe()
  reader:close()
  writer:close()
  return streams.descriptors()
end

-- The protocol at the reading end, the writing end, and what the protocol noted.
local function read_pipe(methods)
  local t <const> = helper.trace()
  local r, w, both = fifo.pipe()
  both:close()
  local loop <const> = asyncio.get_running_loop()
  local transport, protocol = loop:connect_read_pipe(recorder(t, methods), r)
  r:close()
  return t, transport, protocol, w
end

-- The protocol at the writing end, the reading end, and what the protocol noted.
local function write_pipe(methods)
  local t <const> = helper.trace()
  local r, w, both = fifo.pipe()
  both:close()
  local loop <const> = asyncio.get_running_loop()
  local transport, protocol = loop:connect_write_pipe(recorder(t, methods), w)
  w:close()
  return t, transport, protocol, r
end

describe("loop:connect_read_pipe", function()
  ait("tells what is written to the pipe, and its end", function()
    local t, transport, protocol, w = read_pipe()
    assert.same({ "made" }, t:list())
    assert.equal(protocol, transport:get_protocol())
    assert.is_true(transport:is_reading())
    assert.matches("^<Transport open to pipe>$", tostring(transport))
    assert.is_number(transport:get_extra_info "fd")
    w:write "some data"
    w:close()
    assert.is_nil(protocol.lost:await())
    assert.same({ "made", "data some data", "eof", "lost nil" }, t:list())
    assert.is_true(transport:is_closing())
  end)

  ait("closes at the end whatever eof_received says", function()
    local _, _, protocol, w = read_pipe {
      eof_received = function()
        return true
      end,
    }
    w:close()
    assert.is_nil(protocol.lost:await())
  end)

  ait("can be paused, and closed", function()
    local t, transport, protocol, w = read_pipe()
    transport:pause_reading()
    w:write "held"
    asyncio.sleep(0.005)
    assert.same({ "made" }, t:list())
    transport:close()
    assert.is_nil(protocol.lost:await())
    assert.same({ "made", "lost nil" }, t:list())
    w:close()
  end)

  ait("cannot write", function()
    local _, transport, _, w = read_pipe()
    helper.raises("it only reads", transport.write, transport, "x")
    helper.raises("it only reads", transport.write_eof, transport)
    transport:close()
    w:close()
  end)

  ait("takes a program that io.popen started, and an object with fileno", function()
    local t <const> = helper.trace()
    local loop <const> = asyncio.get_running_loop()
    local program <close> = assert(io.popen "echo one")
    local _, protocol = loop:connect_read_pipe(recorder(t), program)
    protocol.lost:await()
    assert.same({ "made", "data one\n", "eof", "lost nil" }, t:list())
    local reader, writer = asyncio.pipe()
    local fd <const> = reader:get_extra_info "fd"
    helper.raises("belongs to a stream", loop.connect_read_pipe, loop, recorder(t), {
      fileno = function()
        return fd
      end,
    })
    writer:close()
    reader:close()
  end)

  ait("takes a file of asyncio.fs", function()
    local path, _ <close> = streams.path()
    assert(os.execute("mkfifo " .. path))
    local both <close> = asyncio.fs.open(path, "r+")
    local loop <const> = asyncio.get_running_loop()
    local got <const> = asyncio.Future()
    local transport = loop:connect_read_pipe(recorder(helper.trace(), {
      data_received = function(_, data)
        got:set_result(data)
      end,
    }), both)
    both:write "through"
    assert.equal("through", got:await())
    transport:close()
    both:close()
    helper.raises("closed file", loop.connect_read_pipe, loop, recorder(helper.trace()), both)
  end)

  ait("takes over a descriptor that is a number", function()
    local r, w, both = fifo.pipe()
    local path, _ <close> = streams.path()
    r:close()
    assert(os.execute("mkfifo " .. path))
    local fd, file = number_of(fifo.open, path, "r+")
    local loop <const> = asyncio.get_running_loop()
    local t <const> = helper.trace()
    local before <const> = descriptors()
    local transport, protocol = loop:connect_read_pipe(recorder(t), fd)
    file:close() -- it has no descriptor any more
    assert.equal(before, streams.descriptors())
    transport:close()
    protocol.lost:await()
    assert.equal(before - 1, streams.descriptors())
    w:close()
    both:close()
  end)

  ait("refuses what no pipe is, and leaves nothing", function()
    local loop <const> = asyncio.get_running_loop()
    local factory <const> = recorder(helper.trace())
    local before <const> = descriptors()
    local null <close> = assert(io.open "/dev/null")
    local r, w, both = fifo.pipe()
    both:close()
    local function code_of(method, pipe)
      return helper.raises(asyncio.OSError, loop[method], loop, factory, pipe).code
    end
    assert.equal("ENOTSUP", code_of("connect_read_pipe", null))
    assert.equal("EBADF", code_of("connect_read_pipe", 999))
    assert.equal("EBADF", code_of("connect_read_pipe", w))
    assert.equal("EBADF", code_of("connect_write_pipe", r))
    local problem <const> = {}
    assert.equal(problem, helper.catch(loop.connect_read_pipe, loop, function()
      error(problem)
    end, r))
    r:close()
    w:close()
    assert.equal(before + 1, streams.descriptors())
    streams.refuses(1, loop, "connect_read_pipe", nil, null)
    streams.refuses(2, loop, "connect_read_pipe", factory)
    streams.refuses(2, loop, "connect_write_pipe", factory, "text")
    local other <close> = asyncio.new_event_loop()
    helper.raises("another event loop", other.connect_read_pipe, other, factory, null)
  end)

  ait("closes when it is cancelled", function()
    local loop <const> = asyncio.get_running_loop()
    local t <const> = helper.trace()
    local r, w, both = fifo.pipe()
    both:close()
    local before <const> = descriptors()
    local factory <const> = recorder(t)
    local task <const> = asyncio.create_task(loop.connect_read_pipe, loop, factory, r)
    asyncio.sleep(0)
    task:cancel()
    asyncio.wait { task }
    assert.is_true(task:cancelled())
    while streams.descriptors() ~= before do
      asyncio.sleep(0.001)
    end
    r:close()
    w:close()
  end)
end)

describe("loop:connect_write_pipe", function()
  ait("writes, and closes when all is written", function()
    local t, transport, protocol, r = write_pipe()
    assert.is_false(transport:is_reading())
    local got <const> = asyncio.Future()
    local loop <const> = asyncio.get_running_loop()
    local pieces <const> = {}
    loop:connect_read_pipe(recorder(helper.trace(), {
      data_received = function(_, data)
        pieces[#pieces + 1] = data
      end,
      connection_lost = function()
        got:set_result(table.concat(pieces))
      end,
    }), r)
    r:close()
    local n <const> = 1 << 20
    transport:write(("x"):rep(n))
    transport:write_eof()
    assert.is_true(transport:is_closing())
    assert.equal(n, #got:await())
    assert.is_nil(protocol.lost:await())
    assert.same({ "made", "lost nil" }, t:list())
  end)

  ait("stops the protocol that writes much, and tells when the reader is gone", function()
    local t, transport, protocol, r = write_pipe()
    function protocol.pause_writing()
      t "pause"
    end
    transport:write(("x"):rep(1 << 20))
    assert.same({ "made", "pause" }, t:list())
    r:close()
    local err <const> = protocol.lost:await()
    assert.equal("EPIPE", err.code)
    assert.matches("pipe", err.message)
    transport:write "nowhere"
    assert.same({ "made", "pause", "lost EPIPE" }, t:list())
  end)

  ait("tells when nobody reads what is written later", function()
    local t, transport, protocol, r = write_pipe()
    r:close()
    transport:write "x"
    assert.equal("EPIPE", protocol.lost:await().code)
    assert.same({ "made", "lost EPIPE" }, t:list())
  end)
end)
