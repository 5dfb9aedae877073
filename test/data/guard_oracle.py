#!/usr/bin/env python3
"""Writes guard_wilson.csv, guard_difference.csv and guard_machine.csv: what guards have to answer, worked out without them.

Wilson's bound is computed two ways that must agree: by the closed formula with 50 digits (mpmath), and as the lower root of
the equation it comes from, (p - x)^2 = z^2 x (1 - x) / n; the quantile z is compared with Python's statistics.NormalDist. The bound of a
difference is computed with 50 digits from the formula of the two-proportion z-test with the pooled share, and put back into the test:
with the bound as the difference of the hypothesis the test's p-value must be 1 - confidence; where statsmodels is installed, its
proportions_ztest() has to say so. The machine is walked through random windows by a small program
that was written from the rules, not from the SQL:

  - breach when n >= min_samples and the bound of k of n is above the threshold; insufficient when n is too small
  - only breach and ok move the counter of breaches; an error has a counter of its own
  - at the consecutive-th breach in a row an armed guard fires; then it is armed again after as many ok windows in a row
    whose share lies below the recover threshold
"""
import csv
import os
import random
from statistics import NormalDist

from mpmath import mp, mpf, erfinv, ncdf, sqrt
try:
    from statsmodels.stats.proportion import proportions_ztest
except ImportError:
    proportions_ztest = None

mp.dps = 50
here = os.path.dirname(os.path.abspath(__file__))


def quantile(confidence):
    z = sqrt(mpf(2)) * erfinv(2 * mpf(float(confidence)) - 1)
    assert abs(z - NormalDist().inv_cdf(float(confidence))) < 1e-9
    return z


def wilson(k, n, confidence):
    if confidence == '0':
        return mpf(k) / n
    z, p = quantile(confidence), mpf(k) / n
    bound = (p + z**2 / (2 * n) - z * sqrt(p * (1 - p) / n + z**2 / (4 * mpf(n)**2))) / (1 + z**2 / n)
    assert abs((p - bound)**2 - z**2 * bound * (1 - bound) / n) < mpf('1e-40') and bound <= p + mpf('1e-40')
    return max(bound, mpf(0))


def difference(k, n, base_k, base_n, confidence):
    seen = mpf(k) / n - mpf(base_k) / base_n
    if confidence == '0':
        return seen
    pooled = mpf(k + base_k) / (n + base_n)
    error = sqrt(pooled * (1 - pooled) * (mpf(1) / n + mpf(1) / base_n))
    bound = seen - quantile(confidence) * error
    if error > 0:
        assert abs((1 - ncdf((seen - bound) / error)) - (1 - mpf(float(confidence)))) < mpf('1e-40')
        if proportions_ztest:
            p = proportions_ztest([k, base_k], [n, base_n], value=float(bound), alternative='larger')[1]
            assert abs(p - (1 - float(confidence))) < 1e-9
    return bound


def write(name, header, rows):
    with open(os.path.join(here, name), 'w', newline='') as file:
        out = csv.writer(file, lineterminator='\n')
        out.writerow(header)
        out.writerows(rows)


cases = [(k, n, c) for n in (1, 2, 5, 10, 20, 30, 47, 150, 1000, 100000) for k in sorted({0, 1, n // 20, n // 10, n // 4, n // 2, n - 1, n}) if k <= n
         for c in ('0', '0.5', '0.8', '0.9', '0.95', '0.975', '0.99', '0.999', '0.999999')]
write('guard_wilson.csv', ['k', 'n', 'confidence', 'bound'], [(k, n, c, mp.nstr(wilson(k, n, c), 20)) for k, n, c in cases])

groups = [(k, n) for n in (1, 20, 30, 150, 4000) for k in sorted({0, 1, n // 20, n // 4, n})]
cases = [(k, n, b, m, c) for k, n in groups for b, m in groups for c in ('0', '0.5', '0.9', '0.95', '0.999')]
write('guard_difference.csv', ['k', 'n', 'base_k', 'base_n', 'confidence', 'bound'], [x + (mp.nstr(difference(*x), 20),) for x in cases])

random.seed(20261121)
rows = []
for run in range(60):
    consecutive = random.choice([1, 1, 2, 2, 2, 3])
    minimum = random.choice([5, 20, 30])
    threshold, recover = random.choice([(mpf('0.1'), mpf('0.08')), (mpf('0.2'), mpf('0.1'))])
    level = random.choice(['0', '0.9', '0.95', '0.99'])
    armed, breaches, good, faults = True, 0, 0, 0
    for step in range(40):
        if step % 8 == 0:
            rate = random.choice([0.02, 0.05, 0.09, 0.15, 0.3, 0.6])
        if random.random() < 0.06:
            k = n = None
        else:
            n = random.choice([0, 3, 12, 30, 30, 30, 60, 150])
            k = sum(random.random() < rate for _ in range(n))
        fires = False
        if n is None:
            verdict, faults = 'error', faults + 1
        else:
            faults = 0
            if n < minimum:
                verdict = 'insufficient'
            elif wilson(k, n, level) > threshold:
                verdict, breaches, good = 'breach', breaches + 1, 0
                if armed and breaches >= consecutive:
                    fires, armed = True, False
            else:
                verdict, breaches = 'ok', 0
                if not armed:
                    good = good + 1 if mpf(k) / n < recover else 0
                    if good == consecutive:
                        armed, good = True, 0
        rows.append([run, step, consecutive, minimum, mp.nstr(threshold, 5), mp.nstr(recover, 5), level, k, n, verdict,
                     't' if fires else 'f', 't' if armed else 'f', breaches, good, faults])
write('guard_machine.csv', ['run', 'step', 'consecutive', 'min_samples', 'threshold', 'recover', 'confidence', 'k', 'n', 'verdict', 'fires',
                            'armed', 'breaches', 'oks', 'errors'], rows)
