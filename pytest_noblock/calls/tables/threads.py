"""How calls are moved to a thread, where that is not `asyncio.to_thread` of the call itself."""

_ALL_OF_IT = "await asyncio.to_thread(...) around a function that does all of it"

# What to advise where `asyncio.to_thread` of the call itself would be wrong or pointless; empty: no thread at all.
THREADS = {
    "time.sleep": "",
    "opentelemetry limits slowapi sqlalchemy.orm.InstrumentedAttribute sqlalchemy.orm.attributes": "",
    "sqlalchemy.orm.strategies sqlalchemy.orm.loading google.api_core.future": "",
    "google.cloud.pubsub_v1.publisher google.cloud.pubsub_v1.PublisherClient google.cloud.pubsub_v1.futures": "",
    "grpc": "await asyncio.to_thread(stub.Method, request)",
    "open io tempfile pathlib.Path.open": (
        "await asyncio.to_thread(...) around a function that opens, uses and closes the file"
    ),
    "subprocess.Popen.stdout subprocess.Popen.stderr subprocess.Popen.stdin": (
        "await asyncio.to_thread(...) around a function that starts the child and uses its pipes"
    ),
    "sqlite3": "await asyncio.to_thread(...) around a function that opens, uses and closes its own connection",
    "sqlalchemy sqlmodel": "await asyncio.to_thread(...) around a function that opens, uses and closes its own session",
    "sqlalchemy.Connection sqlalchemy.Engine sqlalchemy.engine": (
        "await asyncio.to_thread(...) around a function that opens, uses and closes its own connection"
    ),
    "smtplib ftplib imaplib poplib": "await asyncio.to_thread(...) around a function that connects, uses and closes it",
    "django.db": "await asgiref.sync.sync_to_async(...)(...)",
    "threading.Lock threading.RLock threading.Semaphore threading.BoundedSemaphore threading.Condition": (
        "await asyncio.to_thread(...) around a function that takes and releases it"
    ),
    "concurrent.futures.Future concurrent.futures.ThreadPoolExecutor.submit concurrent.futures": "",
    "asyncio.run_coroutine_threadsafe asgiref.sync.async_to_sync anyio.from_thread": "",
    "openpyxl xlsxwriter docx pypdf PyPDF2 pdfplumber reportlab weasyprint bs4 networkx": _ALL_OF_IT,
    "csv.DictReader csv.DictWriter": _ALL_OF_IT,
    "ssl.create_default_context ssl.SSLContext importlib.import_module": "",
    "psutil.cpu_percent psutil.cpu_times_percent logging select selectors signal multiprocessing": "",
    "multiprocessing.Queue multiprocessing.SimpleQueue multiprocessing.JoinableQueue multiprocessing.queues": (
        "await asyncio.to_thread({call}, ...)"
    ),
    "multiprocessing.connection ssl.SSLContext.wrap_socket": "await asyncio.to_thread({call}, ...)",
}
