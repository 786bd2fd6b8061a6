-- A checkout: a line of customers, and a cashier who serves them.

local asyncio = require "asyncio"
local customers = require "supermarket.customers"

local Checkout <const> = {}
Checkout.__index = Checkout

local checkout = {}

-- A closed one. The list of those who wait is there to be looked at: a queue
-- only tells who is next.
function checkout.new(number)
  local self <const> = { number = number, state = "closed", waiting = {} }
  self.served, self.items, self.busy = 0, 0, 0
  return setmetatable(self, Checkout)
end

-- How many are in the way of who comes now.
function Checkout:length()
  return #self.waiting + (self.customer and 1 or 0)
end

-- The customer stands in line now, and waits for the turn.
function Checkout:join(customer)
  self.line:put(customer) -- at once, for the line may be of any length
  self.waiting[#self.waiting + 1] = customer
end

-- The customer waits no more.
function Checkout:leave(customer)
  for i, other in ipairs(self.waiting) do
    if other == customer then
      return table.remove(self.waiting, i)
    end
  end
end

-- A customer who has lost patience is still in the queue, which cannot be
-- reached into; that the turn is cancelled tells.
local function serve(self, shop, customer)
  if customer.turn:done() then
    return
  end
  customer.turn:set_result(self)
  self:leave(customer)
  self.customer, self.since = customer, shop.clock:now()
  customer.state, customer.waited = "paying", self.since - customer.joined
  local line <const> = "checkout %d serves customer %d, who has waited for %.1f min"
  shop.view:tell(line, self.number, customer.number, customer.waited)
  shop.clock:sleep(customer.paying)
  self.customer = nil
  self.served, self.items = self.served + 1, self.items + customer.items
  self.busy = self.busy + customer.paying
  customer.paid:set_result()
end

-- Opens, with a cashier who serves one customer after the other until the line
-- is shut down and empty.
function Checkout:open(shop)
  self.line = asyncio.PriorityQueue(0, customers.before)
  self.state = "open"
  shop.view:tell("checkout %d opens", self.number)
  self.cashier = asyncio.create_task(function()
    for customer in self.line:items() do
      serve(self, shop, customer)
    end
    self.state = "closed"
    shop.view:tell("checkout %d is closed", self.number)
  end)
  self.cashier:set_name("cashier " .. self.number)
end

-- Nobody can join any more; who stands in line is served.
function Checkout:close(shop)
  self.state = "closing"
  self.line:shutdown()
  shop.view:tell("checkout %d takes nobody else", self.number)
end

return checkout
