#!/usr/bin/env python3
"""Writes lookback.csv and segmentation.csv: what dateutil, which knows nothing of our code, says about windows and segments.

Run in this folder; the seed is fixed, so the files come out the same. Needs python3-dateutil.
"""
import csv
import hashlib
import random
from datetime import date, timedelta

from dateutil.relativedelta import relativedelta

rng = random.Random(20250615)
DAY = timedelta(days=1)


def some_date(first=1996, last=2032):
    """A date, with a liking for ends of months and leap days."""
    year, month = rng.randint(first, last), rng.randint(1, 12)
    begin = date(year, month, 1)
    kind = rng.random()
    if kind < 0.35:
        return begin + relativedelta(months=1) - DAY * rng.randint(1, 4)
    if kind < 0.5:
        return begin
    return begin + DAY * rng.randint(0, 27)


def retained(start, end, as_of, max_days):
    if max_days is not None:
        earliest = as_of - DAY * max_days
    else:
        earliest = min(as_of - DAY * 425, as_of - relativedelta(months=14))
    return earliest <= start and end <= as_of


def lookbacks():
    largest = {"days": 430, "weeks": 62, "months": 15}
    for _ in range(2200):
        unit = rng.choice(["days", "weeks", "months"])
        value = rng.choice([1, 7, 14, 30, largest[unit] - 1, largest[unit], rng.randint(1, largest[unit]), rng.randint(1, 300)])
        lag = rng.choice([None, None, 0, 1, 14, rng.randint(0, 40)])
        as_of = some_date()
        end = as_of - DAY * (lag or 0)
        after = end + DAY
        start = {"days": after - DAY * value, "weeks": after - DAY * 7 * value,
                 "months": after - relativedelta(months=value)}[unit]
        max_days = rng.choice([None, None, rng.randint(1, 500)])
        yield ["relative", value, unit, lag, None, None, as_of, max_days, start, end, retained(start, end, as_of, max_days)]
    for _ in range(800):
        start = some_date(2022, 2026)
        end = start + DAY * rng.choice([0, 6, 30, rng.randint(0, 500)])
        as_of = end + DAY * rng.choice([-1, 0, 1, rng.randint(0, 500)])
        max_days = rng.choice([None, None, rng.randint(1, 500)])
        yield ["custom", None, None, None, start, end, as_of, max_days, start, end, retained(start, end, as_of, max_days)]


def starts(start, end, kind, align):
    step = {"daily": relativedelta(days=1), "weekly": relativedelta(days=7),
            "monthly": relativedelta(months=1), "quarterly": relativedelta(months=3)}[kind]
    base = start
    if align == "calendar" and kind == "weekly":
        base = start - DAY * start.weekday()
    if align == "calendar" and kind in ("monthly", "quarterly"):
        base = start.replace(day=1)
    if align == "calendar" and kind == "quarterly":
        base = base.replace(month=(start.month - 1) // 3 * 3 + 1)
    found, k = [], 0
    while base + step * k <= end:
        found.append(max(base + step * k, start))
        k += 1
    return found


def segmentations():
    longest = {"daily": 900, "weekly": 1500, "monthly": 6000, "quarterly": 9000}
    for _ in range(2400):
        kind = rng.choice(list(longest))
        align = rng.choice(["anchor", "calendar"])
        start = some_date(1899, 2100)
        end = start + DAY * rng.choice([0, 1, 6, 7, 27, 28, 30, 31, 89, 364, 365, 366, rng.randint(0, longest[kind])])
        if rng.random() < 0.3:
            end = max(start, end.replace(day=1) - DAY)
        found = starts(start, end, kind, align)
        text = ",".join(day.isoformat() for day in found)
        yield [start, end, kind, align, len(found), hashlib.md5(text.encode()).hexdigest()]


for name, rows in (("lookback.csv", lookbacks()), ("segmentation.csv", segmentations())):
    with open(name, "w", newline="", encoding="ascii") as out:
        csv.writer(out, lineterminator="\n").writerows(
            ["" if cell is None else str(cell).lower() if isinstance(cell, bool) else cell for cell in row] for row in rows)
