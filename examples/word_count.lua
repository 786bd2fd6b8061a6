-- Counts the words of a large file on all cores: each job takes a piece of it,
-- and what they found is added up as it comes.
--
--   word_count.lua [--workers N | --processes N] [--size MIB | FILE]
--
-- Without a file one is written, of that size. A line shows how far it is.

local directory <const> = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local asyncio = require "asyncio"
local drawing = require "shared.drawing"
local options = require "shared.options"
local terminal = require "shared.terminal"

local USAGE <const> = [[
usage: lua5.4 word_count.lua [--workers N | --processes N] [--size MIB | FILE]
  --workers N    threads; as many as there are cores
  --processes N  processes, in their place
  --size MIB     how large a file to write where none is given; 16
]]

local PIECE <const> = 1 << 20

local function set_file(opts, word)
  if opts.file then
    options.wrong("one file at a time, not '%s' too", word)
  end
  local file <const>, why <const> = io.open(word, "rb")
  if not file then
    options.wrong("%s", why)
  end
  file:close()
  opts.file = word
end

local function parse(arguments)
  local opts <const> = options.parse(arguments, {
    ["--workers"] = options.integer("workers", 1, 1000),
    ["--processes"] = options.integer("processes", 1, 1000),
    ["--size"] = options.integer("size", 1, 10000),
    WORD = set_file,
  }, {})
  if opts.workers and opts.processes then
    options.wrong "--workers and --processes exclude each other"
  elseif opts.size and opts.file then
    options.wrong "--size is for a file that is written, not for a given one"
  end
  opts.workers = opts.workers or asyncio.cpu_count()
  opts.size = opts.size or 16
  return opts
end

-- Runs in a worker: how often each word begins in that piece of the file. A word
-- that goes on into the next piece is read to its end.
local function count_words(name, from, size)
  local file <close> = assert(io.open(name, "rb"))
  local skip = false
  if from > 0 then
    file:seek("set", from - 1)
    skip = file:read(1):find "%a" ~= nil
  end
  local text = file:read(size) or ""
  local rest = file:read(1)
  while rest and rest:find "%a" and text:find "%a$" do
    text = text .. rest
    rest = file:read(1)
  end
  if skip then -- the piece before has the word that it begins in
    text = text:gsub("^%a+", "")
  end
  local counts = {}
  for word in text:gmatch "%a+" do
    word = word:lower()
    counts[word] = (counts[word] or 0) + 1
  end
  return counts
end

-- A file of words, of which the first are the most frequent.
local function write_file(name, size)
  local syllables <const> = { "ka", "lo", "mi", "ne", "ru", "ta", "so", "pe" }
  local words <const> = {}
  for i = 0, 511 do
    words[i + 1] = syllables[i // 64 + 1] .. syllables[i // 8 % 8 + 1] .. syllables[i % 8 + 1]
  end
  local file <close> = assert(io.open(name, "wb"))
  local state, line, written = 42, {}, 0
  while written < size do
    for k = 1, 12 do
      state = state * 1103515245 + 12345 & 0x7fffffff
      line[k] = words[math.floor((state / 0x80000000) ^ 3 * #words) + 1]
    end
    local text <const> = table.concat(line, " ") .. "\n"
    file:write(text)
    written = written + #text
  end
end

-- The pieces of the file, one after the other: what count_words takes.
local function pieces(name)
  local file <close> = assert(io.open(name, "rb"))
  local names, froms, sizes = {}, {}, {}
  for from = 0, file:seek "end" - 1, PIECE do
    names[#names + 1], froms[#froms + 1], sizes[#sizes + 1] = name, from, PIECE
  end
  return names, froms, sizes
end

local function progress(look, done, all)
  if look.live then
    local bar <const> = drawing.bar(look, done / all, 40, "green")
    io.stderr:write(("\r%s %d/%d"):format(bar, done, all), done == all and "\n" or "")
  end
end

local function count(opts, name, look)
  local pool <close> = opts.processes and asyncio.ProcessPoolExecutor(opts.processes)
    or asyncio.ThreadPoolExecutor(opts.workers)
  local names <const>, froms <const>, sizes <const> = pieces(name)
  local total, done = {}, 0
  for counts in pool:map(count_words, names, froms, sizes) do
    for word, n in pairs(counts) do
      total[word] = (total[word] or 0) + n
    end
    done = done + 1
    progress(look, done, #names)
  end
  return total
end

local function print_most_frequent(total, n)
  local words, sum = {}, 0
  for word, times in pairs(total) do
    words[#words + 1] = word
    sum = sum + times
  end
  table.sort(words, function(a, b)
    return total[a] > total[b] or total[a] == total[b] and a < b
  end)
  print(("%d words, %d different ones"):format(sum, #words))
  for i = 1, math.min(n, #words) do
    print(("%8d  %s"):format(total[words[i]], words[i]))
  end
end

local function main(opts)
  local look <const> = {
    live = terminal.is_terminal(2),
    utf8 = terminal.is_utf8(),
    colours = terminal.has_colours(),
  }
  local name = opts.file
  if not name then
    name = os.tmpname()
    asyncio.to_thread(write_file, name, opts.size << 20)
  end
  local start <const> = asyncio.get_running_loop():time()
  local total <const> = count(opts, name, look)
  local seconds <const> = asyncio.get_running_loop():time() - start
  if not opts.file then
    os.remove(name)
  end
  print_most_frequent(total, 10)
  local workers <const> = opts.processes or opts.workers
  io.stderr:write(("%.2f s with %d workers\n"):format(seconds, workers))
end

asyncio.run(main, options.read("word_count.lua", USAGE, parse))
