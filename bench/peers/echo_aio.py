"""Echo servers on CPython's asyncio and on uvloop, of streams or protocols.

echo_aio.py asyncio|uvloop streams|protocol
"""

import asyncio
import socket
import sys


async def handle(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.write = transport.write

    def data_received(self, data):
        self.write(data)


async def main(style):
    if style == "streams":
        server = await asyncio.start_server(
            handle, "127.0.0.1", 0, family=socket.AF_INET, backlog=1024)
    else:
        server = await asyncio.get_running_loop().create_server(
            Echo, "127.0.0.1", 0, backlog=1024)
    print(f"port={server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.install()
asyncio.run(main(sys.argv[2]))
