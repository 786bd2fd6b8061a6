-- examples/supermarket.lua, as a program, and its checkouts.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local program = require "spec.program"

package.path = "examples/?.lua;" .. package.path
local checkouts = require "supermarket.checkout"
local customers = require "supermarket.customers"

local ait <const> = helper.ait

local NAME <const> = "supermarket.lua"

-- A program in which customers cannot say what they have come for.
local BROKEN <const> = [[
package.path = "examples/?.lua;" .. package.path
require "supermarket.customers".basket = function()
  error "a mistake"
end
]]

local CARD <const>, FEW <const>, OTHER <const> = 1, 2, 3

-- The books of what happens: customers by number, with kind, state and checkout;
-- checkouts by number, with state and the list of those who wait.
local Book <const> = {}
Book.__index = Book

local function new_book()
  return setmetatable({ customers = {}, checkouts = {}, came = 0, paid = 0, gone = 0 }, Book)
end

function Book:open(number)
  local checkout <const> = self.checkouts[number]
  assert.is_true(not checkout or checkout.state == "closed")
  self.checkouts[number] = { state = "open", waiting = {} }
end

function Book:close(number)
  assert.equal("open", self.checkouts[number].state)
  self.checkouts[number].state = "closing"
end

function Book:closed(number)
  local checkout <const> = self.checkouts[number]
  assert.equal("closing", checkout.state)
  assert.same({}, checkout.waiting)
  checkout.state = "closed"
end

function Book:come(number, basket)
  self.came = self.came + 1
  assert.equal(self.came, tonumber(number))
  local items <const> = tonumber(basket:match "^%d+")
  local kind <const> = basket:find "and a card$" and CARD or items <= 5 and FEW or OTHER
  self.customers[number] = { state = "shopping", kind = kind }
end

function Book:queue(number, at)
  local customer <const>, checkout <const> = self.customers[number], self.checkouts[at]
  assert.equal("shopping", customer.state)
  assert.equal("open", checkout.state)
  customer.state, customer.at, customer.alone = "waiting", at, #checkout.waiting == 0
  table.insert(checkout.waiting, customer)
end

-- Takes the customer out of the line, and returns those who were before and
-- those who were behind.
local function leave(checkout, customer)
  for i, other in ipairs(checkout.waiting) do
    if other == customer then
      table.remove(checkout.waiting, i)
      local waiting <const> = checkout.waiting
      return table.move(waiting, 1, i - 1, 1, {}), table.move(waiting, i, #waiting, 1, {})
    end
  end
  error "the customer does not stand in that line"
end

-- Nobody may be in line who should go first. But who comes when nobody waits may
-- be in the cashier's hands before anybody else comes.
function Book:serve(at, number)
  local customer <const> = self.customers[number]
  assert.same({ "waiting", at }, { customer.state, customer.at })
  local earlier <const>, later <const> = leave(self.checkouts[at], customer)
  for _, other in ipairs(earlier) do
    assert.is_true(customer.alone or customer.kind < other.kind)
  end
  for _, other in ipairs(later) do
    assert.is_true(customer.alone or customer.kind <= other.kind)
  end
  customer.state = "served"
end

function Book:lose(number)
  local customer <const> = self.customers[number]
  assert.equal("waiting", customer.state)
  leave(self.checkouts[customer.at], customer)
  customer.state, self.gone = "gone", self.gone + 1
end

function Book:pay(number)
  assert.equal("served", self.customers[number].state)
  self.customers[number].state, self.paid = "paid", self.paid + 1
end

local EVENTS <const> = {
  { "^checkout (%d+) opens$", Book.open },
  { "^checkout (%d+) takes nobody else$", Book.close },
  { "^checkout (%d+) is closed$", Book.closed },
  { "^checkout (%d+) serves customer (%d+), who has waited for %d+%.%d min$", Book.serve },
  { "^customer (%d+) comes, for (%d+ items?)$", Book.come },
  { "^customer (%d+) comes, for (%d+ items? and a card)$", Book.come },
  { "^customer (%d+) queues at checkout (%d+)$", Book.queue },
  { "^customer (%d+) has lost patience after %d+%.%d min$", Book.lose },
  { "^customer (%d+) has paid$", Book.pay },
}

local function enter(book, event)
  for _, known in ipairs(EVENTS) do
    local first <const>, second <const> = event:match(known[1])
    if first then
      return known[2](book, first, second)
    end
  end
  error("what is this event? " .. event)
end

local TOTALS <const> = "^(%d+) customers came: (%d+) paid, (%d+) gone, (%d+) still there$"

-- What may stand in the statistics: patterns.
local STATISTICS <const> = {
  TOTALS,
  "^interrupted$",
  "^waiting +paid +gone +mean +longest$",
  "^[%l ]+ %d+ +%d+ +%d+%.%d +%d+%.%d$",
  "^checkout %d+: %d+ customers, %d+ items$",
}

local function check_statistics(book, line)
  for _, pattern in ipairs(STATISTICS) do
    if line:find(pattern) then
      if pattern == TOTALS then
        local came <const>, paid <const>, gone <const>, there <const> = line:match(TOTALS)
        assert.same({ book.came, book.paid, book.gone }, {
          tonumber(came), tonumber(paid), tonumber(gone),
        })
        book.there = tonumber(there)
        assert.equal(book.came, book.paid + book.gone + book.there)
      elseif line == "interrupted" then
        book.interrupted = true
      end
      return
    end
  end
  error("what is this line? " .. line)
end

-- Reads the lines of a day, each of which must make sense; returns the books.
local function audit(text)
  local book <const> = new_book()
  for line in text:gmatch "[^\n]+" do
    local event <const> = line:match "^%d%d:%d%d (.*)$"
    if event then
      assert.is_nil(book.there)
      enter(book, event)
    else
      check_statistics(book, line)
    end
  end
  assert.is_truthy(book.there)
  return book
end

local function run(...)
  local text <const>, status <const> = program.run(NAME, { ... })
  assert.equal(0, status)
  return audit(text)
end

local function count(map)
  local n = 0
  for _ in pairs(map) do
    n = n + 1
  end
  return n
end

describe("supermarket.lua", function()
  it("lets every customer pay or leave, in the order that is due", function()
    local book <const> = run("--speed", "20")
    assert.same({ 60, 0 }, { book.came, book.there })
    assert.is_nil(book.interrupted)
    assert.is_true(count(book.checkouts) <= 4)
    for _, checkout in pairs(book.checkouts) do
      assert.equal("closed", checkout.state)
    end
  end)

  it("copes with a crowd at one checkout, and with none", function()
    local crowd <const> = run("--speed=50", "--customers=150", "--checkouts=1", "--seed=3")
    assert.same({ 150, 0, 1 }, { crowd.came, crowd.there, count(crowd.checkouts) })
    assert.is_true(crowd.gone > 0)
    local nobody <const> = run("--customers=0", "--checkouts=3")
    assert.same({ 0, 0 }, { nobody.came, nobody.there })
  end)

  it("has the same customers for the same seed", function()
    local function kinds(...)
      local list <const> = {}
      for number, customer in pairs(run("--speed=1000", ...).customers) do
        list[tonumber(number)] = customer.kind
      end
      return list
    end
    assert.same(kinds "--seed=5", kinds("--seed=5", "--checkouts=9"))
    assert.not_same(kinds "--seed=5", kinds "--seed=6")
  end)

  it("counts at Ctrl-C those who are still there", function()
    local shop <close> = program.start(NAME, { "--customers=10000" })
    shop:read_until "has paid"
    shop:interrupt()
    local text <const>, status <const> = shop:wait()
    local book <const> = audit(text)
    assert.equal(130, status)
    assert.is_true(book.interrupted)
    assert.is_true(book.came < 10000)
  end)

  it("explains itself, and refuses what it does not understand", function()
    program.check_usage(NAME, {
      ["--customers takes an integer from 0 to 10000, not '10001'"] = { "--customers", "10001" },
      ["--checkouts takes an integer from 1 to 100, not '0'"] = { "--checkouts=0" },
      ["--speed takes a number from 0.001 to 100000, not 'fast'"] = { "--speed", "fast" },
      ["--seed takes a value"] = { "--seed" },
      ["there is no option '-x'"] = { "-x" },
      ["there is no use for ''"] = { "" },
    })
  end)
end)

describe("supermarket.lua in a terminal", function()
  local function start(arguments, opts)
    return program.start_in_terminal(NAME, arguments, opts)
  end

  it("draws the checkouts", function()
    if program.has_terminals() then
      local opts <const> = { columns = 80, rows = 24, locale = "C.UTF-8" }
      local shop <close> = start({ "--speed=20" }, opts)
      local text <const>, status <const> = shop:wait()
      program.check_drawing(text, opts)
      assert.is_truthy(text:find "%d%d:%d%d  60 came, %d+ paid, %d+ gone, 0 shopping")
      assert.is_truthy(text:find "\n  1 open ")
      assert.is_truthy(text:find "%?25h60 customers came: %d+ paid, %d+ gone, 0 still there\r\n")
      assert.equal(0, status)
    end
  end)

  it("is content with little room, and without UTF-8", function()
    if program.has_terminals() then
      local opts <const> = { columns = 25, rows = 6 }
      local shop <close> = start({ "--speed=20", "--checkouts=20" }, opts)
      program.check_drawing(shop:wait(), opts)
    end
  end)

  it("shows the cursor again after Ctrl-C", function()
    if program.has_terminals() then
      local opts <const> = { columns = 80, rows = 24 }
      local shop <close> = start({ "--customers=10000" }, opts)
      shop:read_until "1 open "
      shop:interrupt()
      local text <const>, status <const> = shop:wait()
      program.check_drawing(text, opts)
      assert.is_truthy(text:find "%?25hinterrupted\r\n%d+ customers came: ")
      assert.equal(130, status)
    end
  end)

  it("shows the cursor again after an error", function()
    if program.has_terminals() then
      local opts <const> = { columns = 80, rows = 24, code = BROKEN }
      local shop <close> = start({ "--speed=1000" }, opts)
      local text <const>, status <const> = shop:wait()
      program.check_drawing(text, opts)
      assert.is_truthy(text:find "a mistake")
      assert.equal(1, status)
    end
  end)
end)

-- What a checkout asks of a shop, where no time passes.
local function quick_shop()
  return {
    view = { tell = function() end },
    clock = {
      now = function()
        return 0
      end,
      sleep = function()
        asyncio.sleep(0)
      end,
    },
  }
end

-- A customer of the kind; notes the name when the turn has come.
local function new_customer(name, kind, trace)
  local self <const> = { number = name, kind = kind, items = 1, paying = 1, joined = 0 }
  self.turn, self.paid = asyncio.Future(), asyncio.Future()
  self.turn:add_done_callback(function(turn)
    trace(name .. (turn:cancelled() and " leaves" or ""))
  end)
  return self
end

describe("a checkout", function()
  ait("serves by kind, then by order of arrival, and skips who has left", function()
    local trace <const>, checkout <const> = helper.trace(), checkouts.new(1)
    checkout:open(quick_shop())
    local kinds <const> = { 3, 2, 1, 3, 2, 1 }
    local all <const> = {}
    for i, kind in ipairs(kinds) do
      all[i] = new_customer("customer " .. i, kind, trace)
      checkout:join(all[i])
    end
    assert.equal(6, checkout:length())
    all[5].turn:cancel()
    checkout:leave(all[5])
    checkout:close(quick_shop())
    checkout.cashier:await()
    assert.same({
      "customer 5 leaves", "customer 3", "customer 6", "customer 2", "customer 1", "customer 4",
    }, trace:list())
    assert.same({ 5, 5, 0, "closed" }, {
      checkout.served, checkout.items, checkout:length(), checkout.state,
    })
    assert.is_true(all[4].paid:done())
  end)

  ait("takes nobody else once it closes, and may open again", function()
    local trace <const>, checkout <const> = helper.trace(), checkouts.new(1)
    checkout:open(quick_shop())
    checkout:close(quick_shop())
    helper.raises(asyncio.QueueShutDown, checkout.join, checkout, new_customer("late", 1, trace))
    assert.equal(0, checkout:length())
    checkout.cashier:await()
    checkout:open(quick_shop())
    local customer <const> = new_customer("in time", 1, trace)
    checkout:join(customer)
    customer.paid:await()
    assert.equal("in time", trace:list()[1])
  end)
end)

describe("customers", function()
  it("come one after the other, more of them in the middle of the day", function()
    local list <const> = customers.make(300, 1)
    local gaps <const> = { 0, 0, 0 }
    local last = 0
    for i, customer in ipairs(list) do
      assert.is_true(customer.arrival >= last)
      local third <const> = (i - 1) // 100 + 1
      gaps[third] = gaps[third] + customer.arrival - last
      last = customer.arrival
    end
    assert.is_true(gaps[2] < gaps[1] and gaps[2] < gaps[3])
  end)
end)
