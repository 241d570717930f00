"""Signals call their observers in order and never keep an object alive."""

from __future__ import annotations

import gc

from cimdesk.base.signals import Signal


class Panel:
    def __init__(self, heard: list) -> None:
        self.heard = heard

    def on_value(self, value) -> None:
        self.heard.append(value)


def test_observers_are_called_in_the_order_they_connected():
    signal, heard = Signal(), []
    signal.connect(lambda value: heard.append(("first", value)))
    signal.connect(lambda value: heard.append(("second", value)))
    signal.emit(7)
    assert heard == [("first", 7), ("second", 7)]


def test_a_gone_object_is_no_longer_called():
    signal, heard = Signal(), []
    panel = Panel(heard)
    signal.connect(panel.on_value)
    signal.emit(1)
    del panel
    gc.collect()
    signal.emit(2)
    assert heard == [1]
    assert signal._observers == []


def test_disconnecting_stops_calls_and_may_be_repeated():
    signal, heard = Signal(), []
    panel = Panel(heard)
    signal.connect(panel.on_value)
    signal.disconnect(panel.on_value)
    signal.disconnect(panel.on_value)
    signal.emit(1)
    assert heard == []


def test_an_observer_may_disconnect_itself_while_called():
    signal, heard = Signal(), []

    def once(value):
        heard.append(value)
        signal.disconnect(once)

    signal.connect(once)
    signal.connect(lambda value: heard.append(-value))
    signal.emit(1)
    signal.emit(2)
    assert heard == [1, -1, -2]
