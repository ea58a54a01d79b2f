"""Listens on a port of 127.0.0.1, prints it, and forwards only TLS to the given port.

Docker takes plain HTTP from localhost as well as TLS, and does not say which it was. Through this it was TLS.
"""

import asyncio
import sys

HANDSHAKE = b"\x16"  # the first byte of every TLS connection: RFC 8446, section 5.1


async def pass_on(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def serve(reader, writer):
    first = await reader.read(1)
    if first == HANDSHAKE:
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
        target_writer.write(first)
        await asyncio.gather(pass_on(reader, target_writer), pass_on(target_reader, writer))
        target_writer.close()
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
