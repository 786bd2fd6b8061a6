-- Protocols for the specs of transports.

local asyncio = require "asyncio"

local HOST <const> = "127.0.0.1"

local protocols = {}

-- A factory of protocols that note what they are told; 'methods' replace theirs.
function protocols.recorder(t, methods)
  return function()
    local protocol <const> = { lost = asyncio.Future() }
    function protocol:connection_made(transport)
      self.transport = transport
      t "made"
    end
    function protocol.data_received(_, data)
      t("data", data)
    end
    function protocol.eof_received()
      t "eof"
    end
    function protocol:connection_lost(err)
      t("lost", type(err) == "table" and err.code or tostring(err))
      self.lost:set_result(err)
    end
    for name, method in pairs(methods or {}) do
      protocol[name] = method
    end
    return protocol
  end
end

-- Replaces the exception handler; returns the list of the contexts it gets.
function protocols.catch_reports()
  local list <const> = {}
  asyncio.get_running_loop():set_exception_handler(function(_, context)
    list[#list + 1] = context
  end)
  return list
end

-- A transport, its protocol, and the streams of the other end.
function protocols.connect(t, methods)
  local server <const> = asyncio.start_server(nil, HOST, 0)
  local transport, protocol = asyncio.get_running_loop():create_connection(
    protocols.recorder(t, methods), HOST, server:sockets()[1].port)
  local reader, writer = server:connections()()
  server:close()
  return transport, protocol, reader, writer
end

return protocols
