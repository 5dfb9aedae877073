# A backfill that dies in the middle: what was committed stays, the next call goes on with the same run, and the whole of it is
# taken back at once. The one-transaction form leaves nothing when it dies.
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('backfill');
$node->init;
$node->append_conf('postgresql.conf', "fsync = on\nsynchronous_commit = on\nrestart_after_crash = on");
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION execreport;
SELECT execreport.request_generation('Prompt ' || i, '{"model": "m"}') FROM generate_series(1, 3000) AS i;
UPDATE execreport._scenario_generations SET status = 'complete', completed_at = now(), accepted_at = now(), accepted_by = 'ana';
INSERT INTO execreport._scenarios (name, source_generation_id, updated_at) SELECT 'Legacy', id, '2025-01-01' FROM execreport._scenario_generations ORDER BY id;
});
my $digest = q{SELECT md5((SELECT string_agg(s::text, ',' ORDER BY s.id) FROM execreport._scenarios AS s)
	|| (SELECT string_agg(g::text, ',' ORDER BY g.id) FROM execreport._scenario_generations AS g))};
my $before = $node->safe_psql('postgres', $digest);
my $filled = q{SELECT count(accepted_prompt) FROM execreport._scenarios};

# somebody holds the 1,501st scenario, so the backfill stands still there until it is killed
sub stop_in_the_middle
{
	my ($call, $kill) = @_;
	my ($in, $out, $err) = ('', '', '');
	my $holder = $node->background_psql('postgres');
	$holder->query_safe(q{BEGIN; SELECT FROM execreport._scenarios WHERE id = (SELECT id FROM execreport._scenarios ORDER BY id OFFSET 1500 LIMIT 1) FOR UPDATE});
	my $run = IPC::Run::start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') . ' application_name=backfill', '-c', $call ],
		'<', \$in, '>', \$out, '2>', \$err);
	ok($node->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'backfill' AND wait_event_type = 'Lock')}),
		'it is in the middle');
	$kill->($node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'backfill'}));
	$run->finish;
	eval { $holder->quit };
	ok($node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'backfill')}), 'it is gone');
}
my $terminate = sub { $node->safe_psql('postgres', "SELECT pg_terminate_backend($_[0])") };

stop_in_the_middle('SELECT execreport.backfill_accepted_prompts(true)', $terminate);
is($node->safe_psql('postgres', $digest), $before, 'one transaction: nothing is left of it');
is($node->safe_psql('postgres', 'SELECT count(*) FROM execreport.prompt_backfills'), '0', 'nor of its run');

stop_in_the_middle('CALL execreport.run_prompt_backfill(100)', $terminate);
is($node->safe_psql('postgres', $filled), '1500', 'batch by batch: the batches before are there');
is($node->safe_psql('postgres', q{SELECT status FROM execreport.prompt_backfills}), 'running', 'the run is open');
my $run = $node->safe_psql('postgres', 'SELECT run_id FROM execreport.prompt_backfills');

# again, in the same place, now with a crash of the server's processes
stop_in_the_middle('CALL execreport.run_prompt_backfill(50)', sub { kill 'KILL', $_[0] });
ok($node->poll_query_until('postgres', 'SELECT true'), 'the server is back');
is($node->safe_psql('postgres', $filled), '1500', 'no more and no less');

# two at once share the run
my ($in, $out, $err) = ('', '', '');
my @runs = map { IPC::Run::start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', 'CALL execreport.run_prompt_backfill(70)' ],
	'<', \$in, '>', \$out, '2>', \$err) } 1 .. 2;
ok($_->finish, 'it goes on') foreach @runs;
is($node->safe_psql('postgres', $filled), '3000', 'everything is filled in');
is($node->safe_psql('postgres', q{SELECT status, after #> '{toFill,scenarios}' FROM execreport.prompt_backfills WHERE run_id = '} . $run . q{'}), 'complete|0', 'by the run that was cut off');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT scenario_id) FROM execreport._prompt_backfill_rows WHERE run_id = '} . $run . q{'}), '3000|3000', 'each scenario once');
is($node->safe_psql('postgres', q{SELECT bool_and(passed) FROM execreport.post_import_checks()}), 't', 'all checks pass');

is($node->safe_psql('postgres', "SELECT execreport.revert_backfill('$run') #>> '{reverted,acceptedPrompt}'"), '3000', 'taken back at once');
is($node->safe_psql('postgres', $digest), $before, 'everything is as it was');
$node->stop;
done_testing();
