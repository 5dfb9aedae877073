#!/usr/bin/env python3
"""Writes recurrence.csv and recurrence_runs.csv: what zoneinfo, which knows nothing of our code, says about runs.

Configurations are not stored: number n is made from the digits of md5('recurrence' || n), here and in
test/pgtap/recurrence.sql alike; the last line of recurrence_runs.csv is the digest of them all, so that the two cannot
drift apart. Runs are found by asking every single day whether it belongs to the rule. Years are 2000 to 2024, whose
clocks nobody changes any more.

    recurrence_oracle.py            writes the files into this folder
    recurrence_oracle.py --print    prints schedules and next runs as JSON lines, for recurrence_peers.mjs
"""
import calendar
import hashlib
import json
import pathlib
import sys
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

CASES = 120000
SEQUENCES = 4000        # the first ones: also their first 12 runs
ZONES = ["America/New_York", "Europe/London", "Europe/Lisbon", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo",
         "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Chatham", "UTC", "Europe/Dublin", "America/St_Johns",
         "Asia/Tehran", "Asia/Amman", "Africa/Cairo", "Asia/Gaza", "America/Havana", "Asia/Beirut", "Pacific/Fakaofo",
         "America/Caracas", "Antarctica/Troll", "America/Asuncion", "Europe/Moscow", "America/Los_Angeles"]
# weeks in which clocks are changed somewhere: month and first day
HOT = [(3, 8), (11, 1), (3, 25), (10, 25), (10, 1), (4, 1), (9, 24), (2, 15), (10, 15), (12, 26)]
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def parameters(n):
    """Fourteen small numbers; the SQL twin must do the same."""
    digits = hashlib.md5(f"recurrence{n}".encode()).hexdigest() + hashlib.md5(f"recurrence{n}x".encode()).hexdigest()
    p = [int(digits[i:i + 4], 16) for i in range(0, 64, 4)]
    zone = p[0] % 24
    hot = p[1] % 3 > 0
    year = 2000 + p[2] % 24
    if p[1] % 30 == 1:
        year = 2011
    if hot:
        month, day = HOT[p[3] % 10][0], HOT[p[3] % 10][1] + p[4] % 7 - 1
        day = max(day, 1)
        time = p[5] % 20 * 900
    else:
        month, day = 1 + p[3] % 12, 1 + p[4] % 28
        time = p[5] % 1440 * 60 + (p[6] % 60 if p[6] % 7 == 0 else 0)
    after = (datetime(year, month, day, tzinfo=timezone.utc) - EPOCH) // timedelta(seconds=1) + p[7] * 7 % 172800
    frequency = (1, 1, 1, 2, 2, 3, 3, 0)[p[8] % 8]
    weekdays = p[9] % 127 + 1
    day_of_month = p[10] % 31 + 1
    if p[10] % 3 == 0:
        day_of_month = (31, 30, 29, -1, -2, -30, -31, -29)[p[10] // 3 % 8]
    interval = 1 + p[11] % 5 if p[11] % 7 < 2 else 1
    start = -(p[12] % 400) if interval > 1 or p[12] % 5 == 0 or frequency == 0 else None    # days from the day of after
    if start is not None and p[13] % 4 == 0:
        start = p[12] % 30
    end = p[13] % 60 + max(start or 0, 0) if p[13] % 6 == 1 and frequency != 0 else None
    max_runs = 1 + p[14] % 40 if start is not None and p[14] % 5 == 0 and frequency != 0 else None
    return (zone, after, time, frequency, weekdays, day_of_month, interval, start, end, max_runs,
            p[15] % 3, p[15] // 3 % 3, p[15] // 9 % 4)


def configuration(n):
    """The same as the JSON that a user would write."""
    zone, after, time, frequency, weekdays, day_of_month, interval, start, end, max_runs, month_end, gap, overlap = parameters(n)
    day = (EPOCH + timedelta(seconds=after)).date()
    config = {"frequency": ("once", "daily", "weekly", "monthly")[frequency], "timezone": ZONES[zone],
              "time": f"{time // 3600:02}:{time // 60 % 60:02}" + (f":{time % 60:02}" if time % 60 else "")}
    if frequency == 2:
        config["daysOfWeek"] = [d for d in range(1, 8) if weekdays >> (d - 1) & 1]
    if frequency == 3:
        config["dayOfMonth"] = day_of_month
    if frequency != 0 and interval > 1:
        config["interval"] = interval
    if start is not None:
        config["startDate"] = str(day + DAY * start)
    if end is not None:
        config["endDate"] = str(day + DAY * end)
    if max_runs is not None:
        config["maxRuns"] = max_runs
    for key, words, chosen in (("monthEnd", ("clamp", "skip"), month_end), ("dstGap", ("shift", "skip"), gap),
                               ("dstOverlap", ("first", "second", "both"), overlap)):
        if chosen > 0:
            config[key] = words[chosen - 1]
    return config, after


def belongs(config, start, day):
    """Whether that local day is a day of the rule."""
    if start is not None and day < start:
        return False
    n = config.get("interval", 1)
    frequency = config["frequency"]
    if frequency == "once":
        return day == start
    if frequency == "daily":
        return n == 1 or (day - start).days % n == 0
    if frequency == "weekly":
        if day.isoweekday() not in config["daysOfWeek"]:
            return False
        return n == 1 or ((day - DAY * day.weekday()) - (start - DAY * start.weekday())).days // 7 % n == 0
    if n > 1 and (day.year * 12 + day.month - start.year * 12 - start.month) % n:
        return False
    length = calendar.monthrange(day.year, day.month)[1]
    wanted = config["dayOfMonth"]
    if wanted < 0:
        wanted += length + 1
    if not 1 <= wanted <= length:
        if config.get("monthEnd") == "skip":
            return False
        wanted = min(max(wanted, 1), length)
    return day.day == wanted


def instants(config, zone, day, time):
    """The instants of a local time; fold 0 in a gap is the offset before it (PEP 495)."""
    naive = datetime(day.year, day.month, day.day) + timedelta(seconds=time)
    found = []
    for fold in (0, 1):
        local = naive.replace(tzinfo=zone, fold=fold)
        instant = local.astimezone(timezone.utc)
        if instant.astimezone(zone).replace(tzinfo=None) == naive and instant not in found:
            found.append(instant)
    if not found:
        return [] if config.get("dstGap") == "skip" else [naive.replace(tzinfo=zone).astimezone(timezone.utc)]
    found.sort()
    wanted = config.get("dstOverlap", "first")
    return found if wanted == "both" else [found[0] if wanted == "first" else found[-1]]


def runs(config, after, many):
    """The first `many` runs after an instant."""
    zone = ZoneInfo(config["timezone"])
    hour, minute, second = ([int(x) for x in config["time"].split(":")] + [0])[:3]
    time = hour * 3600 + minute * 60 + second
    after = EPOCH + timedelta(seconds=after)
    start = date.fromisoformat(config["startDate"]) if "startDate" in config else None
    end = date.fromisoformat(config["endDate"]) if "endDate" in config else None
    most = config.get("maxRuns")
    day = start if most is not None else after.date() - DAY * 3
    limit = after.date() + DAY * 366 * 9
    if end is not None:
        limit = min(limit, end)
    elif most is None and config["frequency"] == "once":
        limit = start
    if start is not None:
        day = max(day, start)
    found = set()
    beyond = 0
    while day <= limit and beyond < 4:
        if belongs(config, start, day):
            found.update(instants(config, zone, day, time))
        wanted = found if most is not None else [x for x in found if x > after]
        if len(wanted) >= (most if most is not None else many):
            beyond += 1         # some more days, should instants not come in the order of days
        day += DAY
    ordered = sorted(found)
    if most is not None:
        ordered = ordered[:most]
    return [(x - EPOCH) // timedelta(seconds=1) for x in ordered if x > after][:many]


def comparable(config, after):
    """The schedule as far as cron and RRULE can say it: their own ways with gaps, overlaps and short months."""
    if config["frequency"] == "once":
        return
    plain = {key: config[key] for key in ("frequency", "timezone", "time", "daysOfWeek", "dayOfMonth") if key in config}
    plain["monthEnd"] = "skip"
    yield plain, after
    if "interval" in config:
        yield {**plain, "interval": config["interval"], "startDate": config["startDate"]}, after


def main():
    if "--print" in sys.argv:
        for n in range(CASES):
            for config, after in comparable(*configuration(n)):
                found = runs(config, after, 1)
                print(json.dumps({"config": config, "after": after, "next": found[0] if found else None}))
        return
    folder = pathlib.Path(__file__).parent
    digest = hashlib.md5()
    with open(folder / "recurrence.csv", "w") as one, open(folder / "recurrence_runs.csv", "w") as several:
        for n in range(CASES):
            digest.update((",".join("" if x is None else str(x) for x in parameters(n)) + "\n").encode())
            config, after = configuration(n)
            found = runs(config, after, 12 if n < SEQUENCES else 1)
            one.write(f"{found[0] - after}\n" if found else "0\n")
            if n < SEQUENCES:
                several.write(f"{len(found)},{hashlib.md5(','.join(map(str, found)).encode()).hexdigest()}\n")
        several.write(f"-1,{digest.hexdigest()}\n")


main()
