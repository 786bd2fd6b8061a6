-- Descriptors that can be watched, for the specs that do so: named pipes.

local fifo = {}

-- Opens an end of a pipe; nothing of it is buffered.
function fifo.open(path, mode)
  local file = assert(io.open(path, mode))
  file:setvbuf "no"
  return file
end

-- The reading and the writing end of a new pipe, and one that does both.
function fifo.pipe()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkfifo " .. path))
  local both = fifo.open(path, "r+") -- the others would wait for each other
  local r, w = fifo.open(path, "r"), fifo.open(path, "w")
  os.remove(path)
  return r, w, both
end

return fifo
