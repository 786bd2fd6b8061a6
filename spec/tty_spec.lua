-- Terminals: their mode and their size. The programs run in terminals made by
-- util-linux's "script".

local asyncio = require "asyncio"
local helper = require "spec.helper"
local program = require "spec.program"
local ait <const> = helper.ait

describe("a terminal", function()
  if not program.has_terminals() then
    return
  end

  -- Runs the main task's body in a terminal of 91 columns and 17 rows; what is
  -- written to descriptor 3 is typed. (The program must lead the session, or it
  -- would be in the background.)
  local function check(body)
    local source <const> = ([[
      local asyncio = require "asyncio"
      local function show_mode()
        os.execute "stty -a </dev/tty | grep -o -e -*icanon"
      end
      local function main()
        %s
      end
      local ok, err = pcall(asyncio.run, main)
      print(ok and "ok" or tostring(err))
      show_mode()
    ]]):format(body)
    local fifo <const> = os.tmpname()
    local shell <const> = ("rm %s; mkfifo %s; exec 3<>%s; rm %s; "):format(fifo, fifo, fifo, fifo)
      .. "SHELL=/bin/sh script -qec 'stty cols 91 rows 17; exec %s' /dev/null <&3 | tr -d '\\r'"
    return helper.check_script(source, { shell = shell })
  end

  it("has a size, also after it changed", function()
    local out <const> = check [[
      local writer = asyncio.stdout()
      print(writer:get_winsize())
      print(asyncio.stderr():get_winsize())
      local next_signal = asyncio.signals "WINCH"
      os.execute "stty cols 50 rows 10 </dev/tty"
      print(next_signal(), writer:get_winsize())
    ]]
    assert.equal("91\t17\n91\t17\nSIGWINCH\t50\t10\nok\nicanon\n", out)
  end)

  it("gives single keys in raw mode, and echoes nothing", function()
    local out <const> = check([[
      local reader = asyncio.stdin()
      local _ <close> = reader:set_mode "raw"
      os.execute "printf \"a\\003b\\033[\" >&3"
      print((reader:readexactly(5):gsub("%c", function(c)
        return "^" .. c:byte()
      end)))
    ]])
    assert.equal("a^3b^27[\nok\nicanon\n", out)
  end)

  for name, ending in pairs {
    ["at the end of the scope"] = "do local _ <close> = reader:set_mode 'raw' end",
    ["by hand"] = "reader:set_mode 'raw' reader:set_mode 'normal'",
    ["at the end of run"] = "reader:set_mode 'raw'",
    ["when the main task fails"] = "reader:set_mode 'raw' error 'failed'",
    ["when the reader is closed"] = "reader:set_mode 'raw' reader:close()",
  } do
    it("is in normal mode again " .. name, function()
      local body <const> = ("local reader = asyncio.stdin(); %s"):format(ending:gsub("'", '"'))
      local out <const> = check(body)
      assert.matches("\nicanon\n$", "\n" .. out)
      assert.is_nil(out:find "-icanon")
    end)
  end

  it("nests scopes", function()
    local out <const> = check([[
      local reader = asyncio.stdin()
      do
        local _ <close> = reader:set_mode "raw"
        do
          local _ <close> = reader:set_mode "normal"
          show_mode()
        end
        show_mode()
      end
      show_mode()
      local scope = reader:set_mode "raw"
      reader:close()
      local _ <close> = scope
    ]])
    assert.equal("icanon\n-icanon\nicanon\nok\nicanon\n", out)
  end)

  it("can be raw while a task reads", function()
    local out <const> = check([[
      local reader = asyncio.stdin()
      local reading = asyncio.create_task(reader.read, reader, 1)
      asyncio.sleep(0)
      local _ <close> = reader:set_mode "raw"
      os.execute "printf k >&3"
      print(reading:await())
    ]])
    assert.equal("k\nok\nicanon\n", out)
  end)
end)

describe("a stream that is no terminal", function()
  ait("has no mode, and no size", function()
    local reader <const>, writer <close> = asyncio.pipe()
    for _, mode in ipairs { "raw", "normal" } do
      assert.equal("ENOTTY", helper.raises(asyncio.OSError, reader.set_mode, reader, mode).code)
    end
    local err <const> = helper.raises(asyncio.OSError, writer.get_winsize, writer)
    assert.equal("ENOTTY", err.code)
    assert.equal("get_winsize", err.syscall)
    helper.raises("bad argument #1 to 'set_mode'", reader.set_mode, reader, "cooked")
    helper.raises("bad argument #1 to 'set_mode'", reader.set_mode, reader)
    helper.raises("StreamReader expected", reader.set_mode, writer, "raw")
    helper.raises("StreamWriter expected", writer.get_winsize, reader)
    reader:close()
    assert.equal("EBADF", helper.raises(asyncio.OSError, reader.set_mode, reader, "raw").code)
  end)

  it("stays what it is where stdin is none", function()
    helper.check_script [[
      local asyncio = require "asyncio"
      asyncio.run(function()
        assert(not pcall(asyncio.stdin().set_mode, asyncio.stdin(), "raw"))
        assert(not pcall(asyncio.stdout().get_winsize, asyncio.stdout()))
      end)
    ]]
  end)
end)
