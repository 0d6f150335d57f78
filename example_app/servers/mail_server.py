"""A mail server that answers late: `mail_server FOLDER`. Prints its port, ends with its standard input."""

import asyncio
import sys
from pathlib import Path

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, Envelope, Session

DELAY = 0.15


class LateMailbox(Mailbox):
    """Thinks about every message, as those that look for spam do, and keeps it in a Maildir."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # SMTP's word
        await asyncio.sleep(DELAY)
        return await super().handle_DATA(server, session, envelope)


async def serve(folder: Path) -> None:
    mailbox = LateMailbox(folder)
    # With a name of its own: it would look that up when somebody connects.
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(mailbox, hostname="localhost"), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
