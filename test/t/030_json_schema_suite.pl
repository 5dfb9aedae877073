# The official JSON-Schema-Test-Suite: required tests of 2020-12 and draft-07, and the optional tests of our formats.
#
# The server reads the files itself, as json, so that no number or string is changed on the way. Schemas of the
# suite's remotes folder are bundled into the schemas that mention its host, for nothing is ever fetched. A test
# that is named in docs/json_schema.md, section "Exceptions", must fail; every other one must pass.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $suite = ($ENV{ER_SHARED} // '') . '/json-schema-test-suite';
my @formats = qw(date time date-time duration email uuid uri ipv4 ipv6 ecmascript-regex regex json-pointer unknown);
my @drafts = ('draft2020-12', 'draft7');
if (!-d "$suite/tests")
{
	$suite = '/usr/share/json-schema-test-suite';
	@drafts = ('draft7');
	if (!-d "$suite/tests")
	{
		plan skip_all => 'no JSON-Schema-Test-Suite here: neither ../shared/samples nor the package json-schema-test-suite';
	}
	diag('only draft-07 is tested, from the package json-schema-test-suite');
}

# file | case / test, of the table of exceptions
my %expected;
my ($docs) = grep { -f $_ } ('docs/json_schema.md', '../docs/json_schema.md');
die 'docs/json_schema.md is missing' unless defined $docs;
open my $page, '<:encoding(UTF-8)', $docs or die "$docs: $!";
my $inside = 0;
while (<$page>)
{
	$inside = /^## Exceptions/ if /^## /;
	$expected{"$1: $2"} = 1 if $inside && /^\| `([^`]+\.json)` \| `([^`]+)` \|/;
}
close $page;

my $node = PostgreSQL::Test::Cluster->new('suite');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION execreport;
CREATE TABLE remotes (draft text, uri text, document jsonb);

-- what a remote document becomes in the definitions of another one
CREATE FUNCTION bundled(uri text, document jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT CASE
		WHEN jsonb_typeof(document) <> 'object' THEN jsonb_build_object('$id', uri, 'allOf', jsonb_build_array(document))
		WHEN rtrim(document ->> '$id', '#') = uri THEN document
		WHEN document ? '$id' OR document ? '$ref' THEN jsonb_build_object('$id', uri, 'allOf', jsonb_build_array(document))
		ELSE jsonb_build_object('$id', uri) || document END $$;

CREATE FUNCTION prepared(schema jsonb, draft text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	place text := CASE draft WHEN 'draft7' THEN 'definitions' ELSE '$defs' END;
	result jsonb := schema;
BEGIN
	IF jsonb_typeof(schema) <> 'object' THEN
		RETURN schema;
	END IF;
	IF draft = 'draft7' AND NOT schema ? '$schema' THEN
		result := result || '{"$schema": "http://json-schema.org/draft-07/schema#"}';
	END IF;
	IF schema::text LIKE '%//localhost:1234%' THEN
		result := result || jsonb_build_object(place, coalesce(schema -> place, '{}') ||
			(SELECT jsonb_object_agg('remote ' || r.uri, bundled(r.uri, r.document)) FROM remotes r WHERE r.draft = prepared.draft));
	END IF;
	RETURN result;
END $$;

CREATE FUNCTION run_file(path text, draft text)
RETURNS TABLE (name text, outcome text) LANGUAGE plpgsql AS $$
DECLARE
	one json;
	t json;
	schema jsonb;
	instance jsonb;
	valid boolean;
	problems bigint;
BEGIN
	-- no jsonb holds U+0000, and json cannot be taken apart with it: a private character stands in until the cast
	FOR one IN SELECT json_array_elements(replace(pg_read_file(path), '\u0000', '\uF8FE')::json) LOOP
		FOR t IN SELECT json_array_elements(one -> 'tests') LOOP
			name := (one ->> 'description') || ' / ' || (t ->> 'description');
			BEGIN
				schema := prepared(replace((one -> 'schema')::text, '\uF8FE', '\u0000')::jsonb, draft);
				PERFORM execreport.json_schema_check(schema) WHERE schema::text NOT LIKE '%//localhost:1234%';
				instance := replace((t -> 'data')::text, '\uF8FE', '\u0000');
				valid := execreport.json_matches_schema(schema, instance);
				SELECT count(*) INTO problems FROM execreport.json_schema_errors(schema, instance);
				outcome := CASE
					WHEN valid <> (problems = 0) THEN 'json_schema_errors and json_matches_schema disagree'
					WHEN valid = (t ->> 'valid')::boolean THEN 'ok'
					ELSE 'said ' || valid END;
			EXCEPTION WHEN OTHERS THEN
				outcome := SQLSTATE || ' ' || SQLERRM;
			END;
			RETURN NEXT;
		END LOOP;
	END LOOP;
END $$;
SQL

sub remotes
{
	my ($draft, $dir, $uri) = @_;
	foreach my $file (sort glob("$dir/*"))
	{
		my ($base) = $file =~ m{([^/]+)$};
		if (-d $file)
		{
			remotes($draft, $file, "$uri/$base") unless $base =~ /^(draft|v1)/;
		}
		else
		{
			$node->safe_psql('postgres', "INSERT INTO remotes VALUES ('$draft', '$uri/$base', pg_read_file('$file')::jsonb)");
		}
	}
}
foreach my $draft (@drafts)
{
	remotes($draft, "$suite/remotes/$draft", "http://localhost:1234/$draft");
	remotes($draft, "$suite/remotes", 'http://localhost:1234') if $draft eq 'draft7';
}

my %seen;
foreach my $draft (@drafts)
{
	foreach my $file ((sort glob("$suite/tests/$draft/*.json")), (sort glob("$suite/tests/$draft/optional/*.json")),
		(grep { -f $_ } map { "$suite/tests/$draft/optional/format/$_.json" } @formats))
	{
		my ($name) = $file =~ m{/tests/(.*)$};
		my $set = $name =~ m{/format/|ecmascript-regex} ? 'SET execreport.json_schema_format_assertion = on;' : '';
		my $rows = $node->safe_psql('postgres',
			"LOAD 'execreport'; $set SELECT name || E'\\t' || outcome FROM run_file('$file', '$draft')");
		foreach my $row (split /\n/, $rows)
		{
			my ($test, $outcome) = split /\t/, $row;
			my $key = "$name: $test";
			utf8::decode($key);
			$seen{$key} = 1;
			if ($expected{$key})
			{
				isnt($outcome, 'ok', "exception: $key");
			}
			else
			{
				is($outcome, 'ok', $key);
			}
		}
	}
}
foreach my $key (sort keys %expected)
{
	ok($seen{$key} || @drafts < 2, "the suite still has the exception $key");
}
$node->stop;
done_testing();
