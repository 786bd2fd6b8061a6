-- What is said at the end.

local report = {}

local function count(n, word)
  return ("%d %s%s"):format(n, word, n == 1 and "" or "s")
end

-- Jobs that were made and are neither done nor given up are left, whether they
-- were begun or not.
function report.write(out, bank, finished)
  local left <const> = bank.made - bank.done - bank.failed
  if not finished then
    out:write "interrupted\n"
  end
  out:write(("%s: %d done, %d failed, %d left\n"):format(
    count(bank.made, "job"), bank.done, bank.failed, left
  ))
  if bank.started then
    local seconds <const> = bank.loop:time() - bank.started
    local line <const> = "%.2f s of work in %.2f s (%.1fx)\n"
    out:write(line:format(bank.spent, seconds, bank.spent / math.max(seconds, 1e-6)))
  end
end

return report
