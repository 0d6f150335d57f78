"""A network that is slow: `late HOST PORT` passes all on to that server, and its answers 150 ms late."""

import asyncio
import sys
from asyncio import StreamReader, StreamWriter

from example_app.servers.programs import end_with_input, say

DELAY = 0.15


async def passed_on(source: StreamReader, target: StreamWriter, delay: float) -> None:
    while received := await source.read(65536):
        await asyncio.sleep(delay)
        target.write(received)
        await target.drain()
    target.close()


async def connection(reader: StreamReader, writer: StreamWriter) -> None:
    far_reader, far_writer = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    both = passed_on(reader, far_writer, 0), passed_on(far_reader, writer, DELAY)
    await asyncio.gather(*both, return_exceptions=True)


async def serve() -> None:
    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    say(str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


if __name__ == "__main__":
    end_with_input()
    asyncio.run(serve())
