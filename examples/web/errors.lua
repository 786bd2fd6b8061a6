-- What can go wrong with a page, besides OSError and TimeoutError.

local asyncio = require "asyncio"

local errors = {}

-- The page could not be had: the base of the others.
errors.PageError = asyncio.exception("PageError", asyncio.Error)

-- No address that this client understands.
errors.URLError = asyncio.exception("URLError", errors.PageError)

-- An answer that is not HTTP, or one that ends too early.
errors.ProtocolError = asyncio.exception("ProtocolError", errors.PageError)
errors.TruncatedError = asyncio.exception("TruncatedError", errors.ProtocolError)

-- A way that leads nowhere.
errors.RedirectError = asyncio.exception("RedirectError", errors.PageError)

-- The body was fetched, but could not be saved.
errors.SaveError = asyncio.exception("SaveError", errors.PageError)

-- Raises an error of the class with a formatted message.
function errors.raise(class, message, ...)
  error(class(message:format(...)))
end

return errors
