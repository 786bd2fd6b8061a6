-- Prints rows of text in columns: the first to the left, the others right.

return function(rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i = 1, #row do
      widths[i] = math.max(widths[i] or 0, #row[i])
    end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for i = 1, #row do
      local pad = string.rep(" ", widths[i] - #row[i])
      cells[i] = i == 1 and row[i] .. pad or pad .. row[i]
    end
    print("  " .. table.concat(cells, "   "))
  end
end
