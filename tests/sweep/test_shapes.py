"""What FastAPI apps ask for: each shape gets a request that FastAPI accepts, by what its OpenAPI document says."""

import datetime as dt
import decimal
import enum
import ipaddress
import pathlib
import re
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, NamedTuple, Optional, TypeVar

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("python_multipart")

from fastapi import Body, Cookie, Depends, FastAPI, File, Form, Header, Path, Query, Request, UploadFile
from fastapi.testclient import TestClient
from pydantic import (
    AnyUrl,
    AwareDatetime,
    Base64Str,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    HttpUrl,
    Json,
    NaiveDatetime,
    PastDate,
    PositiveInt,
    PostgresDsn,
    RootModel,
    SecretStr,
    StringConstraints,
    Tag,
    conint,
    conlist,
    constr,
    field_validator,
)
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from pytest_noblock.sweep.harvest import Harvest
from pytest_noblock.sweep.requests import Missing, Values, request_for
from pytest_noblock.sweep.routes import routes_of

pytestmark = pytest.mark.one_python


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 3
    HIGH = 4


class Point(BaseModel):
    x: float
    y: float = Field(gt=0, lt=1)


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid")
    begin: Point
    end: Point
    via: list[Point] = Field(min_length=2, max_length=3)


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    kind: Literal["dog", "puppy"]
    weight: decimal.Decimal = Field(gt=0, max_digits=5, decimal_places=2)


class Owner(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    others: list[Annotated[Cat | Dog, Field(discriminator="kind")]]


def told(value: Any) -> str:
    return "circle" if "radius" in value else "square"


class Circle(BaseModel):
    radius: PositiveInt


class Square(BaseModel):
    model_config = ConfigDict(extra="forbid")
    side: PositiveInt


class Tree(BaseModel):
    name: str
    children: list["Tree"]
    parent: Optional["Tree"]


class Everything(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: uuid.UUID
    b: dt.datetime
    c: dt.date
    d: dt.time
    e: dt.timedelta
    f: decimal.Decimal
    g: bytes
    h: ipaddress.IPv4Address
    i: ipaddress.IPv6Network
    j: pathlib.PurePosixPath
    k: bool
    m: frozenset[int] = Field(min_length=3)
    n: tuple[int, str, bool]
    o: dict[str, Point]
    p: dict[Colour, int] = Field(min_length=1)
    q: Colour
    r: Level
    s: Literal[4, "five"]
    t: SecretStr
    u: HttpUrl
    v: AnyUrl
    w: Any
    x: None
    y: re.Pattern[str]
    z: int | str | None


class Kinds(BaseModel):
    uuid1: Annotated[uuid.UUID, Field(json_schema_extra={"format": "uuid"})]
    aware: AwareDatetime
    past: PastDate
    json_text: Json[list[int]]
    base64: Base64Str
    dsn: PostgresDsn
    short: constr(min_length=2, max_length=3, pattern="^[a-z]+$")
    small: conint(gt=3, lt=5)
    some: conlist(int, min_length=2)
    step: int = Field(multiple_of=7, ge=8)
    half: float = Field(multiple_of=0.5, gt=0.5)
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}\d{4}(-[a-z]+)?$")]


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=False)
    user_name: str = Field(alias="userName")
    user_mail: str = Field(validation_alias="mail", pattern=r"^[^@\s]+@[^@\s]+\.\w+$")


class Written(BaseModel):
    """Its author knows what is needed; the schema does not."""

    code: str = Field(examples=["nothing", "K-7"])
    nested: Point = Field(examples=[{"x": 2, "y": 0.25}])
    optional: str | None = Field(None, examples=["given"])

    @field_validator("optional")
    @classmethod
    def must_be_the_example(cls, value: str | None) -> str | None:
        assert value == "given"
        return value


class WholeExample(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"secret": "open sesame"}]})
    secret: str

    @field_validator("secret")
    @classmethod
    def must_be_the_example(cls, value: str) -> str:
        assert value == "open sesame"
        return value


Kind = TypeVar("Kind")


class Page(BaseModel, Generic[Kind]):
    items: list[Kind]
    total: int = Field(ge=0)


class Ids(RootModel[list[uuid.UUID]]):
    pass


class Typed(TypedDict):
    a: int
    b: list[str]


class Pair(NamedTuple):
    a: int
    b: str


@dataclass
class Plain:
    a: int
    b: dt.date
    c: str = "c"


class Filters(BaseModel):
    model_config = ConfigDict(extra="forbid")
    limit: int = Field(gt=10, le=100)
    order: Literal["up", "down"]
    tags: list[str] = []
    since: dt.date | None = None


class Login(BaseModel):
    model_config = ConfigDict(extra="forbid")
    username: str = Field(min_length=3)
    password: SecretStr
    roles: list[Colour]
    remember: bool


class Upload(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: str
    picture: UploadFile
    pages: list[UploadFile]


class Common(BaseModel):
    x_tenant: str = Field(pattern="^t-[0-9]+$")
    x_trace: uuid.UUID


def paged(limit: Annotated[int, Query(ge=5, le=9)], offset: int = 0) -> tuple[int, int]:
    return limit, offset


SHAPES: list[tuple[str, str, Any]] = []
"""Method, path and endpoint."""


def get(path="/"):
    return shape("GET", path)


def post(path="/"):
    return shape("POST", path)


def shape(method, path):
    def kept(endpoint):
        SHAPES.append((method, path, endpoint))
        return endpoint

    return kept


# Paths


@get("/{n}")
def path_int(n: int): ...


@get("/{n}")
def path_bounds(n: Annotated[int, Path(ge=100, lt=102)]): ...


@get("/{n}")
def path_float(n: Annotated[float, Path(gt=0, lt=0.1)]): ...


@get("/{u}")
def path_uuid(u: uuid.UUID): ...


@get("/{c}")
def path_enum(c: Colour): ...


@get("/{c}")
def path_int_enum(c: Level): ...


@get("/{c}")
def path_literal(c: Literal["one", "two"]): ...


@get("/{d}")
def path_date(d: dt.date): ...


@get("/{d}")
def path_datetime(d: dt.datetime): ...


@get("/{s}")
def path_pattern(s: Annotated[str, Path(pattern="^[a-z]{2}-[a-z]{2}$")]): ...


@get("/{s}")
def path_length(s: Annotated[str, Path(min_length=12, max_length=12)]): ...


@get("/{b}")
def path_bool(b: bool): ...


@get("/{n}")
def path_decimal(n: decimal.Decimal): ...


@get("/files/{rest:path}")
def path_rest(rest: str): ...


@get("/{a}/and/{c}-{b}")
def path_several(a: int, b: str, c: uuid.UUID): ...


@get("/{a:int}/{b:uuid}/{c:float}")
def path_convertors(a, b, c): ...


@get("/{a:int}")
def path_convertor_and_bound(a: Annotated[int, Path(gt=7)]): ...


@get("/{s}")
def path_union(s: int | uuid.UUID): ...


@get("/{when}")
def path_example(when: Annotated[str, Path(openapi_examples={"now": {"value": "now"}})]):
    assert when == "now"


# Queries


@get()
def query_required(q: str, n: int, b: bool, f: float): ...


@get()
def query_list(n: Annotated[list[int], Query(min_length=2)]):
    assert len(n) == 2


@get()
def query_set(n: Annotated[set[int], Query(min_length=2)]):
    assert len(n) == 2


@get()
def query_tuple(n: Annotated[tuple[int, str], Query()]): ...


@get()
def query_enum_list(c: Annotated[list[Colour], Query()]): ...


@get()
def query_optional_is_left_out(q: str | None = None, n: int = 3):
    assert (q, n) == (None, 3)


@get()
def query_nullable(q: Annotated[int | None, Query()]): ...


@get()
def query_alias(q: Annotated[str, Query(alias="item-query", pattern="^fixed$")]): ...


@get()
def query_datetimes(a: dt.datetime, b: dt.time, c: dt.timedelta, d: dt.date): ...


@get()
def query_model(filters: Annotated[Filters, Query()]): ...


@get()
def query_of_a_dependency(page: Annotated[tuple[int, int], Depends(paged)]): ...


@get()
def query_example(q: Annotated[str | None, Query(examples=["wanted"])] = None):
    assert q == "wanted"


@get()
def query_decimal(n: Annotated[decimal.Decimal, Query(gt=2, le=3)]): ...


@get()
def query_url(u: HttpUrl): ...


@get()
def query_json(j: Json[dict[str, int]]): ...


# Headers and cookies


@get()
def header_required(x_token: Annotated[str, Header(min_length=8)], user_agent: Annotated[str, Header()]): ...


@get()
def header_list(x_id: Annotated[list[int], Header()]): ...


@get()
def header_model(common: Annotated[Common, Header()], request: Request):
    assert "x-tenant" in request.headers


@get()
def header_underscores(strange_header: Annotated[int, Header(convert_underscores=False)]): ...


@get()
def cookie_required(session: Annotated[uuid.UUID, Cookie()], n: Annotated[int, Cookie(gt=4)]): ...


@get()
def header_authorization(authorization: Annotated[str, Header()]): ...


# Bodies


@post()
def body_scalar(n: Annotated[int, Body(gt=3)]): ...


@post()
def body_embedded(n: Annotated[int, Body(gt=3, embed=True)]): ...


@post()
def body_nested(line: Line): ...


@post()
def body_several(line: Line, point: Point, n: Annotated[int, Body()], q: int): ...


@post()
def body_discriminated(owner: Owner): ...


@post()
def body_discriminated_by_function(
    thing: Annotated[Annotated[Circle, Tag("circle")] | Annotated[Square, Tag("square")], Discriminator(told), Body()],
): ...


@post()
def body_union(thing: Circle | Square): ...


@post()
def body_tree(tree: Tree): ...


@post()
def body_everything(everything: Everything): ...


@post()
def body_kinds(kinds: Kinds): ...


@post()
def body_aliased(aliased: Aliased): ...


@post()
def body_written(written: Written): ...


@post()
def body_whole_example(written: WholeExample): ...


@post()
def body_example_of_the_operation(
    point: Annotated[
        Point, Body(openapi_examples={"bad": {"value": {"x": "no"}}, "good": {"value": {"x": 5, "y": 0.5}}})
    ],
):
    assert point.x == 5


@post()
def body_generic(page: Page[Owner]): ...


@post()
def body_root(ids: Ids): ...


@post()
def body_list(lines: list[Line]): ...


@post()
def body_bounded_list(n: Annotated[list[int], Body(min_length=3, max_length=3)]):
    assert len(n) == 3


@post()
def body_dict(points: dict[str, Point]): ...


@post()
def body_dict_of_ints(points: dict[int, Annotated[float, Field(gt=3)]]): ...


@post()
def body_typed_dict(typed: Typed): ...


@post()
def body_named_tuple(pair: Annotated[Pair, Body()]): ...


@post()
def body_dataclass(plain: Plain): ...


@post()
def body_optional(point: Point | None = None): ...


@post()
def body_any(anything: Annotated[Any, Body()]): ...


@post()
def body_naive(at: Annotated[NaiveDatetime, Body(examples=["2024-01-02T03:04:05"])]): ...


@post()
def body_own_media_type(point: Annotated[Point, Body(media_type="application/vnd.api+json")]): ...


@post()
def body_enum_and_const(c: Annotated[Colour, Body()], k: Annotated[Literal["k"], Body()]): ...


@post("/{n}")
def body_and_path_and_query(n: int, point: Point, q: Colour): ...


# Forms and files


@post()
def form_fields(a: Annotated[str, Form(min_length=4)], b: Annotated[int, Form()], c: Annotated[bool, Form()]): ...


@post()
def form_list(n: Annotated[list[int], Form(min_length=2)]):
    assert len(n) == 2


@post()
def form_model(login: Annotated[Login, Form()]): ...


@post()
def form_enum_and_date(c: Annotated[Colour, Form()], d: Annotated[dt.date, Form()]): ...


@post()
def file_one(f: UploadFile):
    assert f.filename


@post()
def file_bytes(f: Annotated[bytes, File()]):
    assert f


@post()
def file_list(f: list[UploadFile]):
    assert f


@post()
def files_two_at_least(f: Annotated[list[UploadFile], Field(min_length=2)]):
    assert len(f) == 2


@post()
def file_and_fields(f: UploadFile, title: Annotated[str, Form()], n: Annotated[int, Form(gt=8)]): ...


@post()
def file_optional(f: UploadFile | None = None): ...


@post()
def file_model(upload: Annotated[Upload, Form()]): ...


def app_of(method, path, endpoint):
    app = FastAPI()
    app.add_api_route(path, endpoint, methods=[method])
    return app


def sent(app, request, method):
    with TestClient(app) as client:
        given = {name: getattr(request, name) for name in ("params", "headers", "json", "data", "files", "content")}
        client.cookies.update(request.cookies)
        return client.request(method, request.url, **given)


def test_there_are_many_shapes():
    assert len(SHAPES) >= 60


@pytest.mark.parametrize(("method", "path", "endpoint"), SHAPES, ids=lambda each: getattr(each, "__name__", ""))
def test_fastapi_accepts_the_request(method, path, endpoint):
    app = app_of(method, path, endpoint)
    (route,) = routes_of(app).routes
    request = request_for(route, Values(), Harvest())
    assert not isinstance(request, Missing), request.words
    response = sent(app, request, method)
    assert response.status_code == 200, response.text
    assert response.json() is None


@pytest.mark.parametrize(("method", "path", "endpoint"), SHAPES, ids=lambda each: getattr(each, "__name__", ""))
def test_so_it_does_where_the_route_is_in_no_document(method, path, endpoint):
    """FastAPI is asked for what `include_in_schema=False` hides."""
    app = FastAPI(openapi_url=None)
    app.add_api_route(path, endpoint, methods=[method], include_in_schema=False)
    shown, hidden = (routes_of(each).routes[0] for each in (app_of(method, path, endpoint), app))
    assert request_for(hidden, Values()) == request_for(shown, Values())


def test_an_address_is_one_that_email_validator_takes():
    pytest.importorskip("email_validator")
    from pydantic import EmailStr, NameEmail

    def endpoint(mail: EmailStr, named: Annotated[NameEmail, Body()], all_of: Annotated[list[EmailStr], Body()]): ...

    app = app_of("POST", "/", endpoint)
    request = request_for(routes_of(app).routes[0], Values())
    assert sent(app, request, "POST").status_code == 200
