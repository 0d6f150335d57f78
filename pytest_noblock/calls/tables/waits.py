"""Calls that wait: blocking call -> what to write instead, by dotted prefix of whole components. `known` reads it.

Several prefixes that share an answer share a row. `{name}` stands for the method called. An empty answer means that
only a thread or a process is left to advise.

The tables are about names on a line. They wrap no function. See `engine.network.known_calls` for the other three.
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
    "socket.create_connection": "asyncio.open_connection",
    "socket.socket.makefile socket.SocketIO": "asyncio.open_connection and its reader",
    "ssl.SSLContext.wrap_socket ssl.SSLSocket": (
        "asyncio.open_connection(..., ssl=context) (STARTTLS: await writer.start_tls(context))"
    ),
    "ssl.get_server_certificate": "",
    "socket.socket": (
        "asyncio.open_connection (of UDP: asyncio.get_running_loop().create_datagram_endpoint, of a Unix socket:"
        " asyncio.open_unix_connection)"
    ),
    "socket.socket.recvfrom socket.socket.recvfrom_into socket.socket.sendto": (
        "asyncio.get_running_loop().create_datagram_endpoint"
    ),
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
    "subprocess.Popen.stdout subprocess.Popen.stderr subprocess.Popen.stdin": (
        "await asyncio.create_subprocess_exec(...)"
    ),
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

# Those calls of WAITING that take long on any machine.
LONG = "time.sleep subprocess os.system os.popen"
