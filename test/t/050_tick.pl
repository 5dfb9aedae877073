# tick and its worker: killed in every step, nothing is doubled and nothing is lost; a failing step stays alone; the worker comes and
# goes with databases, settings, extension and promotion; the bell; pg_cron.
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# pg_cron runs a job at the full minute: it goes first and is asked last
my $cron;
my $pkglibdir = `pg_config --pkglibdir`;
chomp $pkglibdir;
if (-e "$pkglibdir/pg_cron.so")
{
	$cron = PostgreSQL::Test::Cluster->new('cron');
	$cron->init;
	$cron->append_conf('postgresql.conf', join("\n", "shared_preload_libraries = 'execreport,pg_cron'",
			"cron.database_name = 'postgres'", "cron.host = '" . $cron->host . "'"));
	$cron->start;
	$cron->safe_psql('postgres', 'CREATE EXTENSION execreport; CREATE EXTENSION pg_cron');
	my $job = $cron->safe_psql('postgres', 'SELECT execreport.install_cron_jobs()');
	is($cron->safe_psql('postgres', 'SELECT execreport.install_cron_jobs()'), $job, 'pg_cron: installing the job again changes nothing');
	is($cron->safe_psql('postgres', q{SELECT jobname, schedule, command, active FROM cron.job}),
		'execreport tick|* * * * *|CALL execreport.tick()|t', 'pg_cron: there is one job');
}
else
{
	diag('no pg_cron: install postgresql-15-cron to test it');
}

my $node = PostgreSQL::Test::Cluster->new('tick');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', join("\n", "shared_preload_libraries = 'execreport'", "execreport.databases = 'served, postgres, later'",
		'execreport.naptime = 1', 'max_connections = 40', 'restart_after_crash = on', 'autovacuum = off', 'fsync = on', "log_min_messages = warning"));
$node->start;
my $today = q{(now() AT TIME ZONE 'UTC')::date};
my $first_day = $node->safe_psql('postgres', "SELECT $today");
my $worker = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'execreport worker' AND datname = 'served'};

# Standing in for parts that are not installed; then each step also takes what is due for it and leaves its effects, and stops before
# it commits while the test wants it to.
$node->safe_psql('postgres', 'CREATE DATABASE served');
$node->safe_psql('postgres', q{ALTER DATABASE served SET default_transaction_isolation = 'serializable'});
$node->safe_psql('postgres', 'ALTER DATABASE served SET default_transaction_read_only = on');
$node->safe_psql('served', q{
BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;
CREATE EXTENSION execreport;
CREATE TABLE levels (level text);
CREATE FUNCTION stand_in(name text, definition text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF to_regproc('execreport.' || name) IS NULL AND to_regclass('execreport.' || name) IS NULL THEN
		EXECUTE definition;
	END IF;
END $$;
SELECT stand_in('check_health', 'CREATE FUNCTION execreport.check_health() RETURNS TABLE (component text, status text, message text,
	checked_at timestamptz, error text, metrics jsonb) LANGUAGE sql AS $f$SELECT ''database'', ''healthy'', ''fine'', now(), NULL, NULL::jsonb$f$');
SELECT stand_in('run_guards', 'CREATE FUNCTION execreport.run_guards(now timestamptz) RETURNS integer LANGUAGE sql AS $f$SELECT 0$f$');
SELECT stand_in('_apply_due_changes', 'CREATE FUNCTION execreport._apply_due_changes(now timestamptz) RETURNS integer LANGUAGE sql AS $f$SELECT 0$f$');
SELECT stand_in('_advance_due_rollouts', 'CREATE FUNCTION execreport._advance_due_rollouts(now timestamptz) RETURNS integer LANGUAGE sql AS $f$SELECT 0$f$');
SELECT stand_in('_compact_generations', 'CREATE FUNCTION execreport._compact_generations(now timestamptz) RETURNS integer LANGUAGE sql AS $f$SELECT 0$f$');
SELECT stand_in('rollout_status', 'CREATE FUNCTION execreport.rollout_status() RETURNS TABLE (phase text) LANGUAGE sql AS $f$SELECT ''none''$f$');
SELECT stand_in('guard_verdicts', 'CREATE TABLE execreport.guard_verdicts (tenant_id integer, guard text, window_start timestamptz, verdict text)');
SELECT stand_in('_metric_observe', 'CREATE FUNCTION execreport._metric_observe(tenant_id integer, family text, labels jsonb, value double precision)
	RETURNS void LANGUAGE sql AS $f$SELECT$f$');

CREATE TABLE due (step text, round integer);
CREATE TABLE effects (step text, round integer);
CREATE TABLE stop_at (step text);
CREATE TABLE fail_at (step text);
ALTER FUNCTION execreport._tick_step(text, integer, timestamptz) RENAME TO _tick_step_itself;
CREATE FUNCTION execreport._tick_step(step text, unit integer, now timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	result bigint := execreport._tick_step_itself(_tick_step.step, unit, now);
BEGIN
	INSERT INTO public.levels SELECT level FROM current_setting('transaction_isolation') AS level WHERE level NOT IN (SELECT l.level FROM public.levels AS l);
	WITH taken AS (DELETE FROM public.due AS d WHERE d.step = _tick_step.step RETURNING d.*) INSERT INTO public.effects SELECT * FROM taken;
	PERFORM pg_try_advisory_xact_lock(4711, 0) FROM public.stop_at AS s WHERE s.step = _tick_step.step;
	WHILE EXISTS (SELECT FROM public.stop_at AS s WHERE s.step = _tick_step.step) LOOP
		PERFORM pg_sleep(0.02);
	END LOOP;
	IF EXISTS (SELECT FROM public.fail_at AS f WHERE f.step = _tick_step.step) THEN
		RAISE EXCEPTION 'made to fail';
	END IF;
	RETURN result;
END $$;
SELECT tenant_id FROM execreport.create_tenant(569);
CREATE TABLE workflow AS SELECT execreport.create_workflow('tick') AS id;
COMMIT;
});
my @steps = qw(health guards flag_changes rollouts schedules leases notifications digest generations expire_events expire_notifications expire_verdicts expire_submissions expire_runs);

ok($node->poll_query_until('served', q{SELECT EXISTS (SELECT FROM execreport.tick_steps WHERE step = 'expire_submissions' AND runs > 0)}),
	'the worker ticks by itself, also where sessions only read by default');
is($node->safe_psql('served', q{SELECT string_agg(step, ' ' ORDER BY step) FROM execreport.tick_steps WHERE last_result <> 'ok'}), '', 'and every step works');
$node->safe_psql('postgres', 'ALTER DATABASE served RESET default_transaction_read_only');
$node->safe_psql('served', 'CALL execreport.tick()');
is($node->safe_psql('served', 'SELECT string_agg(DISTINCT level, $$ $$) FROM levels'), 'read committed', 'whatever isolation level the database is set to, as when it is called');
$node->safe_psql('postgres', 'ALTER DATABASE served RESET default_transaction_isolation');

# what the next tick has to do, in all steps
my $round = 0;
sub make_due
{
	$round++;
	$node->safe_psql('served', qq{
		BEGIN;
		INSERT INTO due SELECT step, $round FROM unnest('{@{[join ',', @steps]}}'::text[]) AS step;
		SELECT execreport.create_schedule(id, '{"frequency": "daily", "time": "09:00", "timezone": "UTC"}', '{"round": $round}', catchup_window => '30 hours',
			now => now() - interval '25 hours') FROM workflow;
		CREATE TEMP TABLE started AS SELECT execreport.start_backfill(id, '2025-01-01', '2025-01-01', '{"type": "daily"}', 'round $round') AS id FROM workflow;
		SELECT count(*) FROM started, execreport.claim_segments('gone', 1, '1 s', id, now() - interval '1 hour');
		SELECT execreport._notify(569, '#alerts', 'lost $round', 'high');
		UPDATE execreport.notifications SET state = 'sending', attempts = 10, next_try = now() - interval '1 s' WHERE message = 'lost $round';
		INSERT INTO execreport.notifications (tenant_id, channel, message, severity, state, next_try, created_at)
		VALUES (569, '#health', 'old $round', 'info', 'sent', NULL, now() - interval '40 days');
		SELECT execreport._emit(569, 'test', 'old', '$round');
		UPDATE execreport.events SET created_at = now() - interval '40 days' WHERE topic = 'test';
		INSERT INTO execreport.report_submissions (tenant_id, request_hash, workflow_id, document, answer, created_at)
		SELECT 1, 'x', id, '{}', '{}', now() - interval '400 days' FROM workflow;
		COMMIT;
	});
}

sub wait_until_done
{
	my $name = shift;
	ok($node->poll_query_until('served', q{
		SELECT NOT EXISTS (SELECT FROM due)
		   AND NOT EXISTS (SELECT FROM execreport._schedules WHERE next_run_at <= now())
		   AND NOT EXISTS (SELECT FROM execreport.report_data_segments WHERE status = 'running')
		   AND NOT EXISTS (SELECT FROM execreport.notifications WHERE message LIKE 'old %' OR message LIKE 'lost %' AND state <> 'failed')
		   AND NOT EXISTS (SELECT FROM execreport.events WHERE topic = 'test')
		   AND NOT EXISTS (SELECT FROM execreport.report_submissions)}), $name);
}

make_due();
wait_until_done('what is due is done, the run of a schedule among it');

# the worker stands in a step, its work done and not committed; then it goes
my %ways = (
	terminated => sub { $node->safe_psql('served', "SELECT pg_terminate_backend($_[0])") },
	killed => sub { my $seen = -s $node->logfile; kill 'KILL', $_[0]; $node->wait_for_log(qr/ready to accept connections/, $seen) },
	'with the server' => sub { $node->stop('immediate'); $node->start });
foreach my $step (@steps)
{
	foreach my $way ('terminated', 'killed', ($step eq 'schedules' || $step eq 'expire_events' ? 'with the server' : ()))
	{
		$node->safe_psql('served', "INSERT INTO stop_at VALUES ('$step')");
		make_due();
		$node->poll_query_until('served', q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 4711)})
			or die "the worker did not come to $step";
		my $pid = $node->safe_psql('served', $worker);
		is($node->safe_psql('served', "SELECT query FROM pg_stat_activity WHERE pid = $pid"), "execreport tick: $step", "$step: the worker says what it does")
			if $way eq 'terminated';
		$ways{$way}->($pid);
		$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)");
		$node->safe_psql('served', 'DELETE FROM stop_at');
		wait_until_done("$step, $way: another worker does it all");
	}
}
is($node->safe_psql('served', q{SELECT count(*), count(DISTINCT (step, round)) FROM effects}), join('|', (@steps * $round) x 2), 'every step took effect exactly once in each round');
is($node->safe_psql('served', q{SELECT count(*), count(DISTINCT parameters ->> 'round') FROM execreport._schedules}), "$round|$round", 'schedules of all rounds');
is($node->safe_psql('served', q{SELECT count(*), count(DISTINCT (r.schedule_id, r.scheduled_at)), count(DISTINCT r.schedule_id) = (SELECT count(*) FROM execreport._schedules)
	FROM execreport.schedule_runs AS r}), $node->safe_psql('served', q{SELECT count(*), count(*), true FROM execreport.schedule_runs}), 'each occurrence has one run');
is($node->safe_psql('served', q{SELECT count(*) FROM execreport.schedule_runs AS r WHERE status = 'running'}),
	$node->safe_psql('served', q{SELECT count(DISTINCT key) FROM execreport.events WHERE topic = 'schedules'}), 'each run that is to be done has an event');
is($node->safe_psql('served', q{SELECT count(*) - count(DISTINCT key) FROM execreport.events WHERE topic = 'schedules'}), '0', 'and only one');
is($node->safe_psql('served', q{SELECT count(*), sum(lost_leases), min(lost_leases), max(lost_leases) FROM execreport.report_data_segments}),
	"$round|$round|1|1", 'each lease was taken back once');
is($node->safe_psql('served', q{SELECT count(*) FROM execreport.notifications WHERE message LIKE 'lost %' AND state = 'failed'}), $round, 'each lost notification was given up');
is($node->safe_psql('served', qq{SELECT count(*) BETWEEN 1 AND 1 + $today - DATE '$first_day' FROM execreport.notifications WHERE dedupe_key LIKE 'digest %'}), 't', 'there is one digest of yesterday');

# many callers
make_due();
my @callers = map { my ($in, $out, $err) = ('', '', '');
	{ err => \$err, run => IPC::Run::start([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('served'),
		(map { ('-c', 'CALL execreport.tick()') } 1 .. 10) ], '<', \$in, '>', \$out, '2>', \$err) } } 1 .. 6;
foreach my $caller (@callers)
{
	ok($caller->{run}->finish, 'one of six callers ticks ten times');
	unlike(${ $caller->{err} }, qr/ERROR|WARNING/, 'without any trouble');
}
wait_until_done('all is done');
is($node->safe_psql('served', q{SELECT count(*), count(DISTINCT (step, round)) FROM effects}), join('|', (@steps * $round) x 2), 'once');

# a failing step stays alone, is recorded, and told once until it has worked again
my $settled = sub {
	my ($condition, $name) = @_;
	ok($node->poll_query_until('served', "SELECT $condition FROM execreport.tick_steps WHERE step = 'leases' OR step = 'generations' ORDER BY step LIMIT 1"), $name);
};
$node->safe_psql('served', "INSERT INTO fail_at VALUES ('generations')");
$settled->("failures >= 3 AND last_result = 'failed' AND error LIKE 'P0001: made to fail' AND failing_since IS NOT NULL", 'a step fails again and again');
make_due();
$node->safe_psql('served', q{DELETE FROM due WHERE step = 'generations'});
wait_until_done('the others go on');
is($node->safe_psql('served', q{SELECT count(*), min(severity), min(details ->> 'error') FROM execreport.notifications WHERE message = 'tick: step generations fails'}),
	'1|high|P0001: made to fail', 'it is told once');
$node->safe_psql('served', 'DELETE FROM fail_at');
$settled->("last_result = 'ok' AND failing_since IS NULL AND error IS NULL", 'it works again');
$node->safe_psql('served', "INSERT INTO fail_at VALUES ('generations')");
$settled->("last_result = 'failed'", 'it fails anew');
is($node->safe_psql('served', q{SELECT count(*) FROM execreport.notifications WHERE message = 'tick: step generations fails'}), '2', 'which is told again');
$node->safe_psql('served', 'DELETE FROM fail_at');

# maintenance: schedules wait, and catch up afterwards
my $runs = $node->safe_psql('served', 'SELECT count(*) FROM execreport.schedule_runs');
$node->safe_psql('served', q{
	BEGIN;
	SELECT execreport.create_schedule(id, '{"frequency": "daily", "time": "09:00", "timezone": "UTC"}', catchup_window => '30 hours',
		now => now() - interval '25 hours') FROM workflow;
	SELECT execreport.set_maintenance(true, 'moving');
	COMMIT});
my $ticks = $node->safe_psql('served', q{SELECT runs FROM execreport.tick_steps WHERE step = 'expire_submissions'});
ok($node->poll_query_until('served', "SELECT runs > $ticks + 1 FROM execreport.tick_steps WHERE step = 'expire_submissions'"), 'in maintenance the worker ticks on');
is($node->safe_psql('served', 'SELECT count(*) FROM execreport.schedule_runs'), $runs, 'but makes no runs');
is($node->safe_psql('served', q{SELECT string_agg(concat_ws(' ', step, last_result), ', ' ORDER BY step) FROM execreport.tick_steps WHERE step IN ('guards', 'health')}),
	'guards ok, health ok', 'health and guards are judged as ever');
is($node->safe_psql('served', q{SELECT string_agg(DISTINCT status, ',') FROM execreport.check_health() WHERE component IN ('exec_reports', 'master_reports', 'schedules')}), 'healthy',
	'and what waits for the end of maintenance is not late');
$node->safe_psql('served', 'SELECT execreport.set_maintenance(false)');
ok($node->poll_query_until('served', "SELECT count(*) > $runs FROM execreport.schedule_runs"), 'afterwards they are made');

# the bell
sub bells
{
	my ($mode, $transactions) = @_;
	my $sql = join '', "LISTEN execreport_events;\n", (map { "BEGIN; SELECT execreport._emit(569, 'bell', 'x', '$_'), execreport._emit(569, 'bell', 'x', '$_'); COMMIT;\n" } 1 .. $transactions),
		"SELECT pg_sleep(0.1);\n" x ($mode eq 'worker' ? 30 : 5), "SELECT 1;\n";
	my ($stdout, $stderr) = ('', '');
	my $begin = time;
	$node->psql('served', "SET execreport.notify_mode = $mode; $sql", stdout => \$stdout, stderr => \$stderr, on_error_stop => 1);
	my $count = () = $stdout =~ /Asynchronous notification "execreport_events" received/g;
	return ($count, time - $begin);
}
bells('worker', 1);		# what was due before has rung by then
is((bells('commit', 20))[0], 20, 'the bell rings once for each commit');
is((bells('off', 20))[0], 0, 'or never');
my ($rung, $seconds) = bells('worker', 200);
ok($rung >= 1 && $rung <= 10 * ($seconds + 1) + 1, "or the worker rings it for many of them ($rung for 200 in $seconds s)");
$node->safe_psql('postgres', q{ALTER SYSTEM SET execreport.notify_mode = 'commit'});
$node->reload;
($rung, $seconds) = bells('worker', 200);
ok($rung >= 1 && $rung <= 10 * ($seconds + 1) + 1, "also where others ring by themselves ($rung for 200 in $seconds s)");
$node->safe_psql('postgres', 'ALTER SYSTEM RESET execreport.notify_mode');
$node->reload;
is($node->safe_psql('postgres', q{CREATE EXTENSION execreport; SHOW execreport.notify_mode}), 'worker', 'the worker is the default');
$node->safe_psql('postgres', 'CREATE DATABASE unserved');
$node->safe_psql('unserved', 'CREATE EXTENSION execreport');
my ($heard, $errors) = ('', '');
$node->psql('unserved', "LISTEN execreport_events;\nSELECT execreport._emit(1, 'bell', 'x', 'y');\nSELECT 1;\n", stdout => \$heard, stderr => \$errors);
like($heard, qr/Asynchronous notification/, 'where no worker serves the database, the commit rings');

# databases, extension, settings
ok($node->poll_query_until('postgres', 'SELECT count(*) > 0 FROM execreport.tick_steps'), 'a database is served as soon as it has the extension');
$node->safe_psql('postgres', 'CREATE DATABASE later');
$node->safe_psql('later', 'CREATE EXTENSION execreport');
ok($node->poll_query_until('later', 'SELECT count(*) > 0 FROM execreport.tick_steps'), 'so is one that was listed before it was there');
is($node->safe_psql('unserved', 'SELECT count(*) FROM execreport.tick_steps'), '0', 'one that is not listed is left alone');

# dropped while a step is under way: it waits for the step, and neither of them fails
$node->safe_psql('later', q{
	ALTER FUNCTION execreport._tick_health(timestamptz) RENAME TO _tick_health_itself;
	CREATE FUNCTION execreport._tick_health(now timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM count(*) FROM execreport.notifications;
		PERFORM pg_sleep(2), count(*) FROM execreport.events;
		RETURN execreport._tick_health_itself(now);
	END $$});
ok($node->poll_query_until('later', "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'execreport.notifications'::regclass)"), 'a step is under way');
is($node->psql('later', 'DROP EXTENSION execreport CASCADE'), 0, 'the extension is dropped after it');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'execreport worker' AND datname = 'later'}),
	'without the extension the worker goes');
$node->safe_psql('later', 'CREATE EXTENSION execreport');
ok($node->poll_query_until('later', 'SELECT count(*) > 0 FROM execreport.tick_steps'), 'and comes back with it');
$node->safe_psql('postgres', 'DROP DATABASE later WITH (FORCE)');
$node->safe_psql('postgres', q{ALTER SYSTEM SET execreport.databases = 'unserved'});
$node->reload;
ok($node->poll_query_until('unserved', 'SELECT count(*) > 0 FROM execreport.tick_steps'), 'a changed list counts without a restart');
ok($node->poll_query_until('postgres', q{SELECT string_agg(DISTINCT datname, ' ') = 'unserved' FROM pg_stat_activity WHERE backend_type = 'execreport worker'}),
	'for what is no longer on it, too');
my $launcher = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'execreport launcher'});
my $served = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'execreport worker'});
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'execreport launcher' AND pid <> $launcher"), 'a launcher that is terminated comes back');
$ticks = $node->safe_psql('unserved', q{SELECT runs FROM execreport.tick_steps WHERE step = 'digest'});
ok($node->poll_query_until('unserved', "SELECT runs > $ticks + 1 FROM execreport.tick_steps WHERE step = 'digest'"), 'the work goes on');
is($node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'execreport worker'}), $served, 'with the worker that was there');

# an error outside the steps ends the worker; the next one goes on
$node->safe_psql('unserved', 'ALTER FUNCTION execreport._tick_plan(timestamptz) RENAME TO _tick_plan_away');
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $served"), 'an error ends the worker');
$node->safe_psql('unserved', 'ALTER FUNCTION execreport._tick_plan_away(timestamptz) RENAME TO _tick_plan');
$ticks = $node->safe_psql('unserved', q{SELECT runs FROM execreport.tick_steps WHERE step = 'digest'});
ok($node->poll_query_until('unserved', "SELECT runs > $ticks FROM execreport.tick_steps WHERE step = 'digest'"), 'another one takes over');
unlike(slurp_file($node->logfile), qr/terminated by signal (?!9)|PANIC/, 'nothing has crashed but what was killed');

# a standby has no workers until it is promoted
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('write'));
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'execreport%'}), '0', 'no worker on a standby');
my ($rc, $out, $err) = $standby->psql('unserved', 'CALL execreport.tick()');
isnt($rc, 0, 'and nobody can tick there');
$node->stop;
$standby->promote;
$ticks = $standby->safe_psql('unserved', q{SELECT runs FROM execreport.tick_steps WHERE step = 'digest'});
ok($standby->poll_query_until('unserved', "SELECT runs > $ticks FROM execreport.tick_steps WHERE step = 'digest'"), 'promoted, it ticks');
$standby->stop;

if ($cron)
{
	ok($cron->poll_query_until('postgres', q{SELECT count(*) >= 10 FROM execreport.tick_steps}), 'pg_cron: tick was called');
	ok($cron->poll_query_until('postgres', q{SELECT count(*) > 0 FROM cron.job_run_details WHERE status = 'succeeded'}), 'pg_cron: with success');
	is($cron->safe_psql('postgres', 'SELECT execreport.remove_cron_jobs(), execreport.remove_cron_jobs()'), 't|f', 'pg_cron: the job is removed, once');
	is($cron->safe_psql('postgres', 'SELECT count(*) FROM cron.job'), '0', 'pg_cron: and gone');
	$cron->stop;
}
done_testing();
