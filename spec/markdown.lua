-- Reads Markdown as far as the specs of the documentation need it: headings,
-- fenced blocks, and links.

local markdown = {}

-- A line that begins or ends a fenced block: its indent, fence and info string.
local function fence_of(line)
  local indent, fence, info = line:match "^(%s*)(```+)%s*(.-)%s*$"
  if fence and not info:find "`" then
    return indent, fence, info
  end
  return nil
end

local function add_heading(page, line, number)
  local marks, text = line:match "^(#+)%s+(.-)%s*#*$"
  if marks then
    page.headings[#page.headings + 1] = { level = #marks, text = text, line = number }
  end
end

-- Links but for those in code.
local function add_links(page, line, number)
  for target in line:gsub("`[^`]*`", ""):gmatch "%]%(([^%s)]+)%)" do
    page.links[#page.links + 1] = { target = target, line = number }
  end
end

-- A block within the lines, the first of which opens it: adds it to the page and
-- returns the number of the line that closes it.
local function add_block(page, lines, first)
  local indent, fence, info = fence_of(lines[first])
  local block = { info = info, line = first }
  local text, number = {}, first + 1
  while lines[number] and select(2, fence_of(lines[number])) ~= fence do
    text[#text + 1] = lines[number]:gsub("^" .. indent, "")
    number = number + 1
  end
  block.text = table.concat(text, "\n") .. "\n"
  block.last, block.closed = number, lines[number] ~= nil
  page.blocks[#page.blocks + 1] = block
  return number
end

-- Notes what stands directly behind a block, with blank lines at most between.
local function link_blocks(page, lines)
  for i = 1, #page.blocks - 1 do
    local block, following = page.blocks[i], page.blocks[i + 1]
    if table.concat(lines, "", block.last + 1, following.line - 1):find "^%s*$" then
      block.next = following
    end
  end
end

-- A page: lists of its headings {level, text, line}, its blocks {info, text,
-- line, last, closed, next} and its links {target, line}.
function markdown.parse(text)
  local page = { headings = {}, blocks = {}, links = {} }
  local lines = {}
  for line in (text:gsub("\n?$", "\n")):gmatch "([^\n]*)\n" do
    lines[#lines + 1] = line
  end
  local number = 1
  while number <= #lines do
    if fence_of(lines[number]) then
      number = add_block(page, lines, number)
    else
      add_heading(page, lines[number], number)
      add_links(page, lines[number], number)
    end
    number = number + 1
  end
  link_blocks(page, lines)
  return page
end

-- The anchors of a page's headings, as the usual viewers make them.
function markdown.anchors(page)
  local anchors, seen = {}, {}
  for _, heading in ipairs(page.headings) do
    local anchor = heading.text:lower():gsub("[^%w_%- \128-\255]", ""):gsub(" ", "-")
    local n = seen[anchor]
    seen[anchor] = (n or 0) + 1
    anchors[n and anchor .. "-" .. n or anchor] = true
  end
  return anchors
end

return markdown
