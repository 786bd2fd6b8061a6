-- Who comes, when, and with what: all that is left to chance. Times are minutes.

local customers = {}

-- The kinds of customers. The first go first.
customers.KINDS = { "card", "few items", "others" }

local FEW <const> = 5

-- A number of this mean, as the time between two that come by chance.
local function exponential(mean)
  return -mean * math.log(1 - math.random())
end

-- Few come when the day begins and ends, many at noon; 0 <= part <= 1.
local function mean_gap(part)
  return 0.5 + 3 * (2 * part - 1) ^ 2
end

local function new(number, arrival)
  local self <const> = { number = number, arrival = arrival }
  self.items = math.min(1 + math.floor(exponential(13)), 60)
  self.has_card = math.random() < 0.12
  self.kind = self.has_card and 1 or self.items <= FEW and 2 or 3
  self.shopping = 1 + self.items * 0.2 + exponential(2) -- how long it takes
  self.patience = 6 + 10 * math.random()
  self.paying = 0.6 + self.items * 0.15
  self.state = "coming" -- then "shopping", "waiting", "paying"; at last "paid" or "gone"
  return self
end

-- So many customers, in the order in which they come; the same for one seed.
function customers.make(count, seed)
  math.randomseed(seed)
  local list <const> = {}
  local time = 0
  for number = 1, count do
    time = time + exponential(mean_gap(number / count))
    list[number] = new(number, time)
  end
  return list
end

-- What a customer has come for, and with: "12 items and a card".
function customers.basket(customer)
  local items <const>, card <const> = customer.items, customer.has_card and " and a card" or ""
  return ("%d item%s%s"):format(items, items == 1 and "" or "s", card)
end

-- Whether one customer goes before another. Equals go in the order in which they
-- came, which is the queue's own rule.
function customers.before(a, b)
  return a.kind < b.kind
end

return customers
