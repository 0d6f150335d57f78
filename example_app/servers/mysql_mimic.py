"""A server that speaks MySQL's protocol and knows one answer, for machines without MariaDB."""

import asyncio
from typing import Any

from mysql_mimic import MysqlServer, Session

from example_app.servers.programs import end_with_input, say


class OneAnswer(Session):  # type: ignore[misc]  # it has no types
    async def query(self, *_: Any) -> Any:
        return [("anvil", 3)], ["product", "pieces"]


async def serve() -> None:
    server = MysqlServer(OneAnswer)
    await server.start_server(host="127.0.0.1", port=0)
    say(f"mysql://root@127.0.0.1:{server._server.sockets[0].getsockname()[1]}")  # noqa: SLF001  # it has no other way
    await server.serve_forever()


if __name__ == "__main__":
    end_with_input()
    asyncio.run(serve())
