# A backfill of 365 segments by 8 workers, some of which are killed on the way, through an immediate shutdown of the server:
# afterwards every segment has been done exactly once, and the sums are those of the source.
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('backfill');
$node->init;
$node->append_conf('postgresql.conf', "fsync = on\nsynchronous_commit = on\nmax_connections = 40\nautovacuum = off\nrestart_after_crash = on");
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION execreport;
CREATE ROLE app LOGIN;
SELECT execreport.grant_access('app', 1, 'editor');
GRANT CREATE ON SCHEMA public TO app;
SET ROLE app;
CREATE TABLE source AS
SELECT date '2024-06-15' + i % 365 AS day, i * 7919 % 10007 AS amount FROM generate_series(0, 36499) AS i;
CREATE INDEX ON source (day);
CREATE TABLE filled (day date, amount integer);
-- one row for each time that a segment takes effect
CREATE TABLE effects (day date, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION fill(first date, last date, parameters jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    DELETE FROM filled WHERE day BETWEEN first AND last;
    INSERT INTO filled SELECT day, amount FROM source WHERE day BETWEEN first AND last;
    GET DIAGNOSTICS n = ROW_COUNT;
    INSERT INTO effects (day) VALUES (first);
    PERFORM pg_sleep(0.25);
    RETURN n;
END $$;
SELECT execreport.start_backfill(execreport.create_workflow('fill', 'fill(date, date, jsonb)'),
    '2024-06-15', '2025-06-14', '{"type": "daily", "parallel_limit": 8}');
});
my $id = $node->safe_psql('postgres', 'SELECT collection_id FROM execreport.report_data_collections');

my @workers;

sub start_workers
{
	my $count = shift;
	for (1 .. $count)
	{
		my ($in, $out, $err) = ('', '', '');
		push @workers, { err => \$err, run => IPC::Run::start(
			[ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') . ' user=app application_name=worker',
				'-c', "CALL execreport.run_backfill('$id')" ], '<', \$in, '>', \$out, '2>', \$err) };
	}
}

sub drop_workers
{
	foreach my $worker (@workers) { $worker->{run}->finish }
	@workers = ();
}

sub wait_for_completed
{
	my $least = shift;
	ok($node->poll_query_until('postgres', "SELECT completed >= $least FROM execreport.backfill_progress('$id')"),
		"$least segments are completed");
}

# what a worker holds when it dies by signal is taken over; -9 makes the server restart
sub kill_workers
{
	my $count = shift;
	return $node->safe_psql('postgres', qq{
		SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
		 WHERE application_name = 'worker' ORDER BY pid LIMIT $count) AS workers});
}

start_workers(8);
ok($node->poll_query_until('postgres', "SELECT running = 8 FROM execreport.backfill_progress('$id')"), 'eight segments run at once');
wait_for_completed(40);
is(kill_workers(3), 3, 'three workers are terminated');
start_workers(3);
wait_for_completed(100);

$node->stop('immediate');
drop_workers();
$node->start;
my $after = $node->safe_psql('postgres', q{
	SELECT completed_segments >= 100, running_segments BETWEEN 1 AND 8, completed_segments + running_segments + pending_segments
	  FROM execreport.report_data_collections});
is($after, 't|t|365', 'after the crash all segments are there, and those that ran still count as running');
my $recount = q{
	SELECT ROW(c.pending_segments, c.running_segments, c.completed_segments, c.failed_segments, c.cancelled_segments) =
	       ROW(count(*) FILTER (WHERE s.status = 'pending'), count(*) FILTER (WHERE s.status = 'running'),
	           count(*) FILTER (WHERE s.status = 'completed'), count(*) FILTER (WHERE s.status = 'failed'),
	           count(*) FILTER (WHERE s.status = 'cancelled'))
	  FROM execreport.report_data_collections AS c JOIN execreport.report_data_segments AS s USING (tenant_id, collection_id)
	 GROUP BY c.tenant_id, c.collection_id};
is($node->safe_psql('postgres', $recount), 't', 'the counters are the numbers of segments after the crash');

start_workers(8);
wait_for_completed(150);
is(kill_workers(2), 2, 'two more are terminated');
start_workers(2);

# a worker whose process is killed takes all sessions with it, the way a crash in some C code would
wait_for_completed(220);
my $victim = $node->safe_psql('postgres', q{SELECT min(pid) FROM pg_stat_activity WHERE application_name = 'worker'});
kill 'KILL', $victim;
drop_workers();
ok($node->poll_query_until('postgres', 'SELECT true'), 'the server is back after the death of a backend');
start_workers(8);
ok($node->poll_query_until('postgres', "SELECT status = 'completed' FROM execreport.backfill_progress('$id')"), 'the backfill is completed');
my $finish = join '', map { $_->{run}->finish; ${ $_->{err} } } @workers;
like($finish, qr/365 of 365 segments completed/, 'the last segment is reported');
unlike($finish, qr/ERROR|FATAL/, 'the last workers end without an error');

is($node->safe_psql('postgres', "SELECT status, total, completed, failed, running, pending, percent FROM execreport.backfill_progress('$id')"),
	'completed|365|365|0|0|0|100.00', 'progress says so');
is($node->safe_psql('postgres', $recount), 't', 'the counters are the numbers of segments at the end');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT day), min(day), max(day) FROM effects'),
	'365|365|2024-06-15|2025-06-14', 'every segment has taken effect exactly once');
is($node->safe_psql('postgres', 'SELECT count(*), sum(amount), count(DISTINCT day) FROM filled'),
	$node->safe_psql('postgres', 'SELECT count(*), sum(amount), count(DISTINCT day) FROM source'), 'the sums are those of the source');
is($node->safe_psql('postgres', q{SELECT sum(row_count) FROM execreport.report_data_segments}), '36500', 'and the row counts add up');
ok($node->safe_psql('postgres', q{SELECT sum(lost_leases) FROM execreport.report_data_segments}) > 0, 'segments were taken over on the way');
is($node->safe_psql('postgres', q{SELECT count(*) FROM execreport.report_data_segments WHERE attempt <> lost_leases + 1}),
	'0', 'each attempt but the last ended with its worker');
$node->stop;
done_testing();
