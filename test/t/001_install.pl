# Installing, installing twice, failing to install, and dropping again; preloaded or not.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $objects = q{
    SELECT (SELECT count(*) FROM pg_class) || ' ' || (SELECT count(*) FROM pg_proc) || ' ' || (SELECT count(*) FROM pg_type)
        || ' ' || (SELECT count(*) FROM pg_namespace) || ' ' || (SELECT count(*) FROM pg_policy) || ' ' || (SELECT count(*) FROM pg_constraint)};

foreach my $preload ('', 'execreport')
{
	my $how = $preload eq '' ? 'not preloaded' : 'preloaded';
	my $node = PostgreSQL::Test::Cluster->new($preload eq '' ? 'plain' : 'preloaded');
	$node->init;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$preload'");
	$node->start;

	my $before = $node->safe_psql('postgres', $objects);

	# somebody planted the schema before us
	$node->safe_psql('postgres', 'CREATE ROLE mallory; CREATE SCHEMA execreport AUTHORIZATION mallory');
	my ($rc, $out, $err) = $node->psql('postgres', 'CREATE EXTENSION execreport');
	isnt($rc, 0, "$how: a planted schema makes the installation fail");
	like($err, qr/schema "execreport" already exists/, "$how: and the error says why");
	$node->safe_psql('postgres', 'DROP SCHEMA execreport');
	is($node->safe_psql('postgres', $objects), $before, "$how: a failed installation leaves nothing");

	$node->safe_psql('postgres', 'CREATE EXTENSION execreport');
	my $installed = $node->safe_psql('postgres', $objects);
	isnt($installed, $before, "$how: an installation makes objects");
	is($node->safe_psql('postgres', 'SELECT execreport.current_tenant()'), '1', "$how: a newcomer works for tenant 1");
	$node->safe_psql('postgres', 'CREATE EXTENSION IF NOT EXISTS execreport');
	is($node->safe_psql('postgres', $objects), $installed, "$how: installing again changes nothing");

	# whatever a session calls first, it finds our settings; preloaded they are there anyhow
	if ($preload eq '')
	{
		my @first = split /\n/, $node->safe_psql('postgres', q{
			SELECT format('BEGIN; SET LOCAL statement_timeout = 10000; SELECT * FROM execreport.%I(%s)', p.proname,
			              (SELECT string_agg(coalesce(quote_literal(CASE t.typname WHEN 'int4' THEN '1' WHEN 'timestamptz' THEN 'now' WHEN 'bool' THEN 'true' WHEN 'jsonb' THEN '{}'
			                                                 WHEN 'text' THEN 'x' WHEN 'interval' THEN '1 day' WHEN 'uuid' THEN gen_random_uuid()::text END), 'NULL')
			                                 || '::' || format_type(t.oid, NULL), ', ' ORDER BY a.n)
			                 FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, n) JOIN pg_type AS t ON t.oid = a.type))
			  FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
			 WHERE p.pronamespace = 'execreport'::regnamespace AND p.prokind = 'f' AND l.lanname <> 'c' AND p.prorettype <> 'trigger'::regtype
			 ORDER BY p.oid});
		cmp_ok(scalar(@first), '>', 300, "$how: functions to begin a session with");
		my @lost = grep { ($node->psql('postgres', $_))[2] =~ /unrecognized configuration parameter/ } @first;
		is_deeply(\@lost, [], "$how: none of them misses a setting");
	}

	# settings given before the library is loaded are taken over
	is($node->safe_psql('postgres', "SET execreport.user_id = 'ana'; SELECT execreport.current_user_id()"),
		'ana', "$how: a setting made before the first call counts");
	($rc, $out, $err) = $node->psql('postgres', "SELECT execreport.current_tenant(); SET execreport.no_such_setting = 1");
	isnt($rc, 0, "$how: an unknown setting of ours is refused");

	$node->safe_psql('postgres', q{SELECT execreport.create_tenant(2, 'Two'); CREATE ROLE app;
		SELECT execreport.grant_access('app', 2, 'editor')});
	$node->safe_psql('postgres', 'DROP EXTENSION execreport');
	is($node->safe_psql('postgres', $objects), $before, "$how: dropping leaves no object");
	$node->safe_psql('postgres', 'DROP ROLE app');
	pass("$how: nor a privilege that keeps a role alive");

	# a session that knew the old one goes on with the new one
	my $session = q{CREATE EXTENSION execreport; SELECT tenant_id FROM execreport.create_tenant(2);
		SET execreport.tenant_id = 2; SELECT execreport.current_tenant(); RESET execreport.tenant_id;
		DROP EXTENSION execreport; CREATE EXTENSION execreport; SELECT execreport.current_tenant();
		SELECT count(*) FROM execreport.tenants};
	is($node->safe_psql('postgres', $session), "2\n2\n1\n1", "$how: dropped and created again in one session");

	# nor do literals mean anything else where old programs need it so
	my $everything = q{SELECT md5(string_agg(pg_get_functiondef(p.oid), '' ORDER BY p.oid::regprocedure::text)), count(*) FROM pg_proc AS p
		WHERE p.pronamespace = 'execreport'::regnamespace AND p.prokind IN ('f', 'p')};
	my $usual = $node->safe_psql('postgres', $everything);
	my $old = q{SET standard_conforming_strings = off; };
	($rc, $out, $err) = $node->psql('postgres', "DROP EXTENSION execreport; $old CREATE EXTENSION execreport;
		SELECT tenant_id FROM execreport.create_tenant(2); SELECT context_version FROM execreport.save_configuration(1, '{\"brand\": {\"name\": \"Acme\"}}')");
	is($err, '', "$how: installed where standard_conforming_strings is off, without a warning");
	is($out, "2\n1", "$how: and of use there");
	is($node->safe_psql('postgres', $everything), $usual, "$how: with the same functions");
	$node->stop;
}

done_testing();
