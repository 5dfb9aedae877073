# Eight sessions accept one generation at once, over and over: there is one scenario, and all of them name it. Importing
# 100,000 skills in one generation takes bounded memory and can be cancelled.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'execreport'\nmax_connections = 30\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION execreport;
	SELECT execreport.update_flags(1, '{"import_generation": true}');
	CREATE TABLE generations (n integer PRIMARY KEY, id uuid NOT NULL);
	CREATE TABLE answers (n integer, answer jsonb);
});

# ---- eight at once, twenty generations that share names
$node->safe_psql('postgres', q{
	INSERT INTO generations SELECT n, execreport.request_generation('Plan ' || n) FROM generate_series(1, 20) AS n;
	SELECT execreport.complete_generation(g.id, jsonb_build_object('scenario_metadata', jsonb_build_object('name', 'Plan ' || g.n), 'capabilities', (
		SELECT jsonb_agg(jsonb_build_object('id', 'CAP-' || c, 'name', 'Capability ' || (c + g.n) % 12, 'competencies', jsonb_build_array(jsonb_build_object(
			'id', 'C-' || c, 'name', 'Competency ' || (c * 7 + g.n) % 40, 'skills', jsonb_build_array('Skill ' || c, 'Skill ' || (c + g.n) % 15, 'SQL'))))) FROM generate_series(1, 8) AS c)))
	  FROM generations AS g;
});
my @sessions = map { IPC::Run::start(
	[ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c',
		q{DO $$ BEGIN FOR i IN 1 .. 20 LOOP INSERT INTO answers SELECT i, execreport.accept_generation(id, true) FROM generations WHERE n = i; COMMIT; END LOOP; END $$} ],
	'2>&1') } 1 .. 8;
my $failed = grep { !$_->finish } @sessions;
is($failed, 0, 'no session failed');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT source_generation_id) FROM execreport.scenarios'), '20|20', 'each generation has one scenario');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT answer), bool_and((answer ->> 'accepted')::boolean) FROM answers}), '160|20|t',
	'all sessions got the same answer');
is($node->safe_psql('postgres', q{SELECT count(*), count(*) FILTER (WHERE result = 'success') FROM execreport.import_audit}), '20|20', 'each was imported once');
is($node->safe_psql('postgres', q{SELECT count(*) - count(DISTINCT name_key) FROM execreport._skills}), '0', 'each skill is there once');
is($node->safe_psql('postgres', q{SELECT sum((import_report #>> '{skills,created}')::int) = (SELECT count(*) FROM execreport._skills),
		sum((import_report #>> '{skills,created}')::int + (import_report #>> '{skills,linked}')::int) = (SELECT count(*) FROM execreport.competency_skills)
	FROM execreport.scenario_generations}), 't|t', 'the reports agree with the catalogue');

# ---- a stranger is refused: his row goes with his transaction, but the log has both names
$node->safe_psql('postgres', q{CREATE ROLE stranger LOGIN; SELECT execreport.grant_access('stranger', 1, 'editor')});
my $wanted = $node->safe_psql('postgres', 'SELECT id FROM generations WHERE n = 1');
isnt($node->psql('postgres', "SELECT execreport.accept_generation('$wanted', true)", connstr => $node->connstr('postgres') . ' user=stranger'), 0, 'a stranger is refused');
like(slurp_file($node->logfile), qr/user "stranger" may not do this with a generation of somebody else\n.*DETAIL:  Generation $wanted takes its creator/,
	'the log says who and which');
is($node->safe_psql('postgres', 'SELECT count(*) FROM execreport.import_audit'), '20', 'import_audit has nothing of it');

# ---- 100,000 skills
$node->safe_psql('postgres', q{
	ALTER SYSTEM SET execreport.max_skills = 1000;
	ALTER SYSTEM SET execreport.max_competencies = 1000;
	SELECT pg_reload_conf();
	CREATE TABLE large AS SELECT v.variant, jsonb_build_object('scenario_metadata', '{"name": "Large"}'::jsonb, 'capabilities', (
		SELECT jsonb_agg(jsonb_build_object('name', v.variant || ' capability ' || c, 'competencies', (
			SELECT jsonb_agg(jsonb_build_object('name', format('%s competency %s of %s', v.variant, k, c), 'skills', (
				SELECT jsonb_agg(jsonb_build_object('id', format('S-%s-%s-%s', c, k, s), 'name', format('%s skill %s of %s-%s', v.variant, s, c, k))) FROM generate_series(1, 100) AS s)))
			  FROM generate_series(1, 100) AS k))) FROM generate_series(1, 10) AS c)) AS document
	  FROM (VALUES ('one'), ('two')) AS v (variant);
	INSERT INTO generations SELECT 100 + row_number() OVER (), execreport.request_generation('large') FROM large;
	SELECT execreport.complete_generation(g.id, l.document) FROM (SELECT row_number() OVER (ORDER BY variant) AS n, document FROM large) AS l JOIN generations AS g ON g.n = 100 + l.n;
});
my $begin = time;
my $said = $node->safe_psql('postgres', q{
	SELECT pg_backend_pid() AS pid \gset
	\setenv PID :pid
	SELECT length(response::text) > 0 FROM execreport.scenario_generations JOIN generations USING (id) WHERE n = 101;
	\! sed -n 's/^RssAnon: */before /p' /proc/$PID/status
	SELECT execreport.accept_generation(id, true) #>> '{report,skills,created}' AS created FROM generations WHERE n = 101;
	\! sed -n 's/^VmHWM: */after /p; s/^RssShmem: */shared /p' /proc/$PID/status
});
like($said, qr/^100000$/m, '100,000 skills are imported');
my ($after) = $said =~ /^after\s+(\d+) kB/m;
my ($shared) = $said =~ /^shared\s+(\d+) kB/m;
SKIP:
{
	skip 'no /proc here', 1 unless defined $after && defined $shared;
	diag(sprintf('100,000 skills: %.1f s, %d MB', time - $begin, ($after - $shared) / 1024));
	cmp_ok($after - $shared, '<', 512 * 1024, 'in bounded memory');
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM execreport._skills WHERE name LIKE 'one skill %'}), '100000', 'they are there');

# ---- cancelled half way: nothing stays
my ($out, $err) = ('', '');
my $import = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres', application_name => 'import'), '-c',
	q{SELECT execreport.accept_generation(id, true) FROM generations WHERE n = 102} ], '>', \$out, '2>', \$err);
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE l.relation = 'execreport._skills'::regclass
	AND l.mode = 'RowExclusiveLock' AND a.query LIKE '%n = 102%'}) or die 'the import never came to its skills';
my $cancelled = time;
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%n = 102%' AND pid <> pg_backend_pid()});
$import->finish;
my $took = time - $cancelled;
like($err, qr/canceling statement due to user request/, 'an import can be cancelled');
cmp_ok($took, '<', 5, 'soon');
is($node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM execreport._skills WHERE name LIKE 'two %'), (SELECT accepted_at IS NULL FROM execreport.scenario_generations JOIN generations USING (id) WHERE n = 102)}),
	'0|t', 'nothing of it stays');
is($node->safe_psql('postgres', q{SELECT execreport.accept_generation(id, true) #>> '{report,skills,created}' FROM generations WHERE n = 102}), '100000', 'and it can be done again');

$node->stop;
done_testing();
