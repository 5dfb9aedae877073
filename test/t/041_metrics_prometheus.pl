# What metrics() writes, judged by Prometheus' own promtool, by the OpenMetrics parser of prometheus_client, and by what
# neither of them looks at; quantiles beside promtool's histogram_quantile(); the alert rules.
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('prometheus');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'execreport'\nexecreport.max_series = 60");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION execreport');
my $dir = PostgreSQL::Test::Utils::tempdir();

# the text as it is, without the newline that psql adds
sub metrics
{
	my $format = shift;
	my $out;
	IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SELECT execreport.metrics('$format')" ], '>', \$out) or die 'psql';
	chop $out;
	return $out;
}

sub check
{
	my ($what, $input, @command) = @_;
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run(\@command, '<', \$input, '>', \$out, '2>', \$err);
	ok($ok, $what) or diag("$out$err");
	return "$out$err";
}

my $python = q{
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.read()))
names = [f.name for f in families]
assert len(names) == len(set(names)), 'a family twice'
for f in families:
    for s in f.samples:
        if s.labels.get('module_id', '').startswith('wild'):
            print(repr(s.labels['module_id']))
};
my $python3 = -x '/usr/bin/python3' ? '/usr/bin/python3' : 'python3';

# What promtool lets pass: series twice, families in pieces, buckets out of order, not cumulative or without +Inf
sub our_check
{
	my ($what, $text) = @_;
	my (%series, %done, %buckets, %counts, @faults);
	my $family = '';
	push @faults, 'no final newline' unless $text =~ /\n\z/;
	push @faults, 'an empty line' if $text =~ /\n\n/;
	for my $line (split /\n/, $text)
	{
		if ($line =~ /^# (HELP|TYPE) (\S+) (.+)/)
		{
			push @faults, "$1 of $2 twice or too late" if $done{"$1 $2"}++;
			$family = $2;
			next;
		}
		last if $line eq '# EOF';
		$line =~ /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)*\})? (\S+)$/ or push(@faults, "line $line"), next;
		my ($name, $labels, $value) = ($1, $2 // '', $3);
		push @faults, "series $name$labels twice" if $series{"$name$labels"}++;
		push @faults, "$name stands in $family" unless $name =~ /^\Q$family\E(_total|_bucket|_sum|_count)?$/;
		if ($name =~ /_bucket$/)
		{
			$labels =~ s/,?le="([^"]+)"// or push @faults, "no le in $line";
			my $le = $1 eq '+Inf' ? 9**9**9 : $1;
			my $last = $buckets{"$name$labels"} // [ -1, -1 ];
			push @faults, "le of $line" unless $le > $last->[0];
			push @faults, "buckets fall in $line" if $value < $last->[1];
			$buckets{"$name$labels"} = [ $le, $value ];
		}
		$labels = '{}' if $labels eq '';
		$counts{"$1_bucket$labels"} = $value if $name =~ /^(.*)_count$/;
	}
	for my $key (keys %buckets)
	{
		my ($count) = $counts{ $key =~ /\}$/ ? $key : "$key\{}" };
		push @faults, "$key does not end in +Inf" unless $buckets{$key}[0] == 9**9**9;
		push @faults, "$key: +Inf is not _count" unless defined $count && $count == $buckets{$key}[1];
	}
	is(join("\n", @faults), '', $what);
}

for my $state ('nothing recorded', 'recorded', 'overflowing')
{
	if ($state eq 'recorded')
	{
		# a newline, a quote, a backslash, a tab, and what is no ASCII; the same labels in two tenants
		$node->safe_psql('postgres', q{
SELECT execreport._metric_add(t, 'exec_reports_created_total', jsonb_build_object('module_id', m, 'success', s), 1.5)
  FROM generate_series(1, 2) AS t, unnest(ARRAY['keyword-gap', E'wild\n"\\\\"\t{é,🎉}=', 'wild\n', '']) AS m, unnest('{true,false}'::boolean[]) AS s;
SELECT execreport._metric_observe(t, 'report_generation_duration_seconds', jsonb_build_object('module_id', 'keyword-gap', 'type', 'exec'), 0.3 * i * i)
  FROM generate_series(1, 2) AS t, generate_series(0, 40) AS i;
SELECT execreport._metric_observe(1, 'consolidation_duration_seconds', NULL, 1e-7), execreport._metric_add(1, 'master_reports_created_total', '{"success": true}', 1e17),
       execreport._metric_observe(1, 'consolidation_duration_seconds', NULL, 1e300), execreport._metric_add(1, 'scenario_imports_total', '{"result": "imported"}'),
       execreport._metric_observe(NULL, 'execreport_tick_step_duration_seconds', '{"step": "guards", "result": "ok"}', 0.02)});
	}
	elsif ($state eq 'overflowing')
	{
		$node->safe_psql('postgres', q{
SELECT execreport._metric_add(i, 'exec_reports_created_total', jsonb_build_object('module_id', 'm' || i, 'success', i % 2 = 0)),
       execreport._metric_observe(i, 'report_generation_duration_seconds', jsonb_build_object('module_id', 'm' || i, 'type', 'exec'), i)
  FROM generate_series(1, 200) AS i});
	}
	my ($classic, $open) = (metrics('prometheus'), metrics('openmetrics'));
	my $said = check("$state: promtool", $classic, 'promtool', 'check', 'metrics');
	is($said, '', "$state: promtool has nothing to say");
	our_check("$state: 0.0.4", $classic);
	our_check("$state: OpenMetrics", $open);
	like($open, qr/\n# EOF\n\z/, "$state: OpenMetrics ends in # EOF");
	$said = check("$state: the parser of OpenMetrics", $open, $python3, '-c', $python);
	if ($state eq 'recorded')
	{
		like($classic, qr/^exec_reports_created_total\{module_id="keyword-gap",success="true"\} 3$/m, 'tenants are added up');
		like($classic, qr/^exec_reports_created_total\{module_id="wild\\n\\"\\\\\\"\t\{é,🎉\}=",success="true"\} 3$/m, 'escaped');
		like($classic, qr/^exec_reports_created_total\{module_id="wild\\\\n",success="true"\} 3$/m, 'so that two labels stay two');
		is(scalar(my @seen = $said =~ /^'wild/mg), 4, 'and parsed back to four series');
		like($open, qr/^report_generation_duration_seconds_bucket\{type="exec",module_id="keyword-gap",le="1\.0"\} 4$/m, 'OpenMetrics writes bounds as floats');
		like($classic, qr/^report_generation_duration_seconds_bucket\{type="exec",module_id="keyword-gap",le="1"\} 4$/m, '0.0.4 as it always has');
		like($open, qr/^# TYPE exec_reports_created counter$/m, 'OpenMetrics names the family without _total');
		like($classic, qr/^# TYPE exec_reports_created_total counter$/m, '0.0.4 with it');
	}
	like($classic, qr/^exec_reports_created_total\{success="true",overflow="true"\} [1-9]/m, 'what overflowed is seen') if $state eq 'overflowing';
}

# --- quantiles: promtool computes them from the buckets that we show ---
srand(20260101);
my $tests = '';
my $n = 0;
for my $round (1 .. 40)
{
	my $at = sprintf "2021-01-%02d %02d:00+00", 1 + $round / 2, ($round % 2) * 12;
	my $family = $round % 2 ? 'report_generation_duration_seconds' : 'consolidation_duration_seconds';
	my $scale = 10**(rand(5) - 2);
	my $count = 1 + int(rand(60));
	$node->safe_psql('postgres', "SELECT execreport._metric_observe(9, '$family', NULL, v, '$at') FROM unnest('{"
		. join(',', map { rand() * rand() * $scale } 1 .. $count) . "}'::float8[]) AS v");
	my $buckets = $node->safe_psql('postgres', "SELECT le, count FROM execreport._metric_buckets(NULL, '$family', NULL, '$at', timestamptz '$at' + interval '1 minute')");
	$tests .= "  - interval: 1m\n    input_series:\n";
	for my $row (split /\n/, $buckets)
	{
		my ($le, $c) = split /\|/, $row;
		$le =~ s/Infinity/+Inf/;
		$tests .= qq(      - {series: '${family}_bucket{le="$le"}', values: '$c'}\n);
	}
	$tests .= "    promql_expr_test:\n";
	for my $q (0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1, -1, 2)
	{
		my $ours = $node->safe_psql('postgres', "SELECT execreport.metric_quantile('$family', $q, '1 minute', '{}', timestamptz '$at' + interval '1 minute')");
		$ours =~ s/Infinity/.inf/;
		# only NaN differs from itself
		$tests .= $ours eq 'NaN'
			? "      - {expr: 'histogram_quantile($q, ${family}_bucket) == bool histogram_quantile($q, ${family}_bucket)', eval_time: 0m, exp_samples: [{labels: '{}', value: 0}]}\n"
			: "      - {expr: 'histogram_quantile($q, ${family}_bucket)', eval_time: 0m, exp_samples: [{labels: '{}', value: $ours}]}\n";
		$n++;
	}
}
my $file = "$dir/quantiles.yml";
append_to_file($file, "evaluation_interval: 1m\ntests:\n$tests");
check("$n quantiles as promtool computes them", '', 'promtool', 'test', 'rules', $file);

# --- alerts ---
my $monitoring = 'monitoring';
check('the rules are rules', '', 'promtool', 'check', 'rules', "$monitoring/alerts.yml");
check('each fires and stays silent', '', 'promtool', 'test', 'rules', "$monitoring/alerts_test.yml");
my $rules = slurp_file("$monitoring/alerts.yml");
my $tested = slurp_file("$monitoring/alerts_test.yml");
my $classic = metrics('prometheus');
for my $alert ($rules =~ /- alert: (\w+)/g)
{
	my @fires = $tested =~ /alertname: $alert\n\s+exp_alerts/g;
	my @silent = $tested =~ /alertname: $alert\n(?!\s+exp_alerts)/g;
	ok(@fires && @silent, "$alert is tested both ways");
}
for my $metric ($rules =~ /\b((?:exec|master|report|consolidation|execreport)_[a-z_]+(?:total|bucket|count|available))\b/g)
{
	like($classic, qr/^\Q$metric\E[{ ]/m, "$metric is exposed");
}
for my $threshold (10, 15)
{
	like($classic, qr/^report_generation_duration_seconds_bucket\{.*le="$threshold"/m, "a bucket ends at $threshold seconds of generation");
}
like($classic, qr/^consolidation_duration_seconds_bucket\{le="5"\} .*\nconsolidation_duration_seconds_bucket\{le="10"\}/m,
	'a finite bucket above 5 seconds of consolidation lets its alert fire');

$node->stop;
done_testing();
