-- A generator of random numbers of its own (splitmix64), so that a seed gives the
-- same numbers with every Lua. Each task of a schedule has one: what it draws
-- does not depend on the order in which the tasks run.

return function(seed)
  local state = seed * 0x9E3779B97F4A7C15
  -- an integer from 1 to n
  return function(n)
    state = state + 0x9E3779B97F4A7C15
    local z = (state ~ (state >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ~ (z >> 27)) * 0x94D049BB133111EB
    return ((z ~ (z >> 31)) >> 2) % n + 1
  end
end
