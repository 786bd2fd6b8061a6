-- SHA-256, HMAC and PBKDF2 in plain Lua: work for a processor.

local sha256 = {}

-- The first 32 bits of the fractional parts of the roots of the first primes.
local function constants(n, root)
  local list, candidate = {}, 1
  while #list < n do
    candidate = candidate + 1
    local prime = true
    for k = 2, math.floor(candidate ^ 0.5) do
      prime = prime and candidate % k ~= 0
    end
    if prime then
      list[#list + 1] = math.floor(candidate ^ (1 / root) % 1 * 2 ^ 32)
    end
  end
  return list
end

local K <const> = constants(64, 3)
local START <const> = constants(8, 2)

local function rotate(x, n)
  return (x >> n | x << 32 - n) & 0xffffffff
end

-- Extends the 16 words of a block to 64.
local function schedule(block, at)
  local w = { (">I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4"):unpack(block, at) }
  for i = 17, 64 do
    local a <const>, b <const> = w[i - 15], w[i - 2]
    local s0 <const> = rotate(a, 7) ~ rotate(a, 18) ~ a >> 3
    local s1 <const> = rotate(b, 17) ~ rotate(b, 19) ~ b >> 10
    w[i] = w[i - 16] + s0 + w[i - 7] + s1 & 0xffffffff
  end
  return w
end

local function compress(state, block, at)
  local w <const> = schedule(block, at)
  local a, b, c, d, e, f, g, h = table.unpack(state)
  for i = 1, 64 do
    local s1 <const> = rotate(e, 6) ~ rotate(e, 11) ~ rotate(e, 25)
    local t1 <const> = h + s1 + (e & f ~ ~e & g) + K[i] + w[i]
    local s0 <const> = rotate(a, 2) ~ rotate(a, 13) ~ rotate(a, 22)
    local t2 <const> = s0 + (a & b ~ a & c ~ b & c)
    h, g, f, e, d, c, b, a = g, f, e, d + t1 & 0xffffffff, c, b, a, t1 + t2 & 0xffffffff
  end
  for i, value in ipairs { a, b, c, d, e, f, g, h } do
    state[i] = state[i] + value & 0xffffffff
  end
end

-- The 32 bytes of the message's digest.
function sha256.digest(message)
  local padding <const> = "\128" .. ("\0"):rep(-(#message + 9) % 64)
  local padded <const> = message .. padding .. (">I8"):pack(#message * 8)
  local state <const> = table.move(START, 1, 8, 1, {})
  for at = 1, #padded, 64 do
    compress(state, padded, at)
  end
  return (">I4I4I4I4I4I4I4I4"):pack(table.unpack(state))
end

local function xor(text, byte)
  return (text:gsub(".", function(c)
    return string.char(c:byte() ~ byte)
  end))
end

-- A function that returns the code of a message under the key.
function sha256.hmac(key)
  key = #key > 64 and sha256.digest(key) or key
  key = key .. ("\0"):rep(64 - #key)
  local outer <const>, inner <const> = xor(key, 0x5c), xor(key, 0x36)
  return function(message)
    return sha256.digest(outer .. sha256.digest(inner .. message))
  end
end

local function hex(bytes)
  return (bytes:gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end))
end

-- The first block of PBKDF2, in hexadecimal.
function sha256.pbkdf2(password, salt, rounds)
  local code <const> = sha256.hmac(password)
  local last = code(salt .. (">I4"):pack(1))
  local a, b, c, d = (">I8I8I8I8"):unpack(last)
  for _ = 2, rounds do
    last = code(last)
    local e <const>, f <const>, g <const>, h <const> = (">I8I8I8I8"):unpack(last)
    a, b, c, d = a ~ e, b ~ f, c ~ g, d ~ h
  end
  return hex((">I8I8I8I8"):pack(a, b, c, d))
end

return sha256
