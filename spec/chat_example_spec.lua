-- examples/chat_server.lua, examples/chat_client.lua and its line editor.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local program = require "spec.program"
local ait <const> = helper.ait

local HOST <const> = "127.0.0.1"

describe("the chat's line editor", function()
  local path <const> = package.path
  package.path = "examples/?.lua;" .. path
  local editor <const> = require "chat.editor"
  package.path = path

  -- The lines that come of what is typed, and the editor.
  local function typed(...)
    local line <const>, lines <const> = editor.new "> ", {}
    for _, text in ipairs { ... } do
      line:type(text, function(each)
        lines[#lines + 1] = each
      end)
    end
    return table.concat(lines, "|"), line
  end

  it("knows its keys", function()
    local cases <const> = {
      ["one\rtwo\r"] = "one|two",
      ["ab\127c\8d\r"] = "ad",
      ["bc\27[H\27[Da\27[F\27[Cd\r"] = "abcd",
      ["ac\27[Db\27OC!\r"] = "abc!",
      ["abx\27[D\27[3~\27[3~\r"] = "ab",
      ["one two  \23three\r"] = "one three",
      ["gone\21kept\r"] = "kept",
      ["kept gone\1\6\6\6\6\11\r"] = "kept",
      ["\r\127\r"] = "",
      ["\27[15~x\0\31\r"] = "x",
      ["old\rnew\r\27[A\27[A\27[A!\r"] = "old|new|old!",
      ["old\rdraft\16\14\14\r"] = "old|draft",
      ["\u{E9}\u{20AC}\u{1F600}\127\127x\r"] = "\u{E9}x",
    }
    for keys, lines in pairs(cases) do
      assert.equal(lines, (typed(keys)))
      local bytes <const> = {}
      for byte in keys:gmatch "." do
        bytes[#bytes + 1] = byte
      end
      assert.equal(lines, (typed(table.unpack(bytes))), "byte by byte")
    end
  end)

  it("says when the user leaves", function()
    local _, line = typed "x"
    assert.is_false(line:type("\4", error))
    assert.is_true(line:type("\127\4", error))
    assert.is_true(line:type("abc\3", error))
  end)

  it("draws what there is room for", function()
    local _, line = typed "abcdefghij"
    assert.equal("\r> abcdefghij\27[K\r\27[12C", line:draw(80))
    assert.equal("\r> ghij\27[K\r\27[6C", line:draw(7))
    line:type("\1", error)
    assert.equal("\r> abcd\27[K\r\27[2C", line:draw(7))
    line:type("\5", error)
    assert.equal("\r\27[Knews\r\n\r> abcdefghij\27[K\r\27[12C", line:print("news", 80))
  end)
end)

describe("chat_server.lua and chat_client.lua", function()
  local function start_server()
    local child <const> = program.start("chat_server.lua", { HOST .. ":0" })
    local greeting <const> = "^listening on 127%.0%.0%.1:(%d+)\n$"
    return child, tonumber(child:read_until(greeting):match(greeting))
  end

  local function join(port, name)
    local reader <const>, writer <const> = asyncio.open_connection(HOST, port)
    writer:write(name .. "\n")
    return reader, writer
  end

  it("say how they are used", function()
    program.check_usage("chat_server.lua", {
      ["'7' is not HOST:PORT"] = { "7" },
      ["one address is enough: there is no use for 'b:2'"] = { "a:1", "b:2" },
    })
    program.check_usage("chat_client.lua", { ["a name is needed"] = { HOST .. ":7" } })
  end)

  ait("bring what one says to all", function()
    local server <close>, port <const> = start_server()
    local reader1 <const>, writer1 <const> = join(port, "one")
    assert.equal("* one has come\n", reader1:readline())
    local reader2 <const>, writer2 <const> = join(port, "two")
    assert.equal("* two has come\n", reader1:readline())
    assert.equal("* two has come\n", reader2:readline())
    writer2:write "hello\27[J\r\n"
    assert.equal("two: hello[J\n", reader1:readline())
    assert.equal("two: hello[J\n", reader2:readline())
    writer2:close()
    assert.equal("* two has gone\n", reader1:readline())
    writer1:write_eof()
    assert.equal("", reader1:read "a")
    writer1:close()
    server:interrupt()
    local text <const>, status <const> = server:wait()
    assert.matches("\nstopped\n$", text)
    assert.equal(0, status)
  end)

  it("talk from a file", function()
    local server <close>, port <const> = start_server()
    local source <const> = 'arg[0] = "examples/chat_client.lua" dofile(arg[0])'
    local opts <const> = { args = { "--name", "me", HOST .. ":" .. port }, stdin = "one\ntwo" }
    assert.equal("* me has come\nme: one\nme: two\n", helper.check_script(source, opts))
    server:interrupt()
    server:wait()
  end)

  it("talk from a terminal", function()
    if not program.has_terminals() then
      return
    end
    local server <close>, port <const> = start_server()
    -- what is typed comes when the greeting has, and the next when the line has
    local source <const> = [[
      local asyncio = require "asyncio"
      local write, step = asyncio.StreamWriter, 0
      local methods = getmetatable(write).__index
      local plain = methods.write
      function methods.write(self, text)
        plain(self, text)
        if step == 0 and text:find "has come" then
          step = 1
          os.execute "printf 'helo\\033[Dl\\r' >&3"
        elseif step == 1 and text:find "me: hello" then
          step = 2
          os.execute "printf '\\003' >&3"
        end
      end
      arg[0] = "examples/chat_client.lua"
      dofile(arg[0])
    ]]
    local fifo <const> = os.tmpname()
    local shell <const> = ("rm %s; mkfifo %s; exec 3<>%s; rm %s; "):format(fifo, fifo, fifo, fifo)
      .. "SHELL=/bin/sh script -qec 'stty cols 80 rows 24; exec %s' /dev/null <&3"
    local args <const> = { "--name", "me", HOST .. ":" .. port }
    local opts <const> = { args = args, shell = shell }
    local out <const> = helper.check_script(source, opts)
    assert.is_truthy(out:find("\r\27[K* me has come\r", 1, true), out)
    assert.is_truthy(out:find("\r\27[Kme: hello\r", 1, true), out)
    server:interrupt()
    server:wait()
  end)

  it("say that there is no server", function()
    local arguments <const> = { "--name", "x", HOST .. ":1" }
    local text <const>, status <const> = program.run("chat_client.lua", arguments)
    assert.matches("^chat_client.lua: connect 127.0.0.1:1: connection refused", text)
    assert.equal(1, status)
  end)
end)
