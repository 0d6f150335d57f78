"""What an answer may be asked, and whether that waits again: an answer that is read later, or made item by item."""

# Calls that return all of their answer: to read it waits for nothing.
WHOLE = (
    "requests httpx httpx2 redis.Redis redis.StrictRedis valkey.Valkey pymemcache os.listdir os.stat os.path glob.glob"
    " subprocess.run subprocess.check_output subprocess.check_call subprocess.getoutput subprocess.getstatusoutput"
    " socket.getaddrinfo socket.gethostbyname hashlib bcrypt argon2 json orjson ujson simplejson msgspec pickle"
    " pathlib.Path.read_text pathlib.Path.read_bytes psycopg2.extensions.cursor.fetchall"
)
# Those of them that do not, by their last names.
LATER = "stream scan_iter sscan_iter hscan_iter zscan_iter pubsub monitor lock"

# Methods of an answer that wait, or that compute what it is.
READS = (
    "read read1 readline readlines readinto readall recv fetchall fetchone fetchmany fetch_all result results wait"
    " communicate execute scalars scalar all one one_or_none first to_list to_pandas to_dataframe iter_lines"
    " iter_content iter_bytes iter_chunks iter_raw iter_text list next wait_for get_result download_as_bytes"
)

# Functions that read the file, or the items, that they are given.
PASSED = "load copyfileobj reader DictReader parse iterparse read_csv read_json safe_load TextIOWrapper"
ITERATING = (
    "list tuple set frozenset dict sorted sum max min any all next iter enumerate zip map filter reversed join islice"
    " chain deque Counter extend update"
)

# What only keeps an answer for its `with` block.
KEEPING = "closing nullcontext"
