#!/usr/bin/env python3
"""Consolidation once more, written from the rules of docs/consolidation.md and sharing nothing with the C code.

consolidation_reference.py > test/pgtap/consolidation_reference.sql   random reports with the answer of this program
consolidation_reference.py fuzz CASES SEED                            JSON lines {reports, scope, as_of, expected}
"""
import datetime
import hashlib
import json
import random
import sys
import unicodedata
from fractions import Fraction

RANKS = {'critical': 4, 'high': 3, 'medium': 2, 'low': 1}
IMPACTS = {'high': 3, 'medium': 2, 'low': 1}
EFFORTS = {'low': 1, 'medium': 2, 'high': 3}
SPACE = ' \t\n\v\f\r'


def normalise(text):
    folded = unicodedata.normalize('NFKC', unicodedata.normalize('NFKC', text).casefold())
    words, word = [], ''
    for c in folded + ' ':
        category = unicodedata.category(c)
        if category == 'Cf' or '\ufe00' <= c <= '\ufe0f':
            continue
        if category[0] in 'PZ' or category == 'Cc':
            if word:
                words.append(word)
            word = ''
        else:
            word += c
    return ' '.join(words) or text


def known(*values):
    for value in values:
        if isinstance(value, str) and value.strip(SPACE):
            return value
    return None


def word(text, words):
    if text is None:
        return None
    text = text.strip(SPACE)
    return text.lower() if text.lower() in words else text


def key_bytes(text):
    return (1, b'') if text is None else (0, text.encode())


def fingerprint(key):
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def half_up(value):
    return int(value + Fraction(1, 2))


def scaled(value, unit):
    """Hundredths of a percent."""
    return half_up(Fraction(str(value)) * (10000 if unit else 100))


def shown(hundredths):
    return None if hundredths is None else hundredths / 100 if hundredths % 100 else hundredths // 100


def instant(text):
    if text is None:
        return None
    time = datetime.datetime.fromisoformat(text.replace('Z', '+00:00'))
    return time if time.tzinfo else time.replace(tzinfo=datetime.timezone.utc)


class Group:
    def __init__(self):
        self.said, self.modules, self.sources, self.keywords, self.evidence = [], set(), [], set(), set()
        self.dependencies, self.open, self.lost, self.needs, self.ids = set(), set(), set(), set(), set()


def consolidate(reports, scope, as_of):
    insights, recommendations, dropped, modules = {}, {}, {}, {}
    keywords, spellings, identities, sentences = {}, {}, {}, {}
    for report in reports:
        module, rid = report['moduleId'], report.get('id')
        output, playbook = report.get('output') or {}, report.get('playbookResult') or {}
        said = modules.setdefault(module, {'times': [], 'said': []})
        time = instant(report.get('executedAt'))
        said['times'].append(time)

        # insights of this report: {key: [items]}
        here, twins = {}, {}
        confidences = [i['confidence'] for d in (playbook, output) for i in d.get('insights') or []
                       if i.get('confidence') is not None]
        unit = bool(confidences) and max(confidences) <= 1
        for source, document in (('playbook', playbook), ('output', output)):
            for item in document.get('insights') or []:
                words = ('opportunity', 'risk', 'observation', 'trend', 'gap')
                category = word(known(item.get('category')), words)
                kind = word(known(item.get('type')), words) or category
                title = known(item.get('title'), item.get('message'))
                text = known(item.get('description'), item.get('content'), item.get('details'))
                key = (kind or '') + '\x1f' + normalise(title or text or item.get('id') or '')
                twin = source == 'output' and item.get('id') in twins
                if twin:
                    key = twins[item['id']]
                elif source == 'playbook' and item.get('id'):
                    twins.setdefault(item['id'], key)
                severity = RANKS.get((known(item.get('severity'), item.get('priority')) or '').strip(SPACE).lower(), 0)
                confidence = None if item.get('confidence') is None else scaled(item['confidence'], unit)
                group = insights.setdefault(key, Group())
                group.kind = kind if not twin else group.kind
                here.setdefault(key, []).append((severity, confidence))
                if not twin:
                    group.said.append((severity, confidence, title, text, category))
                for name in ('keywords', 'relatedKeywords', 'related_keywords'):
                    for k in item.get(name) or []:
                        k = (k or '').strip(SPACE)
                        if k:
                            spellings.setdefault(normalise(k), set()).add(k)
                            keywords.setdefault(normalise(k), set()).add((id(report), key, module))
                            group.keywords.add(normalise(k))
                for e in (item.get('evidence') or []) + [item.get('dataPoint'), item.get('data_point')]:
                    if known(e):
                        group.evidence.add(e)
        for key, items in here.items():
            severity = max(i[0] for i in items)
            given = [i[1] for i in items if i[1] is not None]
            insights[key].sources.append((severity, max(given) if given else None, rid, module))
            insights[key].modules.add(module)
        means = [s for key in here for s in [insights[key].sources[-1][1]] if s is not None]
        if output.get('confidence') is not None:
            mine = scaled(output['confidence'], output['confidence'] <= 1)
        else:
            mine = half_up(Fraction(sum(means), len(means))) if means else None
        if mine is not None:
            said['said'].append((time, rid, mine))

        gone = [str(d) for d in playbook.get('deprioritized') or [] if d]
        ids, playbook_ids, seen, found, needs = {}, {}, set(), set(), []
        for source, document in (('playbook', playbook), ('output', output)):
            for item in document.get('recommendations') or []:
                levels = ('high', 'medium', 'low')
                action, why = known(item.get('action'), item.get('title')), known(item.get('rationale'), item.get('reason'))
                impact = word(known(item.get('impact')), levels) or word(
                    known(item.get('estimatedImpact'), item.get('estimated_impact')), levels)
                priority = word(known(item.get('priority')), levels)
                rank = IMPACTS.get(impact, 0)
                if not rank and priority in IMPACTS:
                    rank, impact = IMPACTS[priority], impact or priority
                effort = word(known(item.get('effort')), levels)
                effort_rank = EFFORTS.get(effort, 4)
                saying = (-rank, effort_rank, why is None, known(item.get('timeline')) is None, key_bytes(action),
                          key_bytes(why), key_bytes(known(item.get('timeline'))), key_bytes(impact), key_bytes(effort),
                          key_bytes(known(item.get('theme'), item.get('category'))),
                          (action, why, known(item.get('timeline')), impact, effort,
                           known(item.get('theme'), item.get('category')), rank, effort_rank))
                key = normalise(action or why) if action or why else '\x1f' + normalise(item.get('id') or '')
                table = recommendations
                if item.get('id') in gone:
                    table = dropped
                    found.add(item['id'])
                elif source == 'output' and item.get('id') in playbook_ids:
                    key, saying = playbook_ids[item['id']], None
                group = table.setdefault(key, Group())
                if saying:
                    group.said.append(saying)
                if (id(table), key) not in seen:
                    seen.add((id(table), key))
                    group.modules.add(module)
                    group.sources.append((rank * 8 + 4 - effort_rank, None, rid, module))
                if table is dropped:
                    group.ids.add(item['id'])
                    continue
                if item.get('id'):
                    ids.setdefault(item['id'], key)
                    if source == 'playbook':
                        playbook_ids.setdefault(item['id'], key)
                    identities.setdefault(item['id'], set()).add(key)
                for d in item.get('dependencies') or []:
                    if known(d):
                        group.dependencies.add(d.strip(SPACE))
                        needs.append((key, d.strip(SPACE)))
        for d in gone:
            if d not in found:
                group = dropped.setdefault('\x1f' + normalise(d), Group())
                group.said.append((0, 4, True, True) + ((1, b''),) * 6 + ((None,) * 6 + (0, 4),))
                group.ids.add(d)
                if module not in group.modules or (0, None, rid, module) not in group.sources:
                    group.modules.add(module)
                    group.sources.append((0, None, rid, module))
        for key, d in needs:
            if d in ids:
                recommendations[key].needs.add(ids[d])
            else:
                (recommendations[key].lost if d in gone else recommendations[key].open).add(d)
        prompt = known(playbook.get('councilPrompt'), playbook.get('council_prompt')) or ''
        taken = 0
        for sentence in prompt.replace('! ', '!\n').replace('? ', '?\n').replace('. ', '.\n').split('\n'):
            sentence = sentence.strip(SPACE)
            if taken < 2 and any(w.startswith(('action', 'recommend', 'suggest', 'prioriti', 'recomiend'))
                                 for w in sentence.lower().split()):
                sentences.setdefault(normalise(sentence), []).append(
                    (module.encode(), key_bytes(rid), taken, sentence))
                taken += 1

    display = {k: min(s, key=str.encode) for k, s in spellings.items()}

    def sources(group):
        ordered = sorted(group.sources, key=lambda s: (-s[0], -(s[1] if s[1] is not None else -1),
                                                       key_bytes(s[2]), s[3].encode()))
        return [{'execReportId': s[2], 'moduleId': s[3]} for s in ordered[:20]]

    def named(modules):
        return sorted(modules, key=str.encode)

    items = []
    for key, group in insights.items():
        best = min(group.said, key=lambda s: (-s[0], -(s[1] if s[1] is not None else -1), s[3] is None,
                                              key_bytes(s[2]), key_bytes(s[3]), key_bytes(s[4])))
        given = [s[1] for s in group.sources if s[1] is not None]
        severity = max(s[0] for s in group.sources)
        confidence = max(given) if given else None
        items.append((-severity, -len(group.modules), -(confidence if confidence is not None else -1),
                      -len(group.sources), key_bytes(best[2]), fingerprint(key), {
            'type': group.kind, 'category': best[4] or group.kind, 'title': best[2], 'description': best[3],
            'severity': {v: k for k, v in RANKS.items()}.get(severity), 'confidence': shown(confidence),
            'occurrences': len(group.sources), 'moduleIds': named(group.modules), 'fingerprint': fingerprint(key),
            'relatedKeywords': sorted((display[k] for k in group.keywords), key=str.encode),
            'evidence': sorted(group.evidence, key=str.encode), 'sources': sources(group)}))
    items = [i[-1] for i in sorted(items, key=lambda i: i[:-1])]
    places = {}
    for n, item in enumerate(items):
        places[item['category']] = places.get(item['category'], 0) + 1
        item['position'], item['groupPosition'] = n + 1, places[item['category']]

    themes = sorted(keywords, key=lambda k: (-len({u[2] for u in keywords[k]}), -len({u[:2] for u in keywords[k]}),
                                             display[k].encode()))

    def theme_of(key, best):
        if best[5]:
            return best[5]
        for text in (key if best[0] else None, normalise(best[1]) if best[1] else None):
            if text:
                words = text.split(' ')
                grams = {' '.join(words[i:j]) for i in range(len(words)) for j in range(i + 1, min(i + 4, len(words)) + 1)}
                hits = [k for k in themes if k in grams]
                if hits:
                    return display[hits[0]]
        return None

    def ranked(table):
        rows = []
        for key, group in table.items():
            best = min(group.said)[-1]
            rows.append((-best[6], best[7], -len(group.modules), key_bytes(best[0]), key.encode(), key, group, best))
        return sorted(rows, key=lambda r: r[:5])

    order = ranked(recommendations)
    position = {row[5]: n for n, row in enumerate(order)}
    name = {row[5]: row[7][0] or row[7][1] or row[5][1:] for row in order}
    conflicts = {row[5]: [] for row in order}
    sides = {}
    small = {'the', 'a', 'our', 'for', 'el', 'la', 'de', 'del', 'in', 'en', 'of', 'to'}
    more, less = {'increase', 'launch', 'expand', 'aumentar', 'lanzar'}, {'reduce', 'pause', 'cut', 'reducir', 'pausar'}
    for row in order:
        words = row[5].translate(str.maketrans('áéíóú', 'aeiou')).split(' ')
        polarity = 1 if words[0] in more else -1 if words[0] in less else 0
        target = ' '.join(w for w in words[1:] if w not in small)
        if row[7][0] and polarity and target:
            sides.setdefault(target, {1: [], -1: []})[polarity].append(row[5])
    for target, both in sides.items():
        for side in (1, -1):
            for key in both[side]:
                conflicts[key] += [{'kind': 'opposite', 'with': name[o], 'reason': f'opposite actions on "{target}"'}
                                   for o in both[-side][:20]]
    dropped_conflicts = {}
    for key, group in dropped.items():
        done = recommendations.get(key)
        if done:
            conflicts[key] += [{'kind': 'deprioritized', 'with': m, 'reason': 'another module deprioritized this action'}
                               for m in named(group.modules) if named(done.modules) != [m]][:20]
            dropped_conflicts[key] = [{'kind': 'deprioritized', 'with': m, 'reason': 'another module recommends this action'}
                                      for m in named(done.modules) if named(group.modules) != [m]][:20]
    for row in order:
        texts = [row[5] if row[7][0] else None, normalise(row[7][1]) if row[7][1] else None]
        hits = set()
        for n, (kind, plain, rules) in enumerate((('category', 'excluded_categories', 'category_exclusions'),
                                                  ('keyword', 'excluded_keywords', 'keyword_exclusions'),
                                                  ('use case', 'excluded_use_cases', 'use_case_exclusions'),
                                                  ('competitor', 'excluded_competitors', 'competitor_exclusions'))):
            entries = [(v, 'plain', None, None) for v in (scope or {}).get(plain) or []]
            entries += [(r['value'], r.get('match_type', 'exact'), r.get('semantic_sensitivity', 'medium'),
                         r.get('expires_at')) for r in (scope or {}).get(rules) or []]
            for value, how, sensitivity, expires in entries:
                if expires and instant(expires) <= as_of:
                    continue
                for text in texts:
                    if text is None:
                        continue
                    phrase, words = normalise(value), set(text.split(' '))
                    wanted = set(phrase.split(' '))
                    hit = f' {phrase} ' in f' {text} ' and how != 'semantic'
                    if how == 'semantic':
                        share = Fraction(len(wanted & words), len(wanted))
                        hit = share >= {'high': Fraction(3, 10), 'medium': Fraction(1, 2), 'low': Fraction(7, 10)}[sensitivity]
                    elif how == 'plain' and kind == 'use case':
                        hit = hit or len({w for w in wanted & words if len(w.encode()) > 3}) >= 2
                    if hit:
                        hits.add((n, value, kind))
        for n, value, kind in sorted(hits, key=lambda h: (h[0], h[1].encode()))[:20]:
            conflicts[row[5]].append({'kind': 'exclusion', 'with': value, 'reason': f'the configuration excludes this {kind}'})
    edges = {}
    for row in order:
        key, group, kept = row[5], row[6], []
        edges[key] = set(group.needs)
        for d in sorted(group.open, key=str.encode):
            if normalise(d) in recommendations:
                edges[key].add(normalise(d))
            elif d in identities:
                edges[key].add(min(identities[d], key=position.get))
            else:
                kept.append({'kind': 'dependency', 'with': d, 'reason': 'missing: no recommendation answers to it'})
        kept += [{'kind': 'dependency', 'with': d, 'reason': 'missing: the same report deprioritized it'}
                 for d in sorted(group.lost, key=str.encode)]
        group.missing = kept

    def reach(start):
        seen, todo = set(), [start]
        while todo:
            for to in edges[todo.pop()]:
                if to not in seen:
                    seen.add(to)
                    todo.append(to)
        return seen
    reached = {key: reach(key) for key in edges}
    for row in order:
        key = row[5]
        kept = row[6].missing + [{'kind': 'dependency', 'with': name[o], 'reason': 'circular: each depends on the other'}
                                 for o in sorted(edges[key], key=position.get) if key in reached[o] or o == key]
        conflicts[key] += kept[:20]

    def written(n, key, group, best):
        quadrant = None
        if best[6] and best[7] < 4:
            quadrant = (('quick_win' if best[7] == 1 else 'major_project') if best[6] == 3
                        else 'fill_in' if best[7] == 1 else 'avoid')
        return {'position': n + 1, 'fingerprint': fingerprint(key), 'action': best[0], 'rationale': best[1],
                'impact': best[3], 'effort': best[4], 'quadrant': quadrant, 'theme': theme_of(key, best),
                'timeline': best[2], 'dependencies': sorted(group.dependencies, key=str.encode),
                'occurrences': len(group.sources), 'moduleIds': named(group.modules),
                'conflicts': conflicts[key], 'sources': sources(group)}

    listed = [written(n, row[5], row[6], row[7]) for n, row in enumerate(order)]
    apart = [{'position': n + 1, 'fingerprint': fingerprint(row[5]), 'action': row[7][0], 'rationale': row[7][1],
              'impact': row[7][3], 'effort': row[7][4], 'occurrences': len(row[6].sources),
              'moduleIds': named(row[6].modules), 'ids': sorted(row[6].ids, key=str.encode),
              'conflicts': dropped_conflicts.get(row[5], []), 'sources': sources(row[6])}
             for n, row in enumerate(ranked(dropped))]

    carriers = {}
    for group in insights.values():
        if group.kind:
            carriers.setdefault(group.kind, set()).update(group.modules)
    patterns = sorted((k for k, m in carriers.items() if len(m) >= 2 and 2 * len(m) >= len(modules)),
                      key=lambda k: (-len(carriers[k]), k.encode()))
    actions = [r['action'] for r in listed if not r['conflicts'] and r['action']][:10]
    firsts = sorted((min(s), k) for k, s in sentences.items())
    actions += [f[0][3] for f in firsts if f[1] not in recommendations][:10]

    floor = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
    spoken = [max(m['said'], key=lambda s: (s[0] or floor, s[1] is not None, (s[1] or '').encode(), s[2]))[2]
              for m in modules.values() if m['said']]
    newest = [max(t for t in m['times'] if t) for m in modules.values() if any(m['times'])]
    age = as_of - min(newest) if newest else None
    return {'insights': items, 'recommendations': listed, 'deprioritized': apart,
            'councilSynthesis': {'keyThemes': [display[k] for k in themes[:5]],
                                 'crossModulePatterns': [f'{k} identified across {len(carriers[k])} of {len(modules)} modules'
                                                         for k in patterns],
                                 'prioritizedActions': actions},
            'overallConfidence': half_up(Fraction(sum(spoken), 100 * len(spoken))) if spoken else 0,
            'confidenceBasis': len(spoken),
            'dataFreshness': None if age is None else 'fresh' if age < datetime.timedelta(hours=24)
            else 'moderate' if age < datetime.timedelta(hours=168) else 'stale',
            'modulesIncluded': named(modules)}


# ---- random reports ----

TITLES = ['Demand grows', 'demand  GROWS!', 'Demand—grows', 'Ｄｅｍａｎｄ grows', 'CTR: falls', 'ctr falls', 'Straße', 'STRASSE',
          'Σίσυφος', 'σισυφοσ', 'ﬁnal ﬁt', 'Final fit', 'ação', 'ação', '!!!', '???', 'C++', 'C', 'a+b', 'a b', '日本語', '',
          '  ', 'Ǆ', 'ŉ gram', 'İstanbul', 'ϓ', 'x\u00adx', 'x x', '10 %', '10', '½', '1⁄2', '\u200bzero', 'Zero']
ACTIONS = ['Increase the search budget', 'Reduce search budget', 'increase search BUDGET', 'Aumentar el presupuesto de búsqueda',
           'Reducir presupuesto búsqueda', 'Launch casino page', 'Pause the casino page', 'Cut TV ads', 'Expand in TV ads',
           'Fix meta tags', 'fix  meta-tags', 'Write about betting tips online', 'Audit links', '', 'Lanzar campaña', 'Pausar la campaña']
WORDS = ['seo', 'SEO', 'price', 'Search', 'meta tags', 'link', 'TV', 'casino', 'búsqueda', '  seo ', '']
LEVELS = ['high', 'HIGH', 'medium', 'low', ' Low', 'urgent', '', 'critical', None]


def random_reports(rng):
    def maybe(item, name, value, p=0.6):
        if rng.random() < p:
            item[name] = value() if callable(value) else value

    def insight():
        item = {}
        maybe(item, 'id', lambda: 'i%d' % rng.randrange(4), .5)
        maybe(item, rng.choice(['title', 'title', 'message']), lambda: rng.choice(TITLES), .95)
        maybe(item, rng.choice(['description', 'content', 'details']), lambda: rng.choice(['why', 'because', 'WHY', '']))
        maybe(item, rng.choice(['severity', 'priority']), lambda: rng.choice(LEVELS), .8)
        maybe(item, 'type', lambda: rng.choice(['risk', 'Risk', 'trend', 'own Kind', None]))
        maybe(item, 'category', lambda: rng.choice(['opportunity', 'RISK', 'gap']))
        maybe(item, 'confidence', lambda: rng.choice(scale))
        maybe(item, rng.choice(['keywords', 'relatedKeywords', 'related_keywords']),
              lambda: [rng.choice(WORDS) for _ in range(rng.randrange(4))])
        maybe(item, 'evidence', lambda: [rng.choice(['e1', 'e2', 'é', '']) for _ in range(rng.randrange(3))], .3)
        maybe(item, rng.choice(['dataPoint', 'data_point']), lambda: rng.choice(['d1', 'e1']), .2)
        maybe(item, 'unread', {'a': [1, {}]}, .1)
        return item

    def recommendation():
        item = {}
        maybe(item, 'id', lambda: 'r%d' % rng.randrange(6), .7)
        maybe(item, rng.choice(['action', 'action', 'title']), lambda: rng.choice(ACTIONS), .95)
        maybe(item, rng.choice(['rationale', 'reason']), lambda: rng.choice(['people like betting', 'tips for betting online', 'price', '']))
        maybe(item, rng.choice(['impact', 'estimatedImpact', 'estimated_impact']), lambda: rng.choice(['high', 'High', 'medium', 'low', '+5 %', '']), .7)
        maybe(item, 'priority', lambda: rng.choice(LEVELS), .4)
        maybe(item, 'effort', lambda: rng.choice(['high', 'medium', 'LOW', 'two weeks', None]), .7)
        maybe(item, 'timeline', lambda: rng.choice(['Q1', 'Q2']), .3)
        maybe(item, 'theme', lambda: rng.choice(['Own theme', 'Other']), .1)
        maybe(item, 'dependencies', lambda: [rng.choice(['r0', 'r1', 'r5', 'fix meta tags', 'nowhere', '']) for _ in range(rng.randrange(3))], .4)
        return item

    reports = []
    for n in range(rng.randrange(1, 6)):
        scale = rng.choice([[0, 0.5, 1, 0.955], [0, 50, 100, 0.5, 33.335], [0.12345, 1], [1]])
        output, playbook = {}, {}
        maybe(output, 'insights', lambda: [insight() for _ in range(rng.randrange(5))], .9)
        maybe(output, 'recommendations', lambda: [recommendation() for _ in range(rng.randrange(5))], .9)
        maybe(output, 'confidence', lambda: rng.choice([0, 0.5, 1, 66.6, 0.333, 100]), .5)
        maybe(playbook, 'insights', lambda: [insight() for _ in range(rng.randrange(3))], .7)
        maybe(playbook, 'recommendations', lambda: [recommendation() for _ in range(rng.randrange(4))], .7)
        maybe(playbook, 'deprioritized', lambda: ['r%d' % rng.randrange(8) for _ in range(rng.randrange(3))])
        maybe(playbook, rng.choice(['councilPrompt', 'council_prompt']), lambda: ' '.join(rng.choice(
            ['We recommend care.', 'Nothing here.', 'Action needed!', 'Prioritize SEO? Yes.', 'The reaction was 3.5 % up.',
             'Suggest\nnew lines.', 'Audit links.', 'Recommend it.']) for _ in range(rng.randrange(4))))
        report = {'id': 'exec-%d' % n, 'moduleId': rng.choice(['market-demand', 'keyword-gap', 'añejo', 'B']), 'output': output}
        maybe(report, 'executedAt', lambda: '2026-01-%02dT%02d:00:00%s' % (rng.randrange(1, 10), rng.randrange(24),
                                                                         rng.choice(['Z', '+02:00'])), .9)
        maybe(report, 'playbookResult', playbook, .8)
        if rng.random() < .1:
            report['id'] = None
        reports.append(report)
    if len([r for r in reports if r['id'] is None]) > 1:
        for n, r in enumerate(reports):
            r['id'] = 'x%d' % n
    scope = rng.choice([None, {}, {
        'excluded_keywords': ['casino', 'bet'], 'excluded_use_cases': ['online betting tips', 'SEO'],
        'category_exclusions': [{'value': 'TV ads', 'match_type': 'exact', 'expires_at': rng.choice(['2026-01-01', '2027-01-01T00:00:00Z'])}],
        'keyword_exclusions': [{'value': 'betting tips for people now', 'match_type': 'semantic',
                                'semantic_sensitivity': rng.choice(['low', 'medium', 'high'])}, {'value': 'casino'}],
        'competitor_exclusions': [{'value': 'Meta'}]}])
    as_of = datetime.datetime(2026, 1, rng.randrange(9, 20), 12, tzinfo=datetime.timezone.utc)
    return reports, scope, as_of


def main():
    if len(sys.argv) > 1:
        rng = random.Random(int(sys.argv[3]))
        for _ in range(int(sys.argv[2])):
            reports, scope, as_of = random_reports(rng)
            print(json.dumps({'reports': reports, 'scope': scope, 'as_of': as_of.isoformat(),
                              'expected': consolidate(reports, scope, as_of)}))
        return
    rng = random.Random(1)
    print('-- Random reports with the answers of test/data/consolidation_reference.py, which wrote this file.\n'
          'BEGIN;\nSELECT plan(60);')
    for n in range(60):
        reports, scope, as_of = random_reports(rng)
        quoted = ["'" + json.dumps(v, ensure_ascii=False, separators=(',', ':')).replace("'", "''") + "'"
                  for v in (reports, scope, consolidate(reports, scope, as_of))]
        print(f"SELECT is(execreport.consolidate_exec_reports({quoted[0]}, nullif({quoted[1]}, 'null')::jsonb, "
              f"'{as_of.isoformat()}'),\n{quoted[2]}::jsonb, 'random reports {n + 1}');")
    print('SELECT * FROM finish();\nROLLBACK;')


if __name__ == '__main__':
    main()
