-- LuaSocket with asyncio.luasocket installed, and its own modules.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local sockets = require "spec.sockets"
local streams = require "spec.streams"
local ait <const> = helper.ait

local luasocket <const> = asyncio.luasocket
local HOST <const> = "127.0.0.1"

describe("asyncio.luasocket.install", function()
  local found <const>, socket <const> = pcall(require, "socket")
  if not found then
    pending "LuaSocket is not installed"
    return
  end

    local before = {}

    before_each(function()
      for name, value in pairs(socket) do
        before[name] = value
      end
      luasocket.install()
    end)

    after_each(function()
      luasocket.uninstall()
    end)

    it("is undone by uninstall, and both may be called twice", function()
      local tcp <const> = socket.tcp
      assert.not_equal(before.tcp, tcp)
      luasocket.install()
      assert.equal(tcp, socket.tcp)
      luasocket.uninstall()
      luasocket.uninstall()
      for name, value in pairs(before) do
        assert.equal(value, socket[name], name)
      end
    end)

    -- Answers the requests once there are so many.
    local function start_server(count)
      local arrived, all = 0, asyncio.Event()
      return asyncio.start_server(function(reader, writer)
        local path <const> = reader:readline():match "^%u+ (%S+)"
        local length = 0
        repeat
          local line <const> = reader:readline()
          length = tonumber(line:lower():match "^content%-length: (%d+)") or length
        until line == "\r\n"
        local body <const> = path .. " " .. reader:readexactly(length)
        arrived = arrived + 1
        if arrived == count then
          all:set()
        end
        all:wait()
        writer:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"):format(#body))
        writer:write(body)
        writer:close()
      end, HOST, 0)
    end

    -- Twenty requests to a server that answers none of them before all have come.
    local function request_twenty(http)
      do -- libuv keeps a descriptor for servers from the first connection on
        local server <close> = start_server(1)
        assert(http.request(("http://localhost:%d/"):format(server:sockets()[1].port)))
      end
      helper.collect()
      local before_all <const> = streams.descriptors()
      local body <const> = ("x"):rep(100000)
      do
        local server <close> = start_server(20)
        local url <const> = ("http://localhost:%d/"):format(server:sockets()[1].port)
        local trace <const>, tasks <const> = helper.trace(), {}
        for i = 1, 20 do
          tasks[i] = asyncio.create_task(function()
            trace "begin"
            local result, code = http.request(url .. i, i % 2 == 0 and body or nil)
            trace "end"
            return code, result
          end)
        end
        for i, task in ipairs(tasks) do
          local code, result = task:await()
          assert.equal(200, code)
          assert.is_true(result == ("/%d "):format(i) .. (i % 2 == 0 and body or ""))
        end
        assert.equal(("begin "):rep(20) .. ("end "):rep(20), table.concat(trace, " ") .. " ")
      end
      sockets.check_descriptors(before_all)
    end

    ait("lets twenty requests of socket.http overlap", function()
      package.loaded["socket.http"] = nil
      request_twenty(require "socket.http")
    end)

    ait("also if socket.http was there before", function()
      luasocket.uninstall()
      package.loaded["socket.http"] = nil
      local http <const> = require "socket.http"
      luasocket.install()
      request_twenty(http)
    end)

    ait("lets requests be cancelled and timed out", function()
      local http <const> = require "socket.http"
      local server <close> = start_server(3)
      local url <const> = ("http://localhost:%d/"):format(server:sockets()[1].port)
      helper.raises(asyncio.TimeoutError, asyncio.wait_for, http.request, 0.01, url)
      local before_all <const> = http.TIMEOUT
      http.TIMEOUT = 0.001
      local results <const> = { http.request(url .. "slow") }
      http.TIMEOUT = before_all
      assert.same({ nil, "timeout" }, results)
      server:abort_clients()
    end)

    ait("gives the errors of socket.http", function()
      local http <const> = require "socket.http"
      local url <const> = ("http://%s:%d/"):format(HOST, streams.free_port())
      assert.same({ nil, "connection refused" }, { http.request(url) })
      local name <const> = "http://no.such.invalid/"
      assert.same({ nil, "host or service not provided, or not known" }, { http.request(name) })
    end)

    it("lets socket.http work outside of tasks", function()
      local http <const> = require "socket.http"
      assert.same({ nil, "connection refused" }, { http.request "http://127.0.0.1:1/" })
      assert.equal(HOST, (socket.dns.toip(HOST)))
      assert.equal(HOST, socket.dns.getaddrinfo(HOST)[1].addr)
      local begun <const> = socket.gettime()
      socket.sleep(0.01)
      assert.is_true(socket.gettime() - begun >= 0.009)
    end)

    ait("covers bind and connect", function()
      local server <close> = assert(socket.bind(HOST, 0))
      local host, port = server:getsockname()
      local accepting <const> = asyncio.create_task(server.accept, server)
      local client <close> = assert(socket.connect(host, port))
      local peer <close> = accepting:await()
      client:send "x"
      assert.equal("x", peer:receive(1))
      local other <close> = assert(socket.connect4("localhost", port, HOST, 0))
      assert.equal(HOST, (other:getsockname()))
      assert.is_nil(socket.connect(HOST, streams.free_port()))
      assert.equal("host or service not provided, or not known",
        select(2, socket.bind("no.such.invalid", 0)))
    end)

    ait("covers the names", function()
      assert.equal(HOST, (socket.dns.toip "localhost"))
      local _, resolved = socket.dns.toip(HOST)
      assert.same({ HOST }, resolved.ip)
      assert.same({ { family = "inet", addr = HOST } }, socket.dns.getaddrinfo(HOST))
      assert.is_nil(socket.dns.getaddrinfo "no.such.invalid")
      assert.is_nil(socket.dns.toip "no.such.invalid")
    end)

    ait("covers sleep", function()
      local trace <const> = helper.trace()
      local task <const> = asyncio.create_task(function()
        trace "other"
      end)
      socket.sleep(0.001)
      trace "slept"
      task:await()
      assert.same({ "other", "slept" }, trace:list())
    end)

    ait("covers select", function()
      local a <const>, peer <const>, _ <close> = sockets.pair()
      local b <const>, _, _ <close> = sockets.pair()
      local r, w, err = socket.select({ a, b }, nil, 0.001)
      assert.same({ {}, {}, "timeout" }, { r, w, err })
      r, w, err = socket.select({ a, b }, nil, 0)
      assert.same({ {}, {}, "timeout" }, { r, w, err })
      local task <const> = asyncio.create_task(socket.select, { a, b })
      asyncio.sleep(0.001)
      assert.is_false(task:done())
      peer:send "x\ny\n"
      r, w, err = task:await()
      assert.same({ { a, [a] = 1 }, {} }, { r, w })
      assert.is_nil(err)
      assert.equal("x", a:receive())
      r = socket.select({ b, a }, nil) -- LuaSocket has the rest already
      assert.equal(a, r[1])
      r, w = socket.select({ b }, { b }, 10)
      assert.same({ {}, { b, [b] = 1 } }, { r, w })
      assert.same({ {}, {}, "timeout" }, { socket.select(nil, nil, 0.001) })
      local cancelled <const> = asyncio.create_task(socket.select, { b })
      asyncio.sleep(0)
      cancelled:cancel()
      asyncio.wait { cancelled }
      assert.is_true(cancelled:cancelled())
      assert.equal(1, #asyncio.all_tasks())
    end)

    ait("has a protect and a try that let finalizers wait", function()
      local trace <const> = helper.trace()
      local try <const> = socket.newtry(function()
        asyncio.sleep(0)
        trace "finalizer"
      end)
      local fn <const> = socket.protect(function(...)
        asyncio.sleep(0)
        return try(...)
      end)
      assert.same({ 1, 2, 3 }, { fn(1, 2, 3) })
      assert.same({ nil, "why" }, { fn(nil, "why") })
      assert.same({ "finalizer" }, trace:list())
      assert.same({ nil, "why" }, { before.protect(socket.try)(nil, "why") })
      assert.same({ nil, "why" }, { socket.protect(before.newtry())(nil, "why") })
      local object <const> = asyncio.Error "other"
      assert.equal(object, helper.catch(socket.protect(error), object))
      local task <const> = asyncio.create_task(socket.protect(asyncio.sleep), 10)
      asyncio.sleep(0)
      task:cancel()
      asyncio.wait { task }
      assert.is_true(task:cancelled())
    end)

    ait("covers the connections of LuaSec, if that was required before", function()
      local has_ssl <const>, https <const> = pcall(require, "ssl.https")
      local directory <const> = asyncio.fs.mkdtemp "build/certificate-XXXXXX"
      local files <const> = { key = directory .. "/key", certificate = directory .. "/certificate" }
      local make <const> = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
        .. "-nodes -keyout %s -out %s -days 2 -subj /CN=localhost 2>/dev/null"
      if not has_ssl or not os.execute(make:format(files.key, files.certificate)) then
        os.execute("rm -r " .. directory)
        pending "LuaSec or openssl is not installed"
      end
      luasocket.uninstall()
      luasocket.install() -- now that it is there
      local server <close> = assert(socket.bind(HOST, 0))
      local serving <const> = asyncio.create_task(function()
        files.mode, files.protocol = "server", "any"
        local peer <close> = assert(require "ssl".wrap(server:accept(), files))
        assert(peer:dohandshake())
        repeat
          local line <const> = peer:receive()
        until line == ""
        peer:send "HTTP/1.0 200 OK\r\n\r\nhello"
      end)
      local _, port = server:getsockname()
      local body, status = https.request(("https://localhost:%d/"):format(port))
      os.execute("rm -r " .. directory)
      assert.same({ "hello", 200 }, { body, status })
      serving:await()
    end)
  end)
