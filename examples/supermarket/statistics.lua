-- What is said at the end: who was served, and how long that took.

local customers = require "supermarket.customers"

local statistics = {}

local TOTALS <const> = "%d customers came: %d paid, %d gone, %d still there\n"
local HEAD <const> = "%-10s %5s %5s %6s %8s\n"
local ROW <const> = "%-10s %5d %5d %6.1f %8.1f\n"
local CHECKOUT <const> = "checkout %d: %d customers, %d items\n"

local function new_row()
  return { came = 0, paid = 0, gone = 0, waits = 0, waited = 0, longest = 0 }
end

local function add(row, customer)
  row.came = row.came + 1
  if customer.state == "paid" or customer.state == "gone" then
    row[customer.state] = row[customer.state] + 1
  end
  if customer.waited then -- until the turn came, or until the end of patience
    row.waits, row.waited = row.waits + 1, row.waited + customer.waited
    row.longest = math.max(row.longest, customer.waited)
  end
end

-- A row for each kind of customers, and one for all.
local function count(shop)
  local rows <const> = { all = new_row() }
  for kind in ipairs(customers.KINDS) do
    rows[kind] = new_row()
  end
  for _, customer in ipairs(shop.customers) do
    if customer.state ~= "coming" then
      add(rows.all, customer)
      add(rows[customer.kind], customer)
    end
  end
  return rows
end

local function write_row(out, name, row)
  local mean <const> = row.waits > 0 and row.waited / row.waits or 0
  out:write(ROW:format(name, row.paid, row.gone, mean, row.longest))
end

-- Whoever came is there still, unless served or out of patience. Waiting times
-- are minutes.
function statistics.write(out, shop, finished)
  local rows <const> = count(shop)
  local all <const> = rows.all
  if not finished then
    out:write "interrupted\n"
  end
  out:write(TOTALS:format(all.came, all.paid, all.gone, all.came - all.paid - all.gone), "\n")
  out:write(HEAD:format("waiting", "paid", "gone", "mean", "longest"))
  for kind, name in ipairs(customers.KINDS) do
    write_row(out, name, rows[kind])
  end
  write_row(out, "all", all)
  out:write "\n"
  for _, checkout in ipairs(shop.checkouts) do
    if checkout.served > 0 then
      out:write(CHECKOUT:format(checkout.number, checkout.served, checkout.items))
    end
  end
end

return statistics
