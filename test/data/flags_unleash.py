#!/usr/bin/env python3
"""Says what Unleash's client specification expects, in the form of our definitions.

    git clone https://github.com/Unleash/client-specification
    python3 flags_unleash.py client-specification/specifications > flags_unleash.csv

Reads the specification's features (version of commit 931b695) and writes what each question has to be answered with.
Columns: specification, kind (segment, flag or case), name, document (of a case: its context), enabled (of a flag: false
when it is switched off altogether), variant (of a case: the variant's name, "-" when none is expected, empty when not asked
for). Left out: the delta API, and what we do otherwise on purpose, each named in OTHERWISE.
"""
import csv
import json
import os
import sys

OTHERWISE = {
    # a prerequisite that has prerequisites of its own is followed here; there it counts as off
    'child.with.transitive.dependency',
    # no variant is no variant here; there it is called "disabled" and can be asked for
    'parent.default.variant.child.enabled',
    'parent.disabled.child.expects.disabled.variant',
    # patterns are PostgreSQL's: \\y for a word's end, (?i) at the start alone, "." matches every character, back references
    'R04.word_boundary_ascii', 'R09.inline_flag_i', 'R11.inline_flag_s_dotall', 'R91.reject_backreference',
}


def constraint(source):
    kept = ('contextName', 'operator', 'values', 'value', 'inverted', 'caseInsensitive')
    return {k: source[k] for k in kept if source.get(k) is not None}


def variant(source):
    result = {'name': source['name'], 'weight': source['weight']}
    if source.get('payload'):
        result['value'] = source['payload']
    if source.get('stickiness'):
        result['stickiness'] = source['stickiness']
    if source.get('overrides'):
        result['overrides'] = source['overrides']
    return result


def rule(strategy):
    name, given = strategy['name'], strategy.get('parameters') or {}
    result = {}
    constraints = [constraint(c) for c in strategy.get('constraints') or []]
    if name == 'userWithId':
        users = [u.strip() for u in given.get('userIds', '').split(',')]
        constraints.append({'contextName': 'userId', 'operator': 'IN', 'values': users})
    elif name == 'remoteAddress':
        addresses = [a.strip() for a in given.get('IPs', '').split(',')]
        constraints.append({'contextName': 'remoteAddress', 'operator': 'IN_CIDR', 'values': addresses})
    elif name in ('gradualRolloutUserId', 'gradualRolloutSessionId', 'gradualRolloutRandom', 'flexibleRollout'):
        result['percentage'] = float(given.get('rollout', given.get('percentage', 0)))
        result['stickiness'] = {'gradualRolloutUserId': 'userId', 'gradualRolloutSessionId': 'sessionId',
                                'gradualRolloutRandom': 'random'}.get(name) or given.get('stickiness') or 'default'
        if given.get('groupId'):
            result['groupId'] = given['groupId']
    elif name != 'default':
        result['segments'] = ['no such strategy']
    if constraints:
        result['constraints'] = constraints
    if strategy.get('segments'):
        result['segments'] = result.get('segments', []) + [str(s) for s in strategy['segments']]
    if strategy.get('variants'):
        result['variants'] = [variant(v) for v in strategy['variants']]
    return result


def definition(feature):
    result = {}
    strategies = feature.get('strategies') or []
    if strategies:
        result['rules'] = [rule(s) for s in strategies]
    else:
        result['default'] = True
    if feature.get('variants'):
        result['variants'] = [variant(v) for v in feature['variants']]
    if feature.get('dependencies'):
        result['prerequisites'] = [
            {'flag': d['feature'], **{k: d[k] for k in ('enabled', 'variants') if k in d}} for d in feature['dependencies']]
    return result


def main():
    out = csv.writer(sys.stdout, lineterminator='\n')
    folder = sys.argv[1]
    for name in json.load(open(os.path.join(folder, 'index.json'))):
        spec = json.load(open(os.path.join(folder, name)))
        if 'delta' in name or 'features' not in spec.get('state', {}):
            continue
        name = name[:-5]
        for segment in spec['state'].get('segments', []):
            document = {'constraints': [constraint(c) for c in segment['constraints']]}
            out.writerow([name, 'segment', segment['id'], json.dumps(document), '', ''])
        for feature in spec['state']['features']:
            out.writerow([name, 'flag', feature['name'], json.dumps(definition(feature)), feature['enabled'], ''])
        for test in spec.get('tests', []):
            if test['toggleName'] not in OTHERWISE:
                out.writerow([name, 'case', test['toggleName'], json.dumps(test['context']), test['expectedResult'], ''])
        for test in spec.get('variantTests', []):
            expected = test['expectedResult']
            if test['toggleName'] not in OTHERWISE:
                on = expected.get('feature_enabled', expected.get('featureEnabled', expected['enabled']))
                out.writerow([name, 'case', test['toggleName'], json.dumps(test['context']), on,
                              expected['name'] if expected['enabled'] else '-'])


main()
