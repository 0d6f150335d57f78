"""The table "blocking call -> what to write instead", by dotted prefix of whole components. `known` reads it.

Several prefixes that share an answer share a row. `{name}` stands for the method called. An empty answer means that
only a thread or a process is left to advise.

The table is about names on a line. It wraps no function. See `engine.network.known_calls` for the other
two tables.
"""

# A round trip to another process or machine.
NETWORK = {
    # HTTP
    "requests httpx": "httpx.AsyncClient().{name}",
    "requests.Response httpx.Response": "httpx.AsyncClient().stream",
    "httpx2": "httpx2.AsyncClient().{name}",
    "urllib.request.urlopen urllib.request.OpenerDirector urllib.request.urlretrieve": "httpx.AsyncClient().get",
    "urllib3 http.client pycurl": "httpx.AsyncClient().request",
    "websocket websockets.sync": "websockets.asyncio.client.connect",
    "feedparser": "httpx.AsyncClient().get, then feedparser.parse of the text",
    "zeep": "zeep.AsyncClient",
    "xmlrpc.client yfinance": "",
    # databases
    "psycopg": "psycopg.AsyncConnection (or asyncpg)",
    "psycopg_pool": "psycopg_pool.AsyncConnectionPool",
    "psycopg2 pg8000 pgdb": "asyncpg, or psycopg.AsyncConnection",
    "pymysql MySQLdb mysql.connector mariadb": "asyncmy (or aiomysql)",
    "sqlalchemy.orm.Session sqlalchemy.orm.scoped_session sqlalchemy.orm.Query": "sqlalchemy.ext.asyncio.AsyncSession",
    "sqlalchemy.Connection sqlalchemy.Engine sqlalchemy.engine": "sqlalchemy.ext.asyncio.AsyncEngine",
    "sqlmodel.Session sqlmodel.orm.session.Session": "sqlmodel.ext.asyncio.session.AsyncSession",
    "sqlalchemy.orm.InstrumentedAttribute sqlalchemy.orm.attributes sqlalchemy.orm.strategies sqlalchemy.orm.loading": (
        "options(selectinload(...)) in the query that loads the object, so that no relation is loaded later; or"
        " sqlalchemy.ext.asyncio.AsyncSession with the same option"
    ),
    "django.db": "its async twin (a{name})",
    "peewee": "",
    "pyodbc": "aioodbc",
    "oracledb cx_Oracle": "oracledb.connect_async",
    "snowflake.connector": "snowflake.connector.aio",
    "clickhouse_connect clickhouse_driver": "clickhouse_connect.get_async_client",
    "pymssql cassandra": "",
    "redis.Redis redis.StrictRedis": "redis.asyncio.Redis().{name}",
    "redis": "redis.asyncio",
    "valkey": "valkey.asyncio",
    "pymemcache memcache pylibmc": "aiomcache",
    "pymongo": "pymongo.AsyncMongoClient",
    "mongoengine": "beanie, or pymongo.AsyncMongoClient",
    "elasticsearch": "elasticsearch.AsyncElasticsearch",
    "opensearchpy": "opensearchpy.AsyncOpenSearch",
    "neo4j": "neo4j.AsyncGraphDatabase",
    "influxdb_client": "influxdb_client.client.influxdb_client_async.InfluxDBClientAsync",
    "qdrant_client": "qdrant_client.AsyncQdrantClient",
    "chromadb": "chromadb.AsyncHttpClient",
    "pinecone": "pinecone.PineconeAsyncio",
    "weaviate": "weaviate.WeaviateAsyncClient",
    "supabase postgrest": "supabase.acreate_client",
    # clouds
    "boto3 botocore s3transfer": "aioboto3.Session().client",
    "google.cloud.storage": "gcloud.aio.storage.Storage",
    "google.cloud.firestore google.cloud.firestore_v1": "google.cloud.firestore.AsyncClient",
    "google.cloud": "the AsyncClient of the same package",
    "google.cloud.pubsub_v1.publisher google.cloud.pubsub_v1.PublisherClient google.cloud.pubsub_v1.futures": (
        "await asyncio.wrap_future(publisher.publish(...))"
    ),
    "google.api_core.future": "await asyncio.wrap_future(...)",
    "googleapiclient": "aiogoogle",
    "azure": "the same client from its .aio package",
    "minio": "miniopy_async.Minio",
    "kubernetes": "kubernetes_asyncio",
    "docker": "aiodocker.Docker",
    "firebase_admin hvac": "",
    "grpc": "await of a stub of grpc.aio.insecure_channel (or secure_channel)",
    "jwt.PyJWKClient jwt.jwks_client": (
        "one PyJWKClient for the process, which keeps the keys, and its get_signing_keys() at start-up"
    ),
    "limits.strategies limits.storage slowapi": (
        "await limits.aio.strategies.FixedWindowRateLimiter(storage).hit(...) in an async dependency, with"
        ' storage = limits.storage.storage_from_string("async+redis://...")'
    ),
    # language models
    "openai": "openai.AsyncOpenAI",
    "anthropic": "anthropic.AsyncAnthropic",
    "google.genai": "the same call on client.aio",
    "google.generativeai": "its async twin ({name}_async)",
    "cohere": "cohere.AsyncClient",
    "groq": "groq.AsyncGroq",
    "ollama": "ollama.AsyncClient",
    "mistralai": "its async twin ({name}_async)",
    "litellm": "litellm.acompletion",
    "huggingface_hub": "huggingface_hub.AsyncInferenceClient",
    "langchain langchain_core langchain_community langchain_openai langgraph": "its async twin (a{name})",
    "llama_index": "its async twin (a{name})",
    # services
    "stripe": "its async twin ({name}_async)",
    "twilio": "twilio.http.async_http_client.AsyncTwilioHttpClient",
    "slack_sdk": "slack_sdk.web.async_client.AsyncWebClient",
    "tweepy": "tweepy.asynchronous.AsyncClient",
    "praw": "asyncpraw",
    "gspread": "gspread_asyncio",
    "playwright.sync_api selenium": "playwright.async_api",
    "sendgrid": "",
    # mail, files, shells, names
    "smtplib": "aiosmtplib.send",
    "imaplib": "aioimaplib.IMAP4_SSL",
    "poplib": "",
    "ftplib": "aioftp.Client",
    "paramiko fabric": "asyncssh.connect",
    "ldap3 ldap": "bonsai",
    "dns.resolver": "dns.asyncresolver.{name}",
    "dns.query": "dns.asyncquery.{name}",
    "email_validator": (
        'validate_email(..., check_deliverability=False), then await dns.asyncresolver.resolve(domain, "MX")'
    ),
    "socket.getaddrinfo socket.gethostbyname socket.gethostbyname_ex": (
        "await asyncio.get_running_loop().getaddrinfo(...)"
    ),
    "socket.gethostbyaddr socket.getnameinfo socket.getfqdn": "await asyncio.get_running_loop().getnameinfo(...)",
    "socket.create_connection socket.socket ssl.SSLSocket": "asyncio.open_connection",
    # queues
    "celery kombu": "",
    "celery.result celery.Task.AsyncResult celery.Celery.AsyncResult celery.Task.delay.get": (
        "an answer of 202 and a route that tells the task's state"
    ),
    "pika": "aio_pika.connect_robust",
    "kafka confluent_kafka": "aiokafka.AIOKafkaProducer",
    "paho.mqtt": "aiomqtt.Client",
    "zmq": "zmq.asyncio.Context().socket",
    "opentelemetry.sdk opentelemetry.exporter": "a BatchSpanProcessor, which exports in a thread of its own",
    "opentelemetry.trace.Tracer opentelemetry.trace.ProxyTracer opentelemetry.trace.Span": (
        "a BatchSpanProcessor, which exports in a thread of its own"
    ),
    "opentelemetry.sdk._logs opentelemetry.sdk.logs": "a BatchLogRecordProcessor, which exports in a thread of its own",
    "opentelemetry.sdk.metrics": "a PeriodicExportingMetricReader, which exports in a thread of its own",
    "rq huey dramatiq": "",
}

# A sleep in the kernel of this machine: it waits for a disk, a lock, another process.
WAITING = {
    "time.sleep": "await asyncio.sleep(...)",
    "open": "aiofiles.open (or anyio.open_file)",
    "io": "a file opened with aiofiles.open (or anyio.open_file)",
    "pathlib": "anyio.Path().{name}",
    "pathlib.Path.open": "aiofiles.open (or anyio.open_file)",
    "pathlib.Path.read_text pathlib.Path.read_bytes pathlib.Path.write_text pathlib.Path.write_bytes": (
        "anyio.Path().{name} (or aiofiles.open)"
    ),
    "tempfile": "aiofiles.tempfile.{name}",
    "shutil glob.glob filecmp fileinput": "",
    "shutil.copyfileobj shutil.copyfile shutil.copy shutil.copy2": "in pieces, with aiofiles.open (or anyio.open_file)",
    "os.stat os.listdir os.scandir os.walk os.remove os.unlink os.rename os.replace os.mkdir os.makedirs": "",
    "os.read os.write os.open os.fsync os.fdatasync os.sync os.sendfile os.truncate os.rmdir os.removedirs": "",
    "os.path.exists os.path.isfile os.path.isdir os.path.getsize os.path.getmtime os.path.realpath": "",
    "os.system os.popen": "asyncio.create_subprocess_shell",
    "os.wait os.waitpid os.wait4": "await asyncio.create_subprocess_exec(...)",
    "subprocess": "await asyncio.create_subprocess_exec(...)",
    "git pexpect sh pytesseract pdf2image ffmpeg": "",
    "sqlite3": "aiosqlite",
    "shelve dbm diskcache tinydb": "",
    "threading.Lock threading.RLock": "asyncio.Lock, where only the loop takes it",
    "threading.Semaphore threading.BoundedSemaphore": "asyncio.Semaphore, where only the loop takes it",
    "threading.Condition": "asyncio.Condition, where only the loop waits for it",
    "threading.Event": "asyncio.Event, set with loop.call_soon_threadsafe",
    "threading.Barrier threading.Thread": "",
    "queue": "asyncio.Queue",
    "multiprocessing": "await anyio.to_process.run_sync(...)",
    "multiprocessing.Queue multiprocessing.SimpleQueue multiprocessing.JoinableQueue": "",
    "multiprocessing.queues multiprocessing.connection": "",
    "concurrent.futures.Future concurrent.futures.ThreadPoolExecutor.submit": "await asyncio.wrap_future(...)",
    "concurrent.futures": "await asyncio.get_running_loop().run_in_executor(...)",
    "asyncio.run_coroutine_threadsafe asgiref.sync.async_to_sync": "await the coroutine itself",
    "anyio.from_thread": "await the coroutine itself",
    "filelock": "filelock.AsyncFileLock",
    "fasteners portalocker fcntl.flock fcntl.lockf": "",
    "select selectors": "asyncio.get_running_loop().add_reader",
    "signal.sigwait signal.pause": "asyncio.get_running_loop().add_signal_handler",
    "psutil.cpu_percent psutil.cpu_times_percent": "psutil.cpu_percent(interval=None)",
    "input getpass.getpass": "",
    "logging": "a logging.handlers.QueueHandler, whose QueueListener writes in a thread of its own",
}

# A computation outside the GIL: in a thread it does not block the loop.
OUTSIDE_GIL = {
    "hashlib bcrypt argon2 passlib pwdlib scrypt": "",
    "zlib gzip bz2 lzma zipfile tarfile zstandard": "",
    "PIL cv2": "",
    "numpy scipy sklearn torch tensorflow onnxruntime sentence_transformers transformers faiss llama_cpp": "",
    "polars pyarrow duckdb lxml": "",
}

# A computation that keeps the GIL: in a thread it blocks the loop all the same, but for what `HANDS_OVER` names.
INSIDE_GIL = {
    "json simplejson ujson": "orjson (faster, though it keeps the GIL too)",
    "json.dumps simplejson.dumps ujson.dumps ujson.dump": (
        "orjson.dumps (5 to 10 times as fast, though it keeps the GIL too), or fewer items at once (a page), or bytes"
        " that are made once and kept"
    ),
    "json.loads simplejson.loads simplejson.load ujson.loads ujson.load": (
        "orjson.loads (up to twice as fast, though it keeps the GIL too), or one line or item at a time (JSON Lines,"
        " ijson)"
    ),
    "json.dump simplejson.dump": "",
    "orjson msgspec msgpack pickle marshal csv pydantic": "",
    "copy.deepcopy difflib csv.DictReader csv.DictWriter": "",
    "re regex": "a pattern without nested quantifiers, or shorter input",
    "yaml": "yaml.CSafeLoader (several times faster)",
    "xml.etree": "lxml.etree.parse of a file in a thread: it parses outside the GIL",
    "xml.etree.ElementTree.parse xml.etree.ElementTree.iterparse xml.etree.ElementTree.tostring xml.dom": "",
    "pandas": "polars in a thread: it computes outside the GIL",
    "numpy.array numpy.asarray numpy.ndarray.tolist": "arrays from the start: numpy.load, numpy.frombuffer",
    "PIL.Image.Image.getdata PIL.Image.Image.getpixel PIL.Image.Image.putdata": "numpy.asarray(image)",
    "openpyxl xlsxwriter docx pypdf PyPDF2 pdfplumber reportlab weasyprint": "",
    "fitz pymupdf matplotlib": "",
    "passlib.hash.sha256_crypt passlib.hash.sha512_crypt passlib.handlers.sha2_crypt": (
        "bcrypt in a thread: it computes outside the GIL"
    ),
    "bs4 html.parser html5lib markdown nltk networkx": "",
    "spacy": "",
    "ssl.create_default_context ssl.SSLContext": "one context made at start-up and shared",
    "importlib.import_module": "the import at the top of the module",
}

# Functions of the standard library and of anyio that pickle what another process is given, or unpickle its result.
PICKLING = (
    "anyio.to_process concurrent.futures.process multiprocessing.queues multiprocessing.reduction"
    " multiprocessing.connection multiprocessing.pool"
)
PICKLED = (
    "a path or an id for the process, which loads by itself what is large and returns little: what it is given and"
    " what it returns is pickled in this process"
)

# How an answer of many items does not hold the loop, whoever would serialize it.
_PAGE = "fewer items in one answer (a page), or a StreamingResponse of a sync generator that yields them in pieces"
_BYTES = (
    'Response(orjson.dumps(items), media_type="application/json"), 5 to 10 times as fast, though it keeps the GIL too'
    " (pydantic_core.to_json: 3 times)"
)

_LINES = (
    "fewer items in one request, or JSON Lines: the lines of request.stream(), validated one by one, with await"
    " asyncio.sleep(0) after some hundred"
)

# A computation of a framework, or one that the framework calls for an endpoint. The answers say all there is to say.
FRAMEWORK = {
    "fastapi.encoders.jsonable_encoder fastapi.routing.serialize_response": (f"{_PAGE}, or {_BYTES}"),
    "starlette.responses fastapi.responses": f"{_PAGE}, or {_BYTES}",
    "fastapi.dependencies.utils.request_body_to_args": _LINES,
    "starlette.requests.Request fastapi.Request": (
        f"{_LINES}, or orjson.loads(await request.body()) (up to twice as fast, though it keeps the GIL too)"
    ),
    "jinja2.Template jinja2.Environment mako.template.Template starlette.templating fastapi.templating": (
        "a smaller page, or a StreamingResponse of pages = template.stream(...) after pages.enable_buffering(1000)"
    ),
    "prometheus_client": (
        "a plain def route that returns Response(generate_latest(registry)): in a thread it hands over the GIL"
    ),
    "starlette.middleware.gzip": (
        "compression in the proxy, or a StreamingResponse of a sync generator, whose pieces GZipMiddleware compresses"
        " one by one, or a Starlette (as 1.10) whose GZipMiddleware takes bodies of thread_minimum_size to a thread"
    ),
    "gc.collect": (
        "no gc.collect() in a request (less often, between requests), and gc.freeze() at the end of start-up, which"
        " leaves the collector little to do"
    ),
    "anyio.to_process concurrent.futures.process": PICKLED,
}

# A computation that the framework asks a library for, by the library's name: what the endpoint can do about it.
SERVED = {
    "pydantic.TypeAdapter.validate_python pydantic.BaseModel.model_validate fastapi.routing.serialize_response": (
        f"{_PAGE}, or response_model=None, so that nobody validates, and {_BYTES}"
    ),
    "pydantic.TypeAdapter.dump_python pydantic.TypeAdapter.dump_json pydantic.BaseModel.model_dump": _PAGE,
    "pydantic.TypeAdapter.validate_json": _LINES,
}

# Computations in pure Python: a thread that runs one hands the GIL over every 5 ms, so that it does not stop the loop.
# Each was run in a thread beside a loop (CPython 3.12): some 100 ms of it were not late. The C in pandas, matplotlib,
# pymupdf and sha512_crypt was. weasyprint and html.parser were not run: they are pure Python as well.
HANDS_OVER = (
    "jinja2 mako starlette.templating fastapi.templating fastapi.encoders.jsonable_encoder prometheus_client"
    " json.dump simplejson.dump copy.deepcopy difflib csv.DictReader csv.DictWriter yaml xml.dom openpyxl xlsxwriter"
    " xml.etree.ElementTree.parse xml.etree.ElementTree.iterparse xml.etree.ElementTree.tostring"
    " docx pypdf PyPDF2 pdfplumber reportlab weasyprint bs4 html.parser html5lib markdown nltk networkx"
    " ssl.create_default_context ssl.SSLContext importlib.import_module"
)

# Computations whose argument or result is as large as the work: a process that did it would have to be sent it, and
# pickling takes as long. 200,000 dicts: json.dumps computed 251 ms, and to pickle them for a process took 237 ms.
OF_DATA = (
    "json simplejson ujson orjson msgspec msgpack pickle marshal csv pydantic xml.etree numpy.array numpy.asarray"
    " numpy.ndarray.tolist PIL.Image.Image.getdata PIL.Image.Image.getpixel PIL.Image.Image.putdata"
)

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
    "multiprocessing.connection": "await asyncio.to_thread({call}, ...)",
}

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

# What only this process can do for itself: no other process is advised.
HERE = "gc.collect"

# Modules whose names look like names of classes.
MODULES = "PIL.Image PIL.ImageOps PIL.ImageFilter"

# Parts of blocking libraries that do not block.
HARMLESS = "util utils exceptions errors error sql types typing compat structures cookies BytesIO StringIO PurePath"

# Names that look asynchronous and block.
SYNC = "AsyncResult"

# Those calls of WAITING that take long on any machine.
LONG = "time.sleep subprocess os.system os.popen"

# Functions of frameworks that call what really works: they are named only where nothing further in has a name.
PLUMBING = (
    "fastapi.routing fastapi.applications fastapi.dependencies.utils.solve_dependencies fastapi.concurrency"
    " fastapi.BackgroundTasks starlette.routing starlette.applications starlette.middleware.base starlette.background"
    " starlette.middleware.errors starlette.middleware.exceptions starlette.concurrency"
)

# Functions that are on the way to everything: they are never named.
ON_THE_WAY = "abc asyncio anyio contextlib contextvars functools threading concurrent.futures inspect"
