"""Fire times by the clocks of time zones; the expected moments are literal, in UTC."""

import random
from datetime import UTC, datetime

import pytest

from core.errors import UsageError
from orchestrator.scheduling.cron import FireTimes


def at(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp()


def between(cron: str, zone: str, after: str, until: str, *, limit: int = 100) -> list[str]:
    found = FireTimes(cron, zone).between(at(after), at(until), limit=limit)
    return [datetime.fromtimestamp(fire_at, UTC).strftime("%m-%d %H:%M") for fire_at in found]


def test_a_time_that_is_not_there_when_clocks_go_forward_fires_once_behind_the_gap():
    assert between("30 2 * * *", "Europe/Berlin", "2027-03-27 00:00", "2027-03-30 00:00") == [
        "03-27 01:30",
        "03-28 01:00",
        "03-29 00:30",
    ]


def test_a_time_that_is_there_twice_when_clocks_go_back_fires_once():
    assert between("30 2 * * *", "Europe/Berlin", "2027-10-30 00:00", "2027-11-02 00:00") == [
        "10-30 00:30",
        "10-31 00:30",
        "11-01 01:30",
    ]


def test_an_hourly_schedule_fires_every_hour_while_clocks_change():
    assert between("0 * * * *", "Europe/Berlin", "2027-03-28 00:00", "2027-03-28 03:00") == [
        "03-28 01:00",
        "03-28 02:00",
        "03-28 03:00",
    ]
    assert between("0 * * * *", "Europe/Berlin", "2027-10-30 23:30", "2027-10-31 02:30") == [
        "10-31 00:00",
        "10-31 01:00",
        "10-31 02:00",
    ]


def test_a_zone_without_summer_time_fires_at_the_same_moment_all_year():
    assert between("0 3 * * *", "Asia/Seoul", "2027-03-27 00:00", "2027-03-29 00:00") == ["03-27 18:00", "03-28 18:00"]
    assert between("0 3 * * *", "Asia/Seoul", "2027-07-01 00:00", "2027-07-02 00:00") == ["07-01 18:00"]


def test_a_zone_whose_clocks_change_by_half_an_hour():
    # Lord Howe Island goes back from 02:00 (UTC+11) to 01:30 (UTC+10:30) on 4 April 2027.
    assert between("45 1 * * *", "Australia/Lord_Howe", "2027-04-02 12:00", "2027-04-05 12:00") == [
        "04-02 14:45",
        "04-03 14:45",
        "04-04 15:15",
    ]


def test_hours_begin_at_their_beginning_after_clocks_have_changed_by_half_an_hour():
    after, until = "2027-04-03 12:00", "2027-04-03 19:30"
    quarters = ["04-03 18:30", "04-03 18:45", "04-03 19:00", "04-03 19:15"]  # 05:00 to 05:45 on 4 April
    assert between("*/15 5 * * *", "Australia/Lord_Howe", after, until) == quarters
    assert FireTimes("*/15 5 * * *", "Australia/Lord_Howe").next_after(at(after)) == at("2027-04-03 18:30")
    # On 3 October they go forward from 02:00 to 02:30.
    assert between("*/15 2 * * *", "Australia/Lord_Howe", "2027-10-02 12:00", "2027-10-02 17:00") == [
        "10-02 15:30",
        "10-02 15:45",
    ]


def test_an_hour_that_is_there_twice_loses_no_fire_time_to_a_late_start():
    # 01:10 UTC is the second 02:10 of that night; 02:30 has fired in the first.
    daily = FireTimes("30 2 * * *", "Europe/Berlin")
    assert between("30 2 * * *", "Europe/Berlin", "2027-10-30 12:00", "2027-10-31 01:10") == ["10-31 00:30"]
    assert daily.next_after(at("2027-10-31 01:10")) == at("2027-11-01 01:30")
    # In Santiago the last hour of a Saturday is there twice.
    assert len(between("*/15 * * * SAT", "America/Santiago", "2027-04-02 00:00", "2027-04-05 00:00")) == 100


ODD_DAYS = [
    ("Europe/Berlin", "2027-03-28"),
    ("Europe/Berlin", "2027-10-31"),
    ("Australia/Lord_Howe", "2027-04-03"),
    ("Australia/Lord_Howe", "2027-10-02"),
    ("America/Santiago", "2027-04-03"),
    ("America/Havana", "2027-11-07"),
    ("Africa/Cairo", "2027-04-30"),
]


@pytest.mark.parametrize(("zone", "day"), ODD_DAYS)
@pytest.mark.parametrize("cron", ["30 2 * * *", "0,30 0-3 * * *", "*/15 5 * * *", "0 * * * *", "*/20 23,0,1 * * *"])
def test_fire_times_do_not_depend_on_when_they_are_asked_for(zone: str, day: str, cron: str):
    rng = random.Random(f"{zone} {day} {cron}")
    times = FireTimes(cron, zone)
    first, last = at(f"{day} 00:00") - 86_400, at(f"{day} 00:00") + 3 * 86_400
    everything = times.between(first, last, limit=10_000)
    for _ in range(20):
        after = rng.uniform(first, last)
        until = rng.uniform(after, last)
        limit = rng.choice([1, 3, 10_000])
        assert times.between(after, until, limit=limit) == [x for x in everything if after < x <= until][-limit:]
        if after < everything[-1]:
            assert times.next_after(after) == next(x for x in everything if x > after)


def test_both_ends_of_a_stretch_are_as_promised():
    assert between("0 0 * * *", "UTC", "2027-01-01 00:00", "2027-01-03 00:00") == ["01-02 00:00", "01-03 00:00"]
    assert between("0 0 * * *", "UTC", "2027-01-01 00:00", "2027-01-01 00:00") == []


def test_of_too_many_the_newest_are_given():
    assert between("0 0 * * *", "UTC", "2017-01-01 00:00", "2027-01-03 12:00", limit=2) == [
        "01-02 00:00",
        "01-03 00:00",
    ]


def test_the_next_fire_time_and_none_for_a_day_that_never_comes():
    assert FireTimes("0 0 29 2 *", "UTC").next_after(at("2027-01-01 00:00")) == at("2028-02-29 00:00")
    with pytest.raises(UsageError, match="never fires: the day-of-month '30' does not come in the month '2'"):
        FireTimes("0 0 30 2 *", "UTC")
    # Of the 1st and the 31st of February neither is a fifth Monday.
    never = FireTimes("0 0 */30 2 MON#5", "Europe/Berlin")
    assert never.next_after(at("2027-01-01 00:00")) is None
    assert never.between(0.0, at("2027-01-01 00:00"), limit=3) == []


def test_fire_times_are_told_in_words():
    assert FireTimes("0 3 * * *", "Asia/Seoul").describe() == "At 03:00 every day (Asia/Seoul)"


@pytest.mark.parametrize(("alias", "cron"), [("@daily", "0 0 * * *"), (" @Weekly ", "0 0 * * 0")])
def test_the_usual_names_mean_what_they_mean(alias: str, cron: str):
    assert FireTimes(alias, "UTC").cron == cron


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 3 * *", "expected five fields"),
        ("0 0 3 * * *", "received 6. There is none for seconds: leave it out."),
        ("@dayly", "Nearest: @daily."),
        ("@reboot", "Of names there are @hourly, @daily"),
        ("60 3 * * *", "the minute is '60'"),
        ("0 24 * * *", "the hour is '24'"),
        ("0 3 32 * *", "the day-of-month is '32'"),
        ("0 3 * 13 *", "the month is '13'"),
        ("0 3 * * 9", "the day-of-week is '9'"),
        ("", "expected five fields"),
        ("every night", "expected five fields"),
        ("*/0 * * * *", "the minute is '*/0'"),
        ("0 3 * * *" * 100, "expected five fields"),
    ],
)
def test_an_expression_that_cannot_be_read_is_refused_with_its_field(cron: str, words: str):
    with pytest.raises(UsageError) as raised:
        FireTimes(cron, "UTC")
    assert words in str(raised.value)
    assert "0 3 * * *" in str(raised.value)


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("Seoul", "Asia/Seoul"),
        ("../../etc/passwd", "Europe/Berlin"),
        ("", "Europe/Berlin"),
    ],
)
def test_a_time_zone_that_does_not_exist_is_refused_with_the_nearest(zone: str, hint: str):
    with pytest.raises(UsageError, match="is no time zone") as raised:
        FireTimes("0 3 * * *", zone)
    assert hint in str(raised.value)
