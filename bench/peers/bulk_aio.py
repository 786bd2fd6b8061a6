"""The other end of bench/c/bulk.c on CPython's asyncio and on uvloop.

bulk_aio.py asyncio|uvloop streams|protocol
"""

import asyncio
import socket
import sys

CHUNK = b"x" * 65536
MIB = 1 << 20


async def handle(reader, writer):
    if await reader.readexactly(1) == b"u":
        while await reader.read(65536):
            pass
        writer.write(b".")
    else:
        for _ in range(int(await reader.readline()) * (MIB // len(CHUNK))):
            writer.write(CHUNK)
            await writer.drain()
    writer.close()


class Bulk(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.request = b""
        self.paused = False

    def data_received(self, data):
        if self.request[:1] == b"u":
            return
        self.request += data
        if self.request[:1] == b"d" and self.request[-1:] == b"\n":
            self.left = int(self.request[1:]) * (MIB // len(CHUNK))
            self.send()

    def eof_received(self):
        self.transport.write(b".")

    def send(self):
        while self.left > 0 and not self.paused:
            self.left -= 1
            self.transport.write(CHUNK)
        if self.left == 0:
            self.transport.close()

    def pause_writing(self):
        self.paused = True

    def resume_writing(self):
        self.paused = False
        self.send()


async def main(style):
    if style == "streams":
        server = await asyncio.start_server(
            handle, "127.0.0.1", 0, family=socket.AF_INET)
    else:
        server = await asyncio.get_running_loop().create_server(
            Bulk, "127.0.0.1", 0)
    print(f"port={server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.install()
asyncio.run(main(sys.argv[2]))
