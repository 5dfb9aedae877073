#!/usr/bin/env python3
"""Prints src/consolidation_unicode.h: the case folding and the separators of text normalisation.

The tables are fixed at one Unicode version, so that a fingerprint never changes with the server or its locale.
Run with a Python whose unicodedata.unidata_version is 14.0.0:  unicode_tables.py > src/consolidation_unicode.h
"""
import sys
import unicodedata

assert unicodedata.unidata_version == '14.0.0', unicodedata.unidata_version

single, multiple = [], []
classes = []
for cp in range(0x80, 0x110000):
    if 0xD800 <= cp <= 0xDFFF:
        continue
    char = chr(cp)
    folded = char.casefold()
    if folded != char:
        if len(folded) == 1:
            single.append((cp, ord(folded) - cp))
        else:
            multiple.append((cp, [ord(c) for c in folded]))
    category = unicodedata.category(char)
    if category in ('Zs', 'Zl', 'Zp', 'Cc') or category[0] == 'P':
        classes.append((cp, 1))
    elif category == 'Cf' or 0xFE00 <= cp <= 0xFE0F:
        classes.append((cp, 2))

ranges = []
for cp, delta in single:
    if ranges:
        first, last, step, d = ranges[-1]
        if d == delta and (step == 0 and cp - last in (1, 2) or step == cp - last):
            ranges[-1] = (first, cp, cp - last, d)
            continue
    ranges.append((cp, cp, 0, delta))

spans = []
for cp, kind in classes:
    if spans and spans[-1][1] == cp - 1 and spans[-1][2] == kind:
        spans[-1] = (spans[-1][0], cp, kind)
    else:
        spans.append((cp, cp, kind))


def table(rows, width):
    for start in range(0, len(rows), width):
        print('\t' + ', '.join(rows[start:start + width]) + ',')


print('''/*
 * consolidation_unicode.h
 *		Case folding and separators beyond ASCII, Unicode 14.0.
 *
 * Written by test/data/unicode_tables.py; do not edit. Fixed at one version of Unicode, whatever the server's,
 * because fingerprints of stored reports must not change.
 */
#ifndef ER_CONSOLIDATION_UNICODE_H
#define ER_CONSOLIDATION_UNICODE_H

/* one code point to one: first to last, every step-th, moves by delta */
typedef struct FoldRange
{
	uint32		first;
	uint32		last;
	uint32		step;
	int32		delta;
} FoldRange;

static const FoldRange fold_ranges[] = {''')
table(['{0x%04X, 0x%04X, %d, %d}' % (f, l, s or 1, d) for f, l, s, d in ranges], 4)
print('''};

/* one code point to two or three */
typedef struct FoldMany
{
	uint32		from;
	uint32		to[3];
} FoldMany;

static const FoldMany fold_many[] = {''')
table(['{0x%04X, {%s}}' % (cp, ', '.join('0x%04X' % c for c in (to + [0])[:3])) for cp, to in multiple], 3)
print('''};

/* what stands between words (punctuation, space, controls), and what is not seen at all (format characters) */
#define CLASS_SEPARATOR 1
#define CLASS_IGNORED 2

typedef struct ClassRange
{
	uint32		first;
	uint32		last;
	uint8		class;
} ClassRange;

static const ClassRange class_ranges[] = {''')
table(['{0x%04X, 0x%04X, %d}' % s for s in spans], 5)
print('''};

#endif							/* ER_CONSOLIDATION_UNICODE_H */''')
