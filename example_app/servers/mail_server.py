"""A mail server that answers late. Prints its port and the Maildir that keeps what it gets."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, Envelope, Session

from example_app.servers.programs import say, until_input_ends

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
    say(f"{server.sockets[0].getsockname()[1]} {folder}")
    await asyncio.to_thread(until_input_ends)


if __name__ == "__main__":
    with TemporaryDirectory(prefix="example-app-") as folder:
        asyncio.run(serve(Path(folder, "mails")))
