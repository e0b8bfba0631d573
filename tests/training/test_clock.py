from training.network import clock
from training.network.clock import RunningClock


def test_a_gap_in_which_the_process_stood_still_is_not_counted(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(clock.time, "monotonic", lambda: now[0])
    running = RunningClock(every=3600)
    now[0] += 1.5
    assert running.seconds() == 1.5
    now[0] += 300  # SIGSTOP for five minutes
    assert running.seconds() == 3.5
    now[0] += 1
    assert running.seconds() == 4.5


def test_it_counts_while_nobody_asks():
    running = RunningClock(every=0.01, longest=0.05)

    def counted():
        before = running.seconds()
        clock.time.sleep(0.4)
        return running.seconds() - before

    # Asked alone it would count 0.05 of each; a busy machine may hold its thread up now and then.
    assert any(counted() > 0.3 for _ in range(20))
