"""Calls that compute: what to write instead, by prefix as in `waits`, and what is known of each computation."""

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
        " one by one, or a smaller thread_minimum_size of GZipMiddleware, which takes what is as large to a thread"
        " (Starlette 1.10 has it: 128 KiB; the pieces of a FileResponse have 64)"
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

# What only this process can do for itself: no other process is advised.
HERE = "gc.collect ssl.create_default_context ssl.SSLContext importlib.import_module"

_NEEDED = "what is needed of {call}(...)"

# Computations that return what cannot be pickled, by the longest prefix, and what a function that a process runs for
# them returns. Empty: it can be pickled. Each was tried (CPython 3.12), but for pdfplumber,
# PyPDF2, `regex.Pattern`, weasyprint, xlsxwriter and reportlab.
UNPICKLED = {
    "re.match re.search re.fullmatch re.Pattern.match re.Pattern.search re.Pattern.fullmatch": "bool({call}(...))",
    "regex.match regex.search regex.fullmatch regex.Pattern": "bool({call}(...))",
    "regex.Pattern.sub regex.Pattern.subn regex.Pattern.split regex.Pattern.findall": "",
    "re.finditer re.Pattern.finditer regex.finditer regex.Pattern.finditer": "[each[0] for each in {call}(...)]",
    "hashlib": "{call}(...).hexdigest()",
    "hashlib.pbkdf2_hmac hashlib.scrypt": "",
    "difflib.ndiff difflib.unified_diff difflib.context_diff": "list({call}(...))",
    "yaml.load_all yaml.safe_load_all yaml.full_load_all yaml.parse yaml.scan": "list({call}(...))",
    "csv.DictReader xml.etree.ElementTree.iterparse": _NEEDED,
    "gzip.open bz2.open lzma.open tarfile zipfile zlib.compressobj zlib.decompressobj zstandard": _NEEDED,
    "zstandard.compress zstandard.decompress": "",
    "lxml duckdb docx pypdf PyPDF2 pdfplumber reportlab weasyprint xlsxwriter fitz pymupdf": _NEEDED,
    "lxml.etree.tostring lxml.html.tostring": "",
}
