# Many workers at once, in batches and one by one, some of which fail, on backfills that all of them share: no deadlock, no
# other error, never more than parallel_limit of a backfill running, every segment done once.
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('workers');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nmax_connections = 40\nautovacuum = off");
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION execreport;
CREATE ROLE app LOGIN;
SELECT execreport.grant_access('app', 1, 'editor');
-- a worker: claims, completes what it has, now and then fails instead
CREATE PROCEDURE work(batch integer) LANGUAGE plpgsql AS $$
DECLARE
    ids uuid[];
    tokens bigint[];
    most integer;
    rest integer := 1;
BEGIN
    WHILE rest > 0 LOOP
        SELECT array_agg(s.segment_id), array_agg(s.fencing_token) INTO ids, tokens FROM execreport.claim_segments('w', batch) AS s;
        COMMIT;
        SELECT max(c.running_segments - c.parallel_limit), sum(c.pending_segments + c.running_segments) INTO most, rest
          FROM execreport.report_data_collections AS c;
        IF most > 0 THEN
            RAISE EXCEPTION 'too many run';
        END IF;
        IF ids IS NULL THEN
            PERFORM pg_sleep(0.002);
        ELSIF random() < 0.05 THEN
            PERFORM execreport.fail_segment(ids[1], tokens[1], 'e');
            PERFORM execreport.complete_segments(ids[2:], tokens[2:]);
        ELSIF cardinality(ids) = 1 THEN
            PERFORM execreport.complete_segment(ids[1], tokens[1], 1);
        ELSE
            PERFORM execreport.complete_segments(ids, tokens);
        END IF;
        COMMIT;
    END LOOP;
END $$;
GRANT EXECUTE ON PROCEDURE work TO app;
SET ROLE app;
SELECT count(execreport.start_backfill(w, '2025-01-01', date '2025-01-01' + 39, jsonb_build_object('type', 'daily', 'parallel_limit', 1 + n % 10)))
  FROM execreport.create_workflow('w') AS w, generate_series(1, 30) AS n;
});

my @workers;
foreach my $batch (1, 1, 1, 15, 15, 40, 100, 100)
{
	my ($in, $out, $err) = ('', '', '');
	push @workers, { err => \$err, run => IPC::Run::start(
		[ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') . ' user=app', '-c', "CALL work($batch)" ],
		'<', \$in, '>', \$out, '2>', \$err) };
}
$_->{run}->finish foreach @workers;
is(join('', map { ${ $_->{err} } } @workers), '', 'no worker meets an error');
is($node->safe_psql('postgres', 'SELECT count(*), min(status), max(status), sum(completed_segments), sum(running_segments), sum(cardinality(running_ids)) FROM execreport.report_data_collections'),
	'30|completed|completed|1200|0|0', 'every backfill is completed');
is($node->safe_psql('postgres', q{SELECT count(*), count(*) FILTER (WHERE attempt = 1 + coalesce(jsonb_array_length(errors), 0) AND fencing_token = attempt) FROM execreport.report_data_segments WHERE status = 'completed'}),
	'1200|1200', 'every segment was given out once, and once more for each failure');
ok($node->safe_psql('postgres', q{SELECT count(*) FROM execreport.report_data_segments WHERE errors IS NOT NULL}) > 0, 'some have failed on the way');
$node->stop;
done_testing();
