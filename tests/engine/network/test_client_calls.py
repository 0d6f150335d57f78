"""The independent count of what the clients of the test's thread send."""

import threading

from pytest_noblock.engine.network.client_calls import Sent


class Session:
    """A client."""


class Pool:
    """What the client calls."""


def test_the_method_that_was_called_most_often_is_told():
    sent = Sent()
    sent.begin()
    assert sent.most() is None
    for owner in (Session, Pool, Session):
        sent.note(owner, "send")
    assert sent.most() == (f"{__name__.partition('.')[0]}.Session.send", 2)
    sent.begin()
    assert sent.most() is None


def test_only_the_thread_that_began_is_counted():
    sent = Sent()
    sent.begin()
    thread = threading.Thread(target=sent.note, args=(Session, "send"))
    thread.start()
    thread.join()
    assert sent.most() is None
