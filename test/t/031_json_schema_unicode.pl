# \p{...} of patterns against the Unicode tables of Perl: every general category.
#
# Perl may know a newer Unicode than our table, so characters that one of the two does not know yet are left out.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Unicode::UCD qw(prop_invlist);

my $node = PostgreSQL::Test::Cluster->new('unicode');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION execreport;
CREATE TABLE perl_says (category text, first integer, after integer);
SQL

my @categories = qw(Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co L LC M N P S Z);
foreach my $category (@categories, 'Assigned')
{
	my @list = prop_invlist($category eq 'Assigned' ? 'Assigned' : "gc=$category");
	my @rows;
	for (my $i = 0; $i < @list; $i += 2)
	{
		my $after = $i + 1 < @list ? $list[ $i + 1 ] : 0x110000;
		push @rows, "('$category', $list[$i], $after)";
	}
	$node->safe_psql('postgres', 'INSERT INTO perl_says VALUES ' . join(', ', @rows)) if @rows;
}

# all of the first 12,000 but U+0000, and a sample of the rest
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE characters AS SELECT c, to_jsonb(chr(c)) AS v FROM generate_series(1, 1114111) c 
	WHERE c NOT BETWEEN 55296 AND 57343 AND (c < 12000 OR c < 131072 AND c % 7 = 0 OR c % 1009 = 0);
DELETE FROM characters WHERE NOT execreport.json_matches_schema('{"pattern": "\\p{Assigned}"}', v);
DELETE FROM characters WHERE NOT EXISTS (SELECT FROM perl_says p WHERE p.category = 'Assigned' AND c >= p.first AND c < p.after);
SQL
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM characters WHERE c < 57344 OR c > 63743'), '>', 20000, 'both know most characters');
foreach my $category (@categories)
{
	my $differences = $node->safe_psql('postgres', <<"SQL");
		WITH perl AS (SELECT c FROM perl_says p, generate_series(p.first, p.after - 1) c WHERE p.category = '$category')
		SELECT string_agg(to_hex(ch.c), ' ') FROM characters ch LEFT JOIN perl USING (c)
		 WHERE (perl.c IS NOT NULL) <> execreport.json_matches_schema('{"pattern": "^\\\\p{$category}\$"}', ch.v)
SQL
	is($differences, '', "\\p{$category}");
	my $both = $node->safe_psql('postgres', <<"SQL");
		SELECT count(*) FROM characters WHERE c < 30000 AND
		execreport.json_matches_schema('{"pattern": "^\\\\p{$category}\$"}', v) = execreport.json_matches_schema('{"pattern": "^\\\\P{$category}\$"}', v)
SQL
	is($both, '0', "\\P{$category} is its complement");
}
$node->stop;
done_testing();
