"""Names that are read otherwise than the row of their library says."""

# Most constructors do not block. These do: they connect, open or start something.
CONNECTING = (
    "smtplib.SMTP smtplib.SMTP_SSL smtplib.LMTP ftplib.FTP ftplib.FTP_TLS imaplib.IMAP4 imaplib.IMAP4_SSL poplib.POP3"
    " poplib.POP3_SSL subprocess.Popen zipfile.ZipFile tempfile.NamedTemporaryFile tempfile.TemporaryFile"
    " tempfile.TemporaryDirectory pika.BlockingConnection git.Repo ssl.SSLContext"
)

# Calls of blocking libraries that only prepare a call that blocks: `method` or `Class.method`.
PREPARING = (
    "cursor getLogger session from_url from_env socket.socket re.compile Session.query Redis.pipeline"
    " Query.filter Query.filter_by Query.join Query.options Query.order_by Query.limit Query.offset Query.where"
    " ThreadPoolExecutor.submit Path.joinpath Path.with_suffix Path.with_name Path.relative_to Path.as_posix"
)

# Modules whose names look like names of classes.
MODULES = "PIL.Image PIL.ImageOps PIL.ImageFilter"

# Parts of blocking libraries that do not block.
HARMLESS = "util utils exceptions errors error sql types typing compat structures cookies BytesIO StringIO PurePath"

# Names that look asynchronous and block.
SYNC = "AsyncResult"

# Functions of frameworks that call what really works: they are named only where nothing further in has a name.
PLUMBING = (
    "fastapi.routing fastapi.applications fastapi.dependencies.utils.solve_dependencies fastapi.concurrency"
    " fastapi.BackgroundTasks starlette.routing starlette.applications starlette.middleware.base starlette.background"
    " starlette.middleware.errors starlette.middleware.exceptions starlette.concurrency"
)

# Functions that are on the way to everything: they are never named.
ON_THE_WAY = "abc asyncio anyio contextlib contextvars functools threading concurrent.futures inspect"
