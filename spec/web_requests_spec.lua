-- examples/web_requests.lua, as a program and module by module.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local web_server = require "spec.web_server"

local ait <const> = helper.ait

local SCRIPT <const> = [[
arg[0] = "examples/web_requests.lua"
dofile(arg[0])
]]

local function request(...)
  return helper.run_script(SCRIPT, { args = { ... }, env = { LANG = "C", LC_ALL = "C" } })
end

local function has(text, part)
  assert.is_truthy(text:find(part, 1, true), ("'%s' is not in:\n%s"):format(part, text))
end

-- The files in the directory: name to bytes.
local function contents(dir)
  local files <const> = {}
  for name in web_server.output("ls '" .. dir .. "'"):gmatch "[^\n]+" do
    files[name] = web_server.read_file(dir .. "/" .. name)
  end
  return files
end

local function random_bytes(n)
  local file <close> = assert(io.open("/dev/urandom", "rb"))
  return file:read(n)
end

describe("web_requests.lua with a server not written here", function()
  local dir, remove, port, stop, name, root
  local pages <const> = {
    ["empty"] = "",
    ["one"] = "1",
    ["text.txt"] = ("Some lines of text.\r\n\n"):rep(500),
    ["limit"] = random_bytes(65536),
    ["beyond"] = random_bytes(65537),
    ["large.bin"] = random_bytes(3000000),
    ["a b%.txt"] = "a name to encode",
    ["folder/index.html"] = "<p>reached by a redirect</p>\n",
  }

  setup(function()
    dir, remove = web_server.directory()
    assert(os.execute(("mkdir -p '%s/root/folder' '%s/out'"):format(dir, dir)))
    for page, bytes in pairs(pages) do
      web_server.write_file(dir .. "/root/" .. page, bytes)
    end
    port, stop, name = web_server.serve(dir)
    root = "http://127.0.0.1:" .. port
  end)

  teardown(function()
    if stop then
      stop()
    end
    remove()
  end)

  -- Fetches the paths and compares every byte.
  local function check(paths, expected, ...)
    assert(os.execute(("rm -rf '%s/out' && mkdir '%s/out'"):format(dir, dir)))
    local list <const> = dir .. "/list"
    local lines <const> = { "# what to fetch", "" }
    for _, path in ipairs(paths) do
      lines[#lines + 1] = "  " .. root .. path
    end
    web_server.write_file(list, table.concat(lines, "\n"))
    local result <const> = request("-o", dir .. "/out", "--file", list, ...)
    assert.equal("", result.stderr)
    assert.equal(0, result.code, result.stdout)
    local files <const> = contents(dir .. "/out")
    local n = 0
    for file, bytes in pairs(files) do
      n = n + 1
      local page <const> = expected[tonumber(file:match "^(%d+)-")]
      assert.is_true(bytes == pages[page], file .. " differs from " .. page)
    end
    assert.equal(#paths, n)
    return result.stdout
  end

  it("fetches files of all sizes, byte for byte", function()
    local paths <const> = {
      "/empty", "/one", "/text.txt", "/limit", "/beyond", "/large.bin", "/a b%25.txt", "/folder",
    }
    local expected <const> = {
      "empty", "one", "text.txt", "limit", "beyond", "large.bin", "a b%.txt", "folder/index.html",
    }
    local out <const> = check(paths, expected)
    has(out, "/folder (1 redirect)")
    has(out, "8 pages, 3.1 MB in ")
  end)

  it("fetches many at once, fewer than there are", function()
    local paths <const>, expected <const> = {}, {}
    for i = 1, 60 do
      expected[i] = i % 2 == 0 and "text.txt" or "limit"
      paths[i] = "/" .. expected[i]
    end
    local out <const> = check(paths, expected, "--limit=7")
    has(out, "60 pages, ")
    has(out, "and 50 more, none of them slower")
  end)

  it("understands its chunked bodies", function()
    if name ~= "nginx" then
      return pending "python3 -m http.server sends none"
    end
    check({ "/chunked/text.txt", "/chunked/large.bin" }, { "text.txt", "large.bin" })
  end)

  it("shows pages that are not there, which is an answer too", function()
    local result <const> = request(root .. "/nowhere", root .. "/one")
    assert.equal(0, result.code)
    assert.is_truthy(result.stdout:find "\n   404 +%d+ B ")
    has(result.stdout, "1 page with an error status")
  end)

  it("runs in any directory", function()
    local here <const> = web_server.output "pwd"
    local line <const> = "cd / && LUA_PATH='%s' LUA_CPATH='%s' "
      .. "%s %s/examples/web_requests.lua %s/one 2>&1"
    local path <const>, cpath <const> = web_server.paths()
    local lua <const> = os.getenv "ASYNCIO_TEST_LUA" or "lua5.4"
    has(web_server.output(line:format(path, cpath, lua, here, root)), "1 page, 1 B in ")
  end)
end)

-- Answers by the path: what is wrong with each is in its name.
local RAW_SERVER <const> = [[
local asyncio = require "asyncio"
local answers = {
  chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nfour\r\n10\r\n" ..
    ("x"):rep(16) .. "\r\n0\r\nTrailer: 1\r\n\r\n",
  redirect = "HTTP/1.1 302 Found\r\nLocation: chunked#top\r\n\r\n",
  circle = "HTTP/1.1 301 Moved\r\nLocation: /circle\r\n\r\n",
  truncated = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
  malformed = "220 mail.example ESMTP\27[2J\r\n",
  headless = "HTTP/1.1 200 OK\r\nContent-Le",
  nothing = "",
}
local function handle(reader, writer)
  local _ <close> = writer
  local path = reader:readuntil "\r\n\r\n":match "^GET /(%w+)"
  if path == "slow" then
    writer:write "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    reader:read "a" -- until the client gives up
  else
    writer:write(answers[path])
  end
end
asyncio.run(function()
  local server <close> = asyncio.start_server(handle, "127.0.0.1", 0)
  print("port " .. server:sockets()[1].port)
  io.stdout:flush()
  server:serve_forever()
end)
]]

describe("web_requests.lua", function()
  it("reports what fails, page by page, and goes on", function()
    local dir <const>, remove <const> = web_server.directory()
    local port <const>, stop <const> = web_server.script(dir, RAW_SERVER)
    local root <const> = ("http://127.0.0.1:%d/"):format(port)
    local paths <const> = {
      "truncated", "malformed", "headless", "nothing", "circle", "redirect", "chunked",
    }
    for i, path in ipairs(paths) do
      paths[i] = root .. path
    end
    local result <const> = request(
      "--timeout", "60", "--limit", "4", "http://127.0.0.1:1/refused", "https://example.org/",
      "nonsense", "http://name.invalid/", "-o", dir, table.unpack(paths)
    )
    local slow <const> = request("--timeout", "0.1", root .. "slow")
    stop()
    local files <const> = contents(dir)
    remove()

    has(slow.stdout, "timed out after 0.1 s")
    local out <const> = result.stdout
    assert.equal("", result.stderr)
    assert.equal(1, result.code)
    has(out, "connect 127.0.0.1:1: connection refused")
    has(out, "https:// is not supported")
    has(out, "bad URL 'nonsense'")
    has(out, "http://name.invalid/\n" .. (" "):rep(28))
    has(out, "truncated response: 6 bytes of 10 are missing")
    has(out, "malformed response: '220 mail.example ESMTP?[2J' is no status line")
    has(out, "truncated response: the connection ended in the header")
    has(out, "truncated response: the connection ended in the status line")
    has(out, "the redirects go round in a circle at " .. root .. "circle")
    has(out, "2 pages, 40 B in ")
    has(out, "9 failed\n")

    local saved = 0
    for name, bytes in pairs(files) do
      if name:find "^%d" then
        saved = saved + 1
        assert.equal("four" .. ("x"):rep(16), bytes)
      end
    end
    assert.equal(2, saved)
  end)

  it("fetches 200 pages of its own server when it gets no URL", function()
    local result <const> = request()
    assert.equal("", result.stderr)
    assert.equal(0, result.code)
    local totals <const> = "\n200 pages, 1%.%d MB in [%d.]+ s; "
      .. "one after the other they would take [%d.]+ s %(%d+x%)\n"
    assert.is_truthy(result.stdout:find(totals))
    has(result.stdout, "\n    #1 =")
    has(result.stdout, "\n  #200 ")
    has(result.stdout, "5 pages with an error status (400 and above)\n")
  end)

  it("explains itself, and refuses what it does not understand", function()
    has(request("--help").stdout, "usage: ")
    local wrong <const> = {
      ["--limit takes a positive integer, not '0'"] = { "--limit", "0" },
      ["--limit takes a positive integer, not '1.5'"] = { "--limit=1.5" },
      ["--timeout takes a positive number of seconds, not 'nan'"] = { "--timeout", "nan" },
      ["--timeout takes a value"] = { "--timeout" },
      ["-o takes a directory, and '/nowhere/at/all' is none"] = { "-o", "/nowhere/at/all" },
      ["/nowhere/at/all: No such file or directory"] = { "--file", "/nowhere/at/all" },
      ["there is no option '--fast'"] = { "--fast" },
    }
    for message, arguments in pairs(wrong) do
      local result <const> = request(table.unpack(arguments))
      assert.equal(2, result.code)
      assert.equal("", result.stdout)
      has(result.stderr, message)
    end
  end)
end)

package.path = "examples/?.lua;" .. package.path
local errors = require "web.errors"
local fetcher = require "web.fetcher"
local http = require "web.http"
local timeline = require "web.timeline"
local url = require "web.url"

-- A server that answers the n-th request with answer(n, head, writer), text or
-- nothing; returns it and its address.
local function serve(answer)
  local n = 0
  local server <const> = asyncio.start_server(function(reader, writer)
    local _ <close> = writer
    n = n + 1
    local text <const> = answer(n, reader:readuntil "\r\n\r\n", writer, reader)
    if text then
      writer:write(text)
      writer:drain()
    end
  end, "127.0.0.1", 0)
  return server, ("http://%s"):format(server:sockets()[1])
end

local OK <const> = "HTTP/1.1 200 OK\r\n"
local CHUNKED <const> = OK .. "TRANSFER-Encoding: Chunked\r\n"

-- Fetches the text as the whole answer of a server.
local function get(text)
  local server <close>, address = serve(function()
    return text
  end)
  local _ = server
  return http.get(address)
end

describe("the client", function()
  ait("asks in a way that servers understand", function()
    local asked
    local server <close>, address = serve(function(_, head)
      asked = head
      return "HTTP/1.1 200 Fine\r\n\r\nbody"
    end)
    local page <const> = http.get(address .. "?q=a b#part")
    local host <const> = "127.0.0.1:" .. server:sockets()[1].port
    has(asked, "GET /?q=a%20b HTTP/1.1\r\nHost: " .. host .. "\r\n")
    has(asked, "\r\nConnection: close\r\n")
    assert.same({ 200, "Fine", "body", 0 }, { page.status, page.reason, page.body, page.redirects })
  end)

  ait("reads bodies however their end is marked", function()
    local cases <const> = {
      { "HTTP/1.0 200\r\n\r\nuntil\r\nthe end", "until\r\nthe end" },
      { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nlate", "late" },
      { "HTTP/1.1 200 OK\nContent-Length: 3\n\nabcdef", "abc" },
      { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabcdef", "abc" },
      { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "" },
      { "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", "" },
      { CHUNKED .. "A: b\r\n folded\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", "0123456789" },
      { CHUNKED .. "Content-Length: 1\r\n\r\n0;last\r\n\r\n", "" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], get(case[1]).body)
    end
  end)

  ait("reads an answer that comes byte by byte", function()
    local text <const> = CHUNKED .. "\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    local server <close>, address = serve(function(_, _, writer)
      for byte in text:gmatch "." do
        writer:write(byte)
        writer:drain()
        asyncio.sleep(0)
      end
    end)
    assert.equal("abc", http.get(address).body)
    assert.is_true(server:is_serving())
  end)

  ait("refuses answers that are wrong or cut off", function()
    local malformed <const> = {
      "hello\r\n", "HTTP/1.1 999 No\r\n\r\n", OK .. "no field\r\n\r\n", OK .. "Bad Name: x\r\n\r\n",
      OK .. "Content-Length: -1\r\n\r\n", OK .. "Content-Length: 1, 2\r\n\r\nab",
      OK .. "Content-Length: 99999999999999999999\r\n\r\n", OK .. "Content-Length:\r\n\r\n",
      OK .. "Transfer-Encoding: gzip\r\n\r\n", CHUNKED .. "\r\nx\r\n",
      CHUNKED .. "\r\n1\r\nab\r\n0\r\n\r\n",
      CHUNKED .. "\r\nffffffffffffffff\r\n",
      OK .. ("a: b\r\n"):rep(201) .. "\r\n", OK .. "Long: " .. ("x"):rep(300000) .. "\r\n\r\n",
    }
    for _, text in ipairs(malformed) do
      local err <const> = helper.raises(errors.ProtocolError, get, text)
      assert.is_truthy(err.message:find "^malformed response: ", err.message)
    end
    local truncated <const> = {
      "", "HTTP/1.1 200 OK", OK, OK .. "A: b\r\n", OK .. "Content-Length: 4\r\n\r\nabc",
      OK .. "Content-Length: 999999999999999999\r\n\r\nabc",
      CHUNKED .. "\r\n4\r\nabc", CHUNKED .. "\r\n4\r\nabcd",
      CHUNKED .. "\r\n1\r\na\r\n", CHUNKED .. "\r\n0\r\n",
    }
    for _, text in ipairs(truncated) do
      helper.raises(errors.TruncatedError, get, text)
    end
  end)

  ait("follows every kind of redirect, to the end", function()
    local statuses <const> = { 301, 302, 303, 307, 308 }
    local asked <const> = helper.trace()
    local server <close>, address = serve(function(n, head)
      asked(head:match "^GET (%S+)")
      local status <const> = statuses[n]
      return status and ("HTTP/1.1 %d Go\r\nLocation: %d?n=%d\r\n\r\n"):format(status, n, n)
        or "HTTP/1.1 200 OK\r\n\r\nthere"
    end)
    local page <const> = http.get(address .. "/a/b")
    local way <const> = { "/a/b", "/a/1?n=1", "/a/2?n=2", "/a/3?n=3", "/a/4?n=4", "/a/5?n=5" }
    assert.same(way, asked:list())
    assert.same({ "there", 5, address .. "/a/5?n=5" }, { page.body, page.redirects, page.url })
    assert.is_true(server:is_serving())
  end)

  ait("gives up on redirects that do not end, and takes those without a target", function()
    local server <close>, address = serve(function(n)
      return ("HTTP/1.1 302 Go\r\nLocation: /%d\r\n\r\n"):format(n)
    end)
    local err <const> = helper.raises(errors.RedirectError, http.get, address)
    assert.equal("more than 10 redirects", err.message)
    assert.is_true(server:is_serving())
    assert.equal("here", get("HTTP/1.1 302 Found\r\n\r\nhere").body)
    local answer = "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\n\r\n"
    helper.raises(errors.URLError, get, answer)
  end)
end)

describe("the fetcher", function()
  ait("runs as many as the limit at once, and keeps the order", function()
    local running, most = 0, 0
    local server <close>, address = serve(function(_, head)
      running = running + 1
      most = math.max(most, running)
      local i <const> = tonumber(head:match "^GET /(%d+)")
      asyncio.sleep(i % 3 * 0.002 + 0.001)
      running = running - 1
      return "HTTP/1.1 200 OK\r\n\r\n" .. ("x"):rep(i)
    end)
    local urls <const> = {}
    for i = 1, 20 do
      urls[i] = address .. "/" .. i
    end
    local records <const> = fetcher.fetch_all(urls, { limit = 4, timeout = 20 })
    assert.equal(20, #records)
    for i, record in ipairs(records) do
      assert.same({ urls[i], i, i, 200 }, { record.url, record.index, record.bytes, record.status })
      assert.is_true(record.start <= record.finish)
    end
    assert.is_true(most > 1 and most <= 4)
    assert.is_true(server:is_serving())
  end)

  ait("lets go of the connection when the time is over", function()
    local left <const> = asyncio.Future()
    local server <close>, address = serve(function(_, _, _, reader)
      left:set_result(reader:read "a")
    end)
    local record <const> = fetcher.fetch_all({ address }, { limit = 1, timeout = 0.02 })[1]
    assert.equal("timed out after 0.02 s", record.failure)
    assert.is_true(record.finish - record.start >= 0.02)
    assert.equal("", left:await())
    assert.is_true(server:is_serving())
  end)

  ait("passes on what is no failure of a page", function()
    local server <close>, address = serve(function()
      return "HTTP/1.1 200 OK\r\n\r\n"
    end)
    helper.raises("a mistake", fetcher.fetch_all, { address }, {
      limit = 1,
      timeout = 20,
      save = function()
        error "a mistake"
      end,
    })
    assert.is_true(server:is_serving())
  end)
end)

describe("addresses", function()
  it("are taken apart", function()
    local cases <const> = {
      ["http://Example.org"] = { "example.org", 80, "/" },
      ["HTTP://a:8080/x?y=z#w"] = { "a", 8080, "/x?y=z" },
      ["http://a:/"] = { "a", 80, "/" },
      ["http://a?q"] = { "a", 80, "/?q" },
      ["http://[::1]/"] = { "::1", 80, "/" },
      ["http://[FE80::1]:81/\u{fc}"] = { "fe80::1", 81, "/%C3%BC" },
    }
    for text, parts in pairs(cases) do
      local address <const> = url.parse(text)
      assert.same(parts, { address.host, address.port, address.target })
    end
    assert.equal("http://[::1]:81/%20", tostring(url.parse "http://[::1]:81/ "))
  end)

  it("are refused when they are none", function()
    local wrong <const> = {
      "", "a.org", "http:a", "http://", "http:///x", "http://:80/", "https://a/", "file:///x",
      "http://me@a/", "http://a:0/", "http://a:65536/", "http://a:99999999999999999999/",
      "http://a:b/", "http://[::1/", "http://[1]/", "http://a b/", "http://a/\r\nX: y",
      "http://a/\0",
    }
    for _, text in ipairs(wrong) do
      helper.raises(errors.URLError, url.parse, text)
    end
  end)

  it("are found relative to others", function() -- the examples of RFC 3986, 5.4
    local base <const> = url.parse "http://a/b/c/d;p?q"
    local cases <const> = {
      ["g"] = "/b/c/g", ["./g"] = "/b/c/g", ["g/"] = "/b/c/g/", ["/g"] = "/g",
      ["?y"] = "/b/c/d;p?y", ["g?y"] = "/b/c/g?y", ["#s"] = "/b/c/d;p?q", ["g#s"] = "/b/c/g",
      [";x"] = "/b/c/;x",
      ["g;x?y#s"] = "/b/c/g;x?y", [""] = "/b/c/d;p?q", ["."] = "/b/c/", ["./"] = "/b/c/",
      [".."] = "/b/", ["../g"] = "/b/g", ["../.."] = "/", ["../../g"] = "/g", ["../../../g"] = "/g",
      ["/./g"] = "/g", ["/../g"] = "/g", ["g."] = "/b/c/g.", ["..g"] = "/b/c/..g",
      ["./g/."] = "/b/c/g/",
      ["g/./h"] = "/b/c/g/h", ["g/../h"] = "/b/c/h", ["g?y/../x"] = "/b/c/g?y/../x",
    }
    for reference, target in pairs(cases) do
      assert.equal("http://a" .. target, tostring(url.resolve(base, reference)))
    end
    assert.equal("http://g/", tostring(url.resolve(base, "//g")))
    assert.equal("http://h:81/x", tostring(url.resolve(base, "http://h:81/x")))
  end)
end)

describe("the timeline", function()
  local records <const> = {
    { index = 1, start = 5, finish = 6 },
    { index = 2, start = 5.5, finish = 7, failure = "refused" },
    { index = 3, start = 7, finish = 9 },
  }

  it("shows when each ran, and how many at once", function()
    assert.same({
      "    #1 =====",
      "    #2   xxxxxxx",
      "    #3         ========",
      "  load ==@@@===@=======",
      "       0         4.00 s",
    }, timeline.lines(records, { width = 23, rows = 3 }))
  end)

  it("shows some of many, the first and the last among them", function()
    local lines <const> = timeline.lines(records, { width = 23, rows = 2, utf8 = true })
    assert.equal("    #1 " .. ("█"):rep(5), lines[1])
    assert.equal("    #3 " .. (" "):rep(8) .. ("█"):rep(8), lines[2])
    assert.equal(4, #lines)
  end)
end)
