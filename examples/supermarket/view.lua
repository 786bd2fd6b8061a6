-- What is seen of the supermarket: on a terminal a drawing of it, elsewhere a
-- line for all that happens.

local customers = require "supermarket.customers"
local drawing = require "shared.drawing"
local views = require "shared.views"

local view = {}

local Drawings <const>, Lines <const> = views.classes()

-- {====== Lines ======

function Lines:tell(text, ...)
  self.out:write(tostring(self.shop.clock), " ", text:format(...), "\n")
end

-- }======

-- {====== Drawings ======

-- By the kinds of customers.
local COLOURS <const> = { "yellow", "green", "cyan" }
local MARKS <const> = { "*", "'", "" }

local COUNTS <const> = "%s  %d came, %d paid, %d gone, %d shopping"
local CHECKOUT <const> = "%3d %-8s"
local LEGEND <const> = "items in carts: * with a card, first; ' only a few, next"
local SERVED <const> = 5 -- columns of the one being served

-- Drawn for all to see at once, so that nothing needs be said.
function Drawings.tell() end

-- A customer: how many items there are in the cart, and the mark of the kind.
local function cart(look, customer)
  local kind <const> = customer.kind
  return drawing.paint(look, COLOURS[kind], customer.items .. MARKS[kind])
end

-- Those who wait, in the order in which they will be served.
local function line_of(look, checkout)
  local carts <const> = {}
  for kind in ipairs(customers.KINDS) do
    for _, customer in ipairs(checkout.waiting) do
      if customer.kind == kind then
        carts[#carts + 1] = cart(look, customer)
      end
    end
  end
  return table.concat(carts, " ")
end

local function served_line(self, checkout)
  local look <const>, customer <const> = self.screen.look, checkout.customer
  local width <const> = math.max(4, math.min((self.screen.columns - 40) // 2, 20))
  if not customer then
    return (" "):rep(SERVED + width)
  end
  local fraction <const> = (self.shop.clock:now() - checkout.since) / customer.paying
  local text <const> = customer.items .. MARKS[customer.kind]
  local pad <const> = (" "):rep(SERVED - 1 - #text)
  return pad .. cart(look, customer) .. " " .. drawing.bar(look, fraction, width, "cyan")
end

local function checkout_line(self, checkout)
  local look <const> = self.screen.look
  local label <const> = CHECKOUT:format(checkout.number, checkout.state)
  if checkout.state == "closed" then
    return drawing.paint(look, "dim", label)
  end
  return label .. served_line(self, checkout) .. "  " .. line_of(look, checkout)
end

local function count_states(shop)
  local counts <const> = { coming = 0, shopping = 0, paid = 0, gone = 0 }
  for _, customer in ipairs(shop.customers) do
    counts[customer.state] = (counts[customer.state] or 0) + 1
  end
  return counts
end

local function lines_of(self)
  local shop <const>, look <const> = self.shop, self.screen.look
  local counts <const> = count_states(shop)
  local came <const> = #shop.customers - counts.coming
  local head <const> = COUNTS:format(shop.clock, came, counts.paid, counts.gone, counts.shopping)
  local lines <const> = { drawing.paint(look, "bold", head) }
  for _, checkout in ipairs(shop.checkouts) do
    lines[#lines + 1] = checkout_line(self, checkout)
  end
  lines[#lines + 1] = LEGEND
  return lines
end

function Drawings:follow()
  self.screen:follow(function()
    return lines_of(self)
  end)
end

-- }======

-- A view of the supermarket, to be kept in a <close> variable.
function view.open(shop)
  return views.open(Drawings, Lines, { shop = shop })
end

return view
