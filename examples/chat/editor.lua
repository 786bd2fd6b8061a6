-- A line editor for a terminal in raw mode. It knows no terminal: it is given
-- what is typed, and says what is to be written.

local Editor <const> = {}
Editor.__index = Editor

local function new(prompt)
  -- characters, the place before which the next one comes, and older lines
  return setmetatable({ prompt = prompt, chars = {}, at = 1, rest = "", history = {}, back = 0 },
    Editor)
end

local function characters(text)
  local list <const> = {}
  for char in text:gmatch "[^\128-\191][\128-\191]*" do
    list[#list + 1] = char
  end
  return list
end

function Editor:set(text)
  self.chars = characters(text)
  self.at = #self.chars + 1
end

function Editor:insert(char)
  table.insert(self.chars, self.at, char)
  self.at = self.at + 1
end

-- Removes the characters from one place to before another.
function Editor:cut(from, to)
  for _ = from, to - 1 do
    table.remove(self.chars, from)
  end
  self.at = from
end

-- Shows an older line, or a newer one; 0 is the one that is written now.
function Editor:recall(step)
  local back <const> = self.back + step
  if back < 0 or back > #self.history then
    return
  elseif self.back == 0 then
    self.draft = table.concat(self.chars)
  end
  self.back = back
  self:set(back == 0 and self.draft or self.history[#self.history + 1 - back])
end

local function start_of_word(self)
  local at = self.at
  while at > 1 and self.chars[at - 1] == " " do
    at = at - 1
  end
  while at > 1 and self.chars[at - 1] ~= " " do
    at = at - 1
  end
  return at
end

local function left(self)
  self.at = math.max(self.at - 1, 1)
end

local function right(self)
  self.at = math.min(self.at + 1, #self.chars + 1)
end

local function home(self)
  self.at = 1
end

local function to_end(self)
  self.at = #self.chars + 1
end

local function backspace(self)
  if self.at > 1 then
    self:cut(self.at - 1, self.at)
  end
end

local function delete(self)
  if self.at <= #self.chars then
    self:cut(self.at, self.at + 1)
  end
end

local function older(self)
  self:recall(1)
end

local function newer(self)
  self:recall(-1)
end

local KEYS <const> = {
  ["\27[D"] = left, ["\2"] = left,
  ["\27[C"] = right, ["\6"] = right,
  ["\27[H"] = home, ["\27[1~"] = home, ["\1"] = home,
  ["\27[F"] = to_end, ["\27[4~"] = to_end, ["\5"] = to_end,
  ["\27[A"] = older, ["\16"] = older,
  ["\27[B"] = newer, ["\14"] = newer,
  ["\127"] = backspace, ["\8"] = backspace,
  ["\27[3~"] = delete,
  ["\11"] = function(self) -- Ctrl-K
    self:cut(self.at, #self.chars + 1)
  end,
  ["\21"] = function(self) -- Ctrl-U
    self:cut(1, self.at)
  end,
  ["\23"] = function(self) -- Ctrl-W
    self:cut(start_of_word(self), self.at)
  end,
}

-- How many bytes the character has that begins with this one.
local function length_of(byte)
  return byte < 0xC2 and 1 or byte < 0xE0 and 2 or byte < 0xF0 and 3 or 4
end

-- The first key of the text, and what follows; nil if it is not whole.
local function next_key(text)
  if text == "" or text:find "^\27[O%[]?[%d;]*$" or #text < length_of(text:byte()) then
    return nil, text
  end
  local key <const> = text:match "^\27[O%[][%d;]*." or text:sub(1, length_of(text:byte()))
  return (key:gsub("^\27O", "\27[")), text:sub(#key + 1)
end

-- Takes what was typed; calls on_line for each line. Returns whether the user
-- wants to leave.
function Editor:type(text, on_line)
  local key
  self.rest = self.rest .. text
  while true do
    key, self.rest = next_key(self.rest)
    if not key then
      return false
    elseif key == "\3" or (key == "\4" and #self.chars == 0) then
      return true
    elseif key == "\r" or key == "\n" then
      local line <const> = table.concat(self.chars)
      self:set ""
      self.back = 0
      if line ~= "" then
        table.insert(self.history, line)
        on_line(line)
      end
    elseif KEYS[key] then
      KEYS[key](self)
    elseif key:byte() >= 32 and key ~= "\127" then
      self:insert(key)
    end
  end
end

-- What draws the line anew: as much of it as there is room for.
function Editor:draw(columns)
  local room <const> = math.max(columns - #self.prompt - 1, 1)
  local first <const> = math.max(self.at - room, 1)
  local shown <const> = table.concat(self.chars, "", first, math.min(first + room - 1, #self.chars))
  local column <const> = #self.prompt + self.at - first
  return ("\r%s%s\27[K\r\27[%dC"):format(self.prompt, shown, column)
end

-- What writes a line above it.
function Editor:print(line, columns)
  return "\r\27[K" .. line .. "\r\n" .. self:draw(columns)
end

return { new = new }
