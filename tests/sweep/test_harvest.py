"""Ids out of the answers of list routes, and in which order routes are sent."""

import pytest

from pytest_noblock.sweep.harvest import Harvest, levels
from pytest_noblock.sweep.route import Route

pytestmark = pytest.mark.one_python


def route(name, **more):
    return Route(*name.split(), **more)


def learned(path, answer, wanted, name, method="GET"):
    harvest = Harvest()
    harvest.learn(route(f"{method} {path}"), answer)
    return harvest.value_for(route(f"GET {wanted}"), name)


USER = {"name": "Ann", "id": 7, "uuid": "u-7", "slug": "ann", "email": "ann@example.org"}

FOUND = [
    # the shapes of an answer
    ("/users", [USER], "/users/{user_id}", "user_id", 7),
    ("/users", {"items": [USER], "total": 1}, "/users/{user_id}", "user_id", 7),
    ("/users", {"data": [USER]}, "/users/{user_id}", "user_id", 7),
    ("/users", {"results": [USER], "next": None}, "/users/{user_id}", "user_id", 7),
    ("/users", {"users": [USER], "data": []}, "/users/{user_id}", "user_id", 7),
    ("/users", {"data": {"users": [USER]}}, "/users/{user_id}", "user_id", 7),
    ("/users", {"whatever": [USER], "n": 1}, "/users/{user_id}", "user_id", 7),
    ("/users", [7, 8], "/users/{user_id}", "user_id", 7),
    ("/users", ["ann"], "/users/{name}", "name", "ann"),
    # where the route stands
    ("/users/", [USER], "/users/{user_id}", "user_id", 7),
    ("/api/v1/users", [USER], "/api/v1/users/{user_id}/posts", "user_id", 7),
    ("/users", [USER], "/users/{user_id}/posts/{post_id}", "user_id", 7),
    ("/users/{user_id}/posts", [{"id": 9}], "/users/{user_id}/posts/{post_id}", "post_id", 9),
    ("/", [{"id": 9}], "/{item_id}", "item_id", 9),
    ("/users", [USER], "/user/{id}", "id", 7),
    ("/users", [USER], "/posts/by/{user_id}", "user_id", 7),
    # the names of a variable
    ("/users", [USER], "/users/{id}", "id", 7),
    ("/users", [USER], "/users/{userId}", "userId", 7),
    ("/users", [USER], "/users/{user}", "user", 7),
    ("/users", [USER], "/users/{pk}", "pk", 7),
    ("/users", [USER], "/users/{slug}", "slug", "ann"),
    ("/users", [USER], "/users/{user_slug}", "user_slug", "ann"),
    ("/users", [USER], "/users/{uuid}", "uuid", "u-7"),
    ("/users", [USER], "/users/{email}", "email", "ann@example.org"),
    ("/users", [{"user_id": 3, "id": 4}], "/users/{user_id}", "user_id", 3),
    ("/users", [{"userId": 3}], "/users/{user_id}", "user_id", 3),
    ("/users", [{"user_id": 3}], "/users/{id}", "id", 3),
    ("/users", [{"_id": "abc"}], "/users/{user_id}", "user_id", "abc"),
    ("/categories", [{"id": 2}], "/categories/{category}", "category", 2),
    ("/boxes", [{"id": 2}], "/boxes/{box_id}", "box_id", 2),
    ("/countries", [{"code": "DE", "name": "G"}], "/countries/{country_code}", "country_code", "DE"),
    # what is no answer to the question
    ("/users", [], "/users/{user_id}", "user_id", None),
    ("/users", {"a": [], "b": []}, "/users/{user_id}", "user_id", None),
    ("/users", [[1]], "/users/{user_id}", "user_id", None),
    ("/users", "text", "/users/{user_id}", "user_id", None),
    ("/users", None, "/users/{user_id}", "user_id", None),
    ("/users", [{"id": None, "ok": True}], "/users/{user_id}", "user_id", None),
    ("/users", [USER], "/users/{day}", "day", None),
    ("/posts", [USER], "/users/{user_id}", "user_id", None),
    ("/posts/{id}", [USER], "/users/{id}", "id", None),
    ("/users", [USER], "/users/{user_id}/posts/{post_id}", "post_id", None),
]


@pytest.mark.parametrize(("path", "answer", "wanted", "name", "expected"), FOUND)
def test_a_list_tells_what_a_variable_is(path, answer, wanted, name, expected):
    assert learned(path, answer, wanted, name) == expected


def test_the_first_answer_holds_and_only_that_of_a_list():
    harvest = Harvest()
    harvest.learn(route("GET /users"), [{"id": 1}])
    harvest.learn(route("GET /users"), [{"id": 2}])
    harvest.learn(route("POST /posts"), [{"id": 3}])
    assert harvest.value_for(route("GET /users/{id}"), "id") == 1
    assert harvest.value_for(route("GET /posts/{id}"), "id") is None


def test_hosts_have_objects_of_their_own():
    harvest = Harvest()
    harvest.learn(route("GET /users", host="a.example.org"), [{"id": 1}])
    assert harvest.value_for(route("GET /users/{id}", host="a.example.org"), "id") == 1
    assert harvest.value_for(route("GET /users/{id}"), "id") is None


def test_lists_come_before_what_needs_them_and_what_changes_things_after_what_reads_them():
    names = (
        "DELETE /users/{id}",
        "GET /users/{id}/posts/{post_id}",
        "POST /users",
        "GET /users/{id}",
        "GET /users",
        "DELETE /users/{id}/posts/{post_id}",
        "PUT /users/{id}",
        "HEAD /health",
    )
    rounds = [[each.name for each in turn] for turn in levels([route(name) for name in names])]
    assert rounds == [
        ["GET /users", "HEAD /health"],
        ["GET /users/{id}"],
        ["GET /users/{id}/posts/{post_id}"],
        ["POST /users"],
        ["PUT /users/{id}"],
        ["DELETE /users/{id}/posts/{post_id}"],
        ["DELETE /users/{id}"],
    ]
    assert levels([]) == ()
