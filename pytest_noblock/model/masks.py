"""What must not be told of a text that quotes the user's values: passwords, tokens, cookies, what a query says (pure).

An error of a driver quotes the DSN, one of a client the URL and its headers, one of a validation the body. Such texts
come to the terminal, to reports, and from there to the logs of CI.
"""

import re
from collections.abc import Iterable

MASK = "***"

_WORDS = (
    "password|passwd|passphrase|passwort|pwd|secret|token|credentials?|api[-_]?key|access[-_]?key|private[-_]?key"
    "|secret[-_]?key|authorization|auth|signature|dsn|jwt|otp|csrf|session[-_]?id|cookie"
)
_KEY = rf"[\w.-]{{0,40}}(?:{_WORDS})(?:[_.-][\w.-]{{0,40}}|\d{{0,5}})"
"""A bound on its parts keeps a text of a thousand such words from taking seconds."""
SECRET_NAME = re.compile(_KEY, re.IGNORECASE)
"""A name whose value is nobody's business: `DB_PASSWORD`, `api_key`, `X-Auth-Token`."""

_QUOTED = r"b?(?P<quote>['\"]).*?(?:(?P=quote)|$)"
"""In quotes, or to the end of a text that was cut within them."""


def _after(keep: str, hidden: str) -> tuple[re.Pattern[str], str]:
    """Hides what matches `hidden` behind `keep`."""
    return re.compile(rf"(?P<keep>{keep}){hidden}", re.IGNORECASE | re.DOTALL), rf"\g<keep>{MASK}"


_RULES = (
    # The user and password of a URL, postgres://shop:s3cret@db/shop. A user without a password may be a token.
    (re.compile(r"(?P<keep>\b[a-z][a-z0-9+.-]{0,30}://)[^\s/?#'\"]*@", re.IGNORECASE), rf"\g<keep>{MASK}@"),
    # What a query says, ?id=7&token=x: its names tell which query it was.
    _after(r"[?&](?:amp;)?[\w.%\[\]~-]{1,80}=", r"[^\s&#'\"<>)\]}]+"),
    # Cookies, to the end of their quotes or of the line.
    _after(r"\b(?:set-)?cookies?['\"]?\s*[:=](?!\s*\*\*\*)\s*b?['\"]?", r"[^'\"\n]+"),
    _after(r"\b(?:bearer|basic|digest|negotiate)\s+", r"[\w.~+/=-]{4,}"),
    # A JSON web token, wherever it stands.
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?"), MASK),
    # ("token", "x") of a list of headers; password='x', "token": "x"; api_key=x.
    _after(rf"['\"]{_KEY}['\"]\s*,\s*", _QUOTED),
    _after(rf"\b{_KEY}['\"]?\s*[:=]\s*", rf"(?:{_QUOTED}|[^\s,;&)'\"\]}}*]+)"),
    # What pydantic, FastAPI, codecs and SQLAlchemy quote of a body or of a row.
    _after(r"\binput_value=", r".*?(?=, input_type=)"),
    _after(r"['\"]input['\"]: ", r".*?(?=, ['\"](?:ctx|url)['\"]:|\}, \{['\"]type['\"]|\}\]\)|$)"),
    _after(r"\bUnicode(?:De|En)codeError\('[^']*', ", _QUOTED),
    _after(r"\[parameters: ", r".*?(?=\](?:\\n|\s|'|\"|\)|$))"),
    _after(r"\bKey \([^)]*\)=\(", r"[^)]*"),
)


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without what it must not tell. `secrets`: values that are known to be secret, wherever they stand."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    for pattern, shown in _RULES:
        text = pattern.sub(shown, text)
    return text
