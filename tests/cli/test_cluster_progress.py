from photochrom.cli.cluster_progress import ClusterProgress
from photochrom.engine.stored import StoredOutcome


def outcome(node, status="coloured", megapixels=12.0):
    notes = ("b.jpg: bad",) if status == "failed" else ()
    return StoredOutcome("b.jpg", "c.jpg", status, notes, 1.0, megapixels=megapixels, node=node)


def test_speeds_are_of_the_last_minute_and_tell_the_time_left(capsys):
    now = [0.0]
    progress = ClusterProgress(lambda: 300, clock=lambda: now[0])
    with progress:
        for number in range(100):
            now[0] = number * 2.0
            progress(outcome("a" if number % 4 else "b"))
        assert progress.state() == ("100 of 300 done; 0.5 pictures/s, 6.2 megapixels/s; 6 min left")
        assert progress.nodes(recent=True) == [
            "  a: 75 coloured; 0.4 pictures/s, 4.8 megapixels/s",
            "  b: 25 coloured; 0.1 pictures/s, 1.4 megapixels/s",
        ]
        progress(outcome("a", "failed"))
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("31 of 300 done")  # each minute where there is no terminal
    assert "photochrom: b.jpg: bad" in said
    assert said[-2].startswith("  a: 75 coloured; ")


def test_a_run_without_workers_says_so_and_an_unknown_number_has_no_time_left():
    now = [0.0]
    progress = ClusterProgress(lambda: None, clock=lambda: now[0])
    now[0] = 70.0
    assert progress.state() == ("0 done; 0.0 pictures/s, 0.0 megapixels/s; waiting for workers")


def test_with_json_nothing_is_printed(capsys):
    with ClusterProgress(lambda: 2, quiet=True) as progress:
        progress(outcome("a", "failed"))
    assert capsys.readouterr().err == ""


def test_many_nodes_are_counted():
    progress = ClusterProgress(lambda: None)
    for number in range(40):
        progress(outcome(f"node-{number:02}"))
    assert progress.nodes()[-1] == "  and 24 more nodes"
