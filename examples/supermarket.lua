-- A supermarket: customers come and queue, cashiers serve them, and in the
-- queues between them some go before others.
--
--   lua5.4 examples/supermarket.lua [--customers N] [--checkouts N] [--seed N]
--     [--speed X]
--
-- It shows
-- * a task for each customer and for each cashier, all with lives of their own;
-- * PriorityQueue with an order of one's own: a card first, then few items;
-- * queue:shutdown() for a checkout that closes: it serves those in line;
-- * patience, a wait with a timeout, after which just one of two things is true:
--   the customer's turn has come, or the customer has left.

local here <const> = arg[0]:match "^(.*)[/\\][^/\\]*$" or "."
package.path = here .. "/?.lua;" .. package.path

local asyncio = require "asyncio"
local checkout = require "supermarket.checkout"
local clock = require "supermarket.clock"
local command_line = require "shared.options"
local customers = require "supermarket.customers"
local options = require "supermarket.options"
local statistics = require "supermarket.statistics"
local views = require "supermarket.view"

-- Lines so long on average make another checkout open.
local LONG <const> = 2.5

-- The open checkout with the shortest line.
local function shortest(shop)
  local best
  for _, other in ipairs(shop.checkouts) do
    if other.state == "open" and (not best or other:length() < best:length()) then
      best = other
    end
  end
  return best
end

-- What a customer does, from coming to leaving.
local function visit(shop, customer)
  local number <const> = customer.number
  shop.view:tell("customer %d comes, for %s", number, customers.basket(customer))
  customer.state = "shopping"
  shop.clock:sleep(customer.shopping)

  local chosen <const> = shortest(shop)
  shop.view:tell("customer %d queues at checkout %d", number, chosen.number)
  customer.state, customer.joined = "waiting", shop.clock:now()
  customer.turn, customer.paid = asyncio.Future(), asyncio.Future()
  chosen:join(customer)

  -- At the timeout the turn may have come just now. Only one that has not can be
  -- cancelled, and then it cannot come any more.
  asyncio.wait({ customer.turn }, { timeout = shop.clock:seconds(customer.patience) })
  if customer.turn:cancel() then
    chosen:leave(customer)
    customer.state, customer.waited = "gone", shop.clock:now() - customer.joined
    shop.view:tell("customer %d has lost patience after %.1f min", number, customer.waited)
  else
    customer.paid:await()
    customer.state = "paid"
    shop.view:tell("customer %d has paid", number)
  end
end

-- Opens a checkout where lines are long, closes one where they are short.
local function look_after(shop)
  local open, waiting, closed = 0, 0, nil
  for _, each in ipairs(shop.checkouts) do
    waiting = waiting + #each.waiting
    open = open + (each.state == "open" and 1 or 0)
    closed = closed or each.state == "closed" and each
  end
  if closed and waiting > LONG * open then
    closed:open(shop)
  elseif open > 1 and waiting < open then
    shortest(shop):close(shop)
  end
end

local function manage(shop)
  while true do
    shop.clock:sleep(1)
    look_after(shop)
  end
end

-- Closes all checkouts, and waits until they are closed.
local function close(shop)
  local cashiers <const> = {}
  for _, each in ipairs(shop.checkouts) do
    if each.state == "open" then
      each:close(shop)
    end
    cashiers[#cashiers + 1] = each.cashier -- nil where it never was open
  end
  asyncio.gather(cashiers):await()
end

-- A day. Ctrl-C cancels it, and then run cancels everybody else.
local function main(shop)
  shop.clock = clock.start(shop.opts.speed)
  asyncio.create_task(shop.view.follow, shop.view):set_name "view"
  shop.checkouts[1]:open(shop)
  local manager <const> = asyncio.create_task(manage, shop):set_name "manager"
  local visits <const> = {}
  for i, customer in ipairs(shop.customers) do
    shop.clock:sleep_until(customer.arrival)
    visits[i] = asyncio.create_task(visit, shop, customer):set_name("customer " .. i)
  end
  asyncio.gather(visits):await()
  manager:cancel()
  close(shop)
end

local function new_shop(opts)
  local shop <const> = { opts = opts, checkouts = {} }
  shop.customers = customers.make(opts.customers, opts.seed)
  for i = 1, opts.checkouts do
    shop.checkouts[i] = checkout.new(i)
  end
  return shop
end

-- Returns whether the day came to its end. The view is closed out here, where no
-- Ctrl-C can keep it from that.
local function run(shop)
  local view <close> = views.open(shop)
  shop.view = view
  return (asyncio.catch(asyncio.KeyboardInterrupt, asyncio.run, main, shop))
end

local opts <const> = command_line.read("supermarket.lua", options.USAGE, options.parse)
local shop <const> = new_shop(opts)
local finished <const> = run(shop)
statistics.write(io.stdout, shop, finished)
os.exit(finished and 0 or 130, true)
