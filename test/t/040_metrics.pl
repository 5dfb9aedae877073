# Metrics over the life of a server: many sessions at once, transactions of all kinds, restarts, a damaged file, too many
# series, a standby, and without being preloaded.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('metrics');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'execreport'
max_prepared_transactions = 5
max_connections = 40
execreport.max_series = 40
autovacuum = off
restart_after_crash = on
});
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION execreport');

sub value
{
	my ($name, $labels, $at) = @_;
	$labels ||= '{}';
	return ($at || $node)->safe_psql('postgres',
		qq{SELECT coalesce(sum(value), 0) FROM execreport.metrics_rows() WHERE name = '$name' AND labels \@> '$labels' AND le IS NULL});
}
sub exec_reports { return value('exec_reports_created_total', qq({"module_id": "$_[0]", "success": "$_[1]"})) }

# --- eight sessions, 4,000 calls each of ten records, on one series and on one of their own ---
my $dir = PostgreSQL::Test::Utils::tempdir();
my $script = "$dir/record.sql";
append_to_file($script, q{
SELECT count(execreport._metric_add(1, 'exec_reports_created_total', '{"module_id": "shared", "success": "true"}')),
       count(execreport._metric_add(1, 'exec_reports_created_total', '{"module_id": "parts", "success": "true"}', 0.25)),
       count(execreport._metric_observe(1, 'consolidation_duration_seconds', NULL, 0.5 * i))
  FROM generate_series(1, 10) AS i;
SELECT execreport._metric_add(:client_id + 1, 'exec_reports_created_total', '{"module_id": "own", "success": "true"}');
});
$node->command_ok([ 'pgbench', '-n', '-c', '8', '-j', '2', '-t', '4000', '-M', 'prepared', '-f', $script, 'postgres' ], 'eight sessions record');
is(exec_reports('shared', 'true'), 320000, 'every increment is there');
is(exec_reports('parts', 'true'), 80000, 'every quarter is');
is(exec_reports('own', 'true'), 32000, 'and those of each session');
is(value('consolidation_duration_seconds_count'), 320000, 'every observation');
is(value('consolidation_duration_seconds_sum'), 880000, 'and their sum: 32,000 times 0.5 * (1 + ... + 10)');
is($node->safe_psql('postgres', q{SELECT string_agg(value::text, ' ' ORDER BY le) FROM execreport.metrics_rows()
	WHERE name = 'consolidation_duration_seconds_bucket'}), '0 32000 64000 128000 320000 320000 320000 320000 320000', 'each in its bucket');
is($node->safe_psql('postgres', q{SELECT execreport._metric_delta(NULL, 'exec_reports_created_total', '{"module_id": "shared"}',
	now() - interval '1 hour', now() + interval '1 minute')}), 320000, 'the slices hold as much as the total');

# --- the minute changes while eight sessions record: each call names one of two minutes that share a slot ---
append_to_file("$dir/slices.sql", q{
\set minute random(0, 9)
SELECT execreport._metric_add(2, 'exec_reports_created_total', '{"module_id": "slices", "success": "true"}', 1,
	timestamptz '2020-01-01 00:00+00' + :minute * interval '1 minute');
});
$node->command_ok([ 'pgbench', '-n', '-c', '8', '-j', '2', '-t', '2000', '-M', 'prepared', '-f', "$dir/slices.sql", 'postgres' ], 'slices begin');
is($node->safe_psql('postgres', q{SELECT execreport._metric_delta(2, 'exec_reports_created_total', '{"module_id": "slices"}',
	'2020-01-01 00:00+00', '2020-01-01 00:10+00')}), 16000, 'nothing is lost when a slice begins');
append_to_file("$dir/turn.sql", q{
SELECT execreport._metric_add(2, 'exec_reports_created_total', '{"module_id": "turn", "success": "true"}', 1,
	timestamptz '2020-01-01 00:00+00' + (:client_id % 2) * interval '2 hours');
});
$node->command_ok([ 'pgbench', '-n', '-c', '8', '-j', '2', '-t', '2000', '-M', 'prepared', '-f', "$dir/turn.sql", 'postgres' ], 'a slot turns over');
is($node->safe_psql('postgres', q{SELECT execreport._metric_delta(2, 'exec_reports_created_total', '{"module_id": "turn"}',
	'2020-01-01 02:00+00', '2020-01-01 02:01+00')}), 8000, 'the later minute is whole, whoever came late');
is(exec_reports('turn', 'true'), 16000, 'and so is the total');

# --- transactions ---
sub attempts { my $sql = shift; $node->psql('postgres', $sql); return exec_reports('tx', 'true') . ' ' . exec_reports('tx', 'false') }
my $attempt = q{SELECT execreport._attempt_begin('exec', 'tx');};
my $end = 'SELECT execreport._attempt_end();';
is(attempts("BEGIN; $attempt $end COMMIT"), '1 0', 'committed: a success');
is(attempts("BEGIN; $attempt $end ROLLBACK"), '1 0', 'rolled back after its end: nothing');
is(attempts("BEGIN; $attempt ROLLBACK"), '1 1', 'rolled back before: a failure');
is(attempts("BEGIN; $attempt SELECT 1/0; COMMIT"), '1 2', 'an error: a failure');
is(attempts("BEGIN; $attempt COMMIT"), '1 2', 'committed without an end: nothing');
is(attempts("BEGIN; SAVEPOINT s; $attempt $end ROLLBACK TO s; COMMIT"), '1 2', 'undone with its subtransaction: nothing');
is(attempts("BEGIN; SAVEPOINT s; $attempt ROLLBACK TO s; COMMIT"), '1 3', 'open when its subtransaction is undone: a failure');
is(attempts("BEGIN; SAVEPOINT s; $attempt ROLLBACK TO s; ROLLBACK"), '1 4', 'which stays when all is undone');
is(attempts("BEGIN; $attempt SAVEPOINT s; $end RELEASE s; COMMIT"), '2 4', 'ended in a subtransaction that is released');
is(attempts("BEGIN; $attempt SAVEPOINT s; $end ROLLBACK TO s; COMMIT"), '2 4', 'ended in one that is undone');
is(attempts("BEGIN; SAVEPOINT a; $attempt SAVEPOINT b; $attempt $end RELEASE b; $end RELEASE a; COMMIT"), '4 4', 'nested');
is(attempts("BEGIN; SAVEPOINT a; $attempt $end SAVEPOINT b; $attempt $end ROLLBACK TO b; $attempt $end RELEASE a; COMMIT"), '6 4', 'some of them undone');
is(attempts("BEGIN; $attempt $end PREPARE TRANSACTION 'metrics'"), '7 4', 'prepared: a success');
is(attempts("ROLLBACK PREPARED 'metrics'"), '7 4', 'whatever becomes of it');
is(attempts("BEGIN; $attempt PREPARE TRANSACTION 'metrics'; "), '7 4', 'prepared without an end: nothing');
is(attempts("ROLLBACK PREPARED 'metrics'"), '7 4', 'nor later');
is(attempts("SELECT count(execreport._attempt_begin('exec', CASE WHEN i % 3 = 0 THEN 'other' ELSE 'tx' END)), count(execreport._attempt_end()) FROM generate_series(1, 3000) AS i"),
	'2007 4', 'three thousand in one transaction');
is(exec_reports('other', 'true'), 1000, 'of two modules');
is(value('report_generation_duration_seconds_count', '{"type": "exec", "module_id": "tx"}'), 2007, 'a duration for each success');
is($node->safe_psql('postgres', q{SELECT execreport._metric_delta(1, 'report_generation_duration_seconds', '{"module_id": "tx"}',
	now() - interval '1 hour', now() + interval '1 minute')}), 2007, 'in the window, too');
$node->psql('postgres', q{DO $$ BEGIN FOR i IN 1..20000 LOOP BEGIN PERFORM execreport._attempt_begin('exec', 'loop' || i % 2), execreport._attempt_end();
	EXCEPTION WHEN others THEN NULL; END; END LOOP; END $$});
is(exec_reports('loop0', 'true') + exec_reports('loop1', 'true'), 20000, 'in as many subtransactions');
is($node->safe_psql('postgres', q{BEGIN; SELECT execreport._attempt_begin('master', ''); SELECT execreport._attempt_end(); COMMIT;
	SELECT value FROM execreport.metrics_rows() WHERE name = 'master_reports_created_total' AND labels ->> 'success' = 'true'}) =~ /\n1$/ ? 1 : 0, 1, 'a master report');

# a session that ends in the middle
my $session = $node->background_psql('postgres');
$session->query_safe("BEGIN; $attempt");
my $pid = $session->query_safe('SELECT pg_backend_pid()');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
is(exec_reports('tx', 'false'), 5, 'a session that is terminated leaves a failure');
eval { $session->quit };

# --- too many series: 40, of which ten are kept for what overflows ---
$node->safe_psql('postgres', q{
SELECT execreport._metric_add(3, 'exec_reports_created_total', jsonb_build_object('module_id', 'm' || i, 'success', (i % 2 = 0)), 1, '2020-06-01 00:00+00')
  FROM generate_series(1, 100) AS i});
is(value('execreport_metric_series') <= 40 ? 1 : 0, 1, 'no more series than there is room for');
my $shown = $node->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE labels ->> 'module_id' LIKE 'm%'), sum(value) FILTER (WHERE labels ? 'overflow'), sum(value)
	FROM execreport.metrics_rows() WHERE name = 'exec_reports_created_total' AND (labels ->> 'module_id' LIKE 'm%' OR labels ? 'overflow')});
my ($own, $overflow, $all) = split /\|/, $shown;
is($all, 100, 'everything is counted');
ok($own > 0 && $overflow == 100 - $own, "$own with labels of their own, $overflow with overflow");
is(value('execreport_metric_series_dropped_total', '{"family": "exec_reports_created_total"}'), $overflow, 'and counted as dropped');
is(value('exec_reports_created_total', '{"overflow": "true", "success": "false"}') + value('exec_reports_created_total', '{"overflow": "true", "success": "true"}'), $overflow,
	'what overflows keeps whether it was a success');
is($node->safe_psql('postgres', q{SELECT execreport._metric_delta(3, 'exec_reports_created_total', '{"success": "false"}', '2020-06-01 00:00+00', '2020-06-01 00:01+00')}),
	50, 'a window of the tenant is whole');
is($node->safe_psql('postgres', q{SELECT execreport._metric_delta(3, 'exec_reports_created_total', '{"module_id": "m100"}', '2020-06-01 00:00+00', '2020-06-01 00:01+00')}),
	'', 'a module that is lost among others is not known');
is($node->safe_psql('postgres', q{SELECT execreport._metric_delta(3, 'exec_reports_created_total', '{"module_id": "m100"}', '2020-06-01 00:01+00', '2020-06-01 00:02+00')}),
	0, 'but where nothing overflowed');
$node->safe_psql('postgres', q{
SELECT execreport._metric_add(100 + i, 'exec_reports_created_total', '{"module_id": "a", "success": "true"}', 1, '2020-06-01 00:00+00')
  FROM generate_series(1, 100) AS i});
is(value('execreport_metric_series'), 40, 'all room is taken');
is($node->safe_psql('postgres', q{SELECT execreport._metric_delta(NULL, 'exec_reports_created_total', '{"success": "true"}', '2020-06-01 00:00+00', '2020-06-01 00:01+00')
	- execreport._metric_delta(3, 'exec_reports_created_total', '{"success": "true"}', '2020-06-01 00:00+00', '2020-06-01 00:01+00')}), '',
	'of a tenant, once its records may lie among those of all, nothing is known');
is($node->safe_psql('postgres', q{SELECT execreport._metric_delta(NULL, 'exec_reports_created_total', '{"success": "true"}', '2020-06-01 00:00+00', '2020-06-01 00:01+00') >= 150}), 't',
	'of all together it is');
is($node->safe_psql('postgres', q{SELECT sum(value) FROM execreport.metrics_rows() WHERE name = 'exec_reports_created_total'
	AND (labels ->> 'module_id' IN ('a') OR labels ->> 'module_id' LIKE 'm%' OR labels ? 'overflow')}), 200, 'and nothing is lost');
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT name, labels, le FROM execreport.metrics_rows() GROUP BY 1, 2, 3 HAVING count(*) > 1) AS d}), 0, 'no series twice');

is($node->safe_psql('postgres', q{SELECT execreport._metric_add(1, 'exec_reports_created_total', jsonb_build_object('module_id', repeat('x', 1000), 'success', true));
	SELECT max(length(labels ->> 'module_id')) FROM execreport.metrics_rows()}) =~ /(\d+)$/ && $1 < 1000 ? 1 : 0, 1, 'a value that is too long overflows as well');

# --- restarts ---
my $before = $node->safe_psql('postgres', q{SELECT string_agg(concat_ws(' ', name, labels, le, value), E'\n' ORDER BY name, labels, le) FROM execreport.metrics_rows()});
my $window = q{SELECT execreport._metric_delta(2, 'exec_reports_created_total', '{"module_id": "slices"}', '2020-01-01 00:03+00', '2020-01-01 00:04+00')};
my $slice = $node->safe_psql('postgres', $window);
$node->restart;
is($node->safe_psql('postgres', q{SELECT string_agg(concat_ws(' ', name, labels, le, value), E'\n' ORDER BY name, labels, le) FROM execreport.metrics_rows()}), $before,
	'a clean restart keeps everything');
is($node->safe_psql('postgres', $window), $slice, 'the windows too');
my $file = $node->data_dir . '/pg_stat/execreport_metrics.stat';
ok(!-e $file, 'the file is read once');

$node->adjust_conf('postgresql.conf', 'execreport.metric_slices', '10min');
$node->adjust_conf('postgresql.conf', 'execreport.max_series', '60');
$node->restart;
is(exec_reports('shared', 'true'), 320000, 'other sizes take over what there is');
is($node->safe_psql('postgres', $window), $slice, 'also a shorter ring');
is(exec_reports('later', 'true'), 0, 'a new series');
$node->safe_psql('postgres', q{SELECT execreport._metric_add(1, 'exec_reports_created_total', '{"module_id": "later", "success": "true"}')});
is(exec_reports('later', 'true'), 1, 'finds room now');

# the server dies, and comes back by itself
my $victim = $node->background_psql('postgres');
my $victim_pid = $victim->query_safe('SELECT pg_backend_pid()');
my $log_end = -s $node->logfile;
kill 'KILL', $victim_pid;
my $ready;
for (1 .. 600)
{
	$ready = slurp_file($node->logfile, $log_end) =~ /reinitializing.*ready to accept connections/s;
	last if $ready;
	select undef, undef, undef, 0.1;
}
ok($ready, 'a killed backend restarts the server');
eval { $victim->quit };
is(exec_reports('shared', 'true'), 0, 'and the metrics begin at 0');
$node->safe_psql('postgres', q{SELECT execreport._metric_add(1, 'exec_reports_created_total', '{"module_id": "shared", "success": "true"}')});
$node->stop('immediate');
$node->start;
is(exec_reports('shared', 'true'), 0, 'as they do after an immediate stop');

# --- a damaged file ---
sub restart_with
{
	my ($change, $what, $log) = @_;
	$node->safe_psql('postgres', q{SELECT execreport._metric_add(1, 'exec_reports_created_total', '{"module_id": "file", "success": "true"}')});
	$node->stop;
	open my $in, '<:raw', $file or die "$file: $!";
	my $bytes = do { local $/; <$in> };
	close $in;
	open my $out, '>:raw', $file or die "$file: $!";
	print $out $change->($bytes);
	close $out;
	my $offset = -s $node->logfile;
	$node->start;
	is(exec_reports('file', 'true'), 0, "$what: ignored");
	like(slurp_file($node->logfile, $offset), qr/ignoring file "pg_stat\/execreport_metrics.stat": $log/, "$what: logged");
}
restart_with(sub { my $b = shift; substr($b, length($b) / 2, 1) ^= "\x01"; $b }, 'a bit turned', 'its checksum is wrong');
restart_with(sub { substr($_[0], 0, length($_[0]) - 100) }, 'cut short', 'it is cut short|its checksum is wrong');
restart_with(sub { substr($_[0], 0, 20) }, 'only a beginning', 'it is no file of metrics');
restart_with(sub { '' }, 'empty', 'it is no file of metrics');
restart_with(sub { $_[0] . 'x' }, 'too long', 'its checksum is wrong');
restart_with(sub { my $b = shift; substr($b, 8, 1) ^= "\x01"; $b }, 'of another version', 'it was written for other metrics');

# --- reset ---
$node->safe_psql('postgres', q{SELECT execreport._metric_add(1, 'exec_reports_created_total', '{"module_id": "reset", "success": "true"}', 5)});
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', q{CREATE EXTENSION execreport; SELECT execreport._metric_add(1, 'exec_reports_created_total', '{"module_id": "other", "success": "true"}', 7)});
my $holder = $node->background_psql('postgres');
my $record = q{SELECT execreport._metric_add(1, 'exec_reports_created_total', '{"module_id": "reset", "success": "true"}', 1)};
$holder->query_safe($record);
is($node->safe_psql('postgres', q{SELECT execreport.reset_metrics() BETWEEN now() - interval '1 minute' AND now() + interval '1 minute'}), 't', 'reset tells the time');
is(exec_reports('reset', 'true'), 0, 'reset');
is($node->safe_psql('other', q{SELECT value FROM execreport.metrics_rows() WHERE labels @> '{"module_id": "other"}'}), 7, 'another database keeps its own');
is($node->safe_psql('postgres', q{SELECT count(*) FROM execreport.metrics_rows() WHERE labels @> '{"module_id": "other"}'}), 0, 'which is not shown here');
$holder->query_safe($record);
is(exec_reports('reset', 'true'), 1, 'a session that knew the series finds it again');
$holder->quit;
$node->safe_psql('postgres', 'DROP DATABASE other');
$node->safe_psql('postgres', 'SELECT execreport.reset_metrics()');
is(value('execreport_metric_series'), 0, 'a reset also frees what a dropped database left');

# --- room for one series more, of 45 for modules: of the next module one series is its own, the others overflow ---
$node->safe_psql('postgres', q{
SELECT execreport._metric_add(1, 'exec_reports_created_total', jsonb_build_object('module_id', 'm' || i, 'success', true)) FROM generate_series(1, 44) AS i;
SELECT execreport._attempt_begin('exec', m), execreport._attempt_end() FROM unnest('{edge,over,over}'::text[]) AS m});
is(exec_reports('edge', 'true') . ' ' . value('exec_reports_created_total', '{"overflow": "true", "success": "true"}'), '1 2', 'each is counted in its own series');
$node->safe_psql('postgres', 'SELECT execreport.reset_metrics()');

# --- parallel workers, and a standby ---
$node->safe_psql('postgres', q{
CREATE TABLE numbers AS SELECT i FROM generate_series(1, 200000) AS i; ANALYZE numbers;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
SELECT count(execreport._metric_add(1, 'exec_reports_created_total', '{"module_id": "parallel", "success": "true"}')) FROM numbers WHERE i % 100 = 0});
is(exec_reports('parallel', 'true'), 2000, 'a parallel query counts once');

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q{SELECT execreport.metrics() LIKE '%execreport_metrics_available 1%'}), 't', 'a standby shows its metrics');
is(value('exec_reports_created_total', '{"module_id": "parallel"}', $standby), 0, 'they are its own');
$standby->stop;

# --- not preloaded ---
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->restart;
my ($status, $out, $err) = $node->psql('postgres', 'SELECT execreport.metrics()');
like($out, qr/^# .*shared_preload_libraries.*\n# Add it .*restart the server\.\n# HELP execreport_metrics_available .*\n# TYPE execreport_metrics_available gauge\nexecreport_metrics_available 0$/,
	'metrics() says what is missing');
is($err, '', 'without a warning');
unlike($node->safe_psql('postgres', q{SELECT execreport.metrics('openmetrics')}), qr/^# (?!HELP|TYPE|EOF)/m, 'OpenMetrics without comments');
is($node->safe_psql('postgres', q{SELECT name, type, labels, value, le FROM execreport.metrics_rows()}), 'execreport_metrics_available|gauge|{}|0|', 'rows say it, too');
is($node->safe_psql('postgres', q{
BEGIN;
SELECT execreport._attempt_begin('exec', 'a');
SELECT execreport._attempt_end();
COMMIT;
SELECT execreport._metric_add(1, 'exec_reports_created_total', '{"module_id": "a", "success": "true"}');
SELECT execreport._metric_observe(1, 'consolidation_duration_seconds', NULL, 1);
SELECT execreport._metrics_available(), execreport.metric_rate('exec_reports_created_total', '{}', '5 minutes') IS NULL,
       execreport.metric_quantile('consolidation_duration_seconds', 0.5, '5 minutes') IS NULL,
       execreport._metric_delta(1, 'exec_reports_created_total', NULL, now() - interval '1 hour', now()) IS NULL,
       (SELECT count(*) FROM execreport._metric_buckets(1, 'consolidation_duration_seconds', NULL, now() - interval '1 hour', now())),
       (SELECT count(*) FROM execreport._metric_tenants('consolidation_duration_seconds', now() - interval '1 hour', now())),
       execreport.reset_metrics() IS NULL;}) =~ s/^\n+//r, 'f|t|t|t|0|0|t', 'nothing fails, and nothing is known');
is($node->safe_psql('postgres', q{
SELECT FROM execreport.define_flag('halfway', '{}');
SELECT FROM execreport.define_guard('halfway', '{"kind": "error_rate", "flags": ["halfway"], "margin": 0.1}');
SELECT verdict, left(details ->> 'error', 10) FROM execreport._judge_guards(now() + interval '10 minutes') WHERE guard IN ('halfway', 'performance') ORDER BY guard;}) =~ s/^\n+//r,
	"error|no metrics\nerror|no metrics", 'guards cannot measure, and say so');
$node->stop;

done_testing();
