-- contracts: registering, versions, references, judging, modules, rights
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT (execreport.create_tenant(171, 'contracts')).tenant_id, (execreport.create_tenant(172, 'contracts too')).tenant_id;
SET execreport.tenant_id = 171;
SELECT execreport.update_flags(171, '{"execReportsEnabled": true}', 'test') -> 'execReportsEnabled';

SELECT name, version, tenant_id FROM execreport.contracts WHERE builtin ORDER BY name;

-- versions: the one registered last counts, and none ever changes
SELECT tenant_id, name, version, builtin FROM execreport.register_contract('order', '1', '{"type": "object", "required": ["id"]}');
SELECT version FROM execreport.register_contract('order', '1', '{"required": ["id"], "type": "object"}');
SELECT execreport.register_contract('order', '1', '{"type": "object"}');
SELECT version FROM execreport.register_contract('order', 2, '{"type": "object", "required": ["id", "total"],
    "properties": {"id": {"type": "string"}, "total": {"$ref": "money"}}, "$defs": {"money": {"$id": "money", "type": "number"}}}');
-- a schema that has its own "money" keeps it when there is a contract of that name
SELECT version FROM execreport.register_contract('money', '1', '{"type": "object"}');
SELECT version FROM execreport.register_contract('order', '2.1', '{"$ref": "money", "$defs": {"money": {"$id": "money", "type": "number"}}}');
SELECT count(*) FROM execreport.check_contract('order', '5', '2.1');
SELECT version FROM execreport.register_contract('order', '3', (SELECT schema FROM execreport.contracts WHERE name = 'order' AND version = '2'));
SELECT count(*) FROM execreport.contracts WHERE name = 'order';
SELECT instance_path, schema_path, keyword, message FROM execreport.check_contract('order', '{"total": "9"}') ORDER BY 1, 2;
SELECT count(*) FROM execreport.check_contract('order', '{"id": "a", "total": 9}');
SELECT count(*) FROM execreport.check_contract('order', '{"id": 5}', '1');
SELECT execreport.require_contract('order', '{"id": "a", "total": 9}');
SELECT execreport.require_contract('order', '{"id": 5, "total": "9"}');
-- names that a JSON Pointer writes in a way of its own, and no name
BEGIN;
SELECT version FROM execreport.register_contract('odd', '1', '{"properties": {"": {"type": "string"}, "a/b~": {"properties": {"": {"maximum": 5}}}}}');
SELECT execreport.require_contract('odd', '{"": 1, "a/b~": {"": 7}}');
ROLLBACK;
BEGIN;
SELECT version FROM execreport.register_contract('meta', '1', '{"$ref": "http://json-schema.org/draft-07/schema#"}');
SELECT execreport.require_contract('meta', '{"minLength": "x"}');
ROLLBACK;
SELECT execreport.require_contract('order', '{}', version => '1');
SELECT execreport.require_contract('order', '{}', '4');
SELECT execreport.require_contract('orders', '{}');
SELECT execreport.check_contract('order', NULL);
SELECT execreport.require_contract('order', NULL);
SELECT execreport.check_contract(NULL, '{}');
SELECT action, entity_type, entity_id, new_value ->> 'version' AS version FROM execreport.audit_logs
 WHERE tenant_id = 171 AND entity_type = 'contract' ORDER BY created_at, audit_id;

-- references resolve among registered contracts, and stand still from then on
SELECT version FROM execreport.register_contract('price', '1', '{"type": "number", "minimum": 0}');
SELECT version FROM execreport.register_contract('line', '1', '{"properties": {"price": {"$ref": "price"}, "next": {"$ref": "contract:line"}}}');
SELECT version FROM execreport.register_contract('invoice', '1', '{"type": "array", "items": {"$ref": "contract:line"}}');
SELECT instance_path, message FROM execreport.check_contract('invoice', '[{"price": 1}, {"next": {"price": -1}}]');
SELECT version FROM execreport.register_contract('price', '2', '{"type": "string"}');
SELECT count(*) FROM execreport.check_contract('invoice', '[{"price": 1}]');
SELECT version FROM execreport.register_contract('invoice', '2', '{"type": "array", "items": {"$ref": "contract:line"}}');
SELECT instance_path, message FROM execreport.check_contract('invoice', '[{"price": 1}]');
SELECT version FROM execreport.register_contract('person', '1', '{"$id": "https://example.com/person", "type": "object", "$defs": {"name": {"type": "string"}}}');
SELECT version FROM execreport.register_contract('team', '1', '{"properties": {"lead": {"$ref": "https://example.com/person"},
    "name": {"$ref": "https://example.com/person#/$defs/name"}, "deputy": {"$ref": "person"}}}');
SELECT instance_path, message FROM execreport.check_contract('team', '{"lead": 1, "name": 2, "deputy": 3}') ORDER BY 1;
SELECT version FROM execreport.register_contract('my-output', '1', '{"$ref": "exec-report-output", "required": ["score"], "properties": {"score": {"type": "number"}}}');
SELECT execreport.require_contract('my-output', '{"insights": [{"title": 5}]}');

-- schemas of two drafts side by side: each keeps its own
BEGIN;
SELECT version FROM execreport.register_contract('pair', '1', '{"prefixItems": [{"type": "string"}]}');
SELECT version FROM execreport.register_contract('pair-by-id', '1', '{"$id": "https://example.com/pair", "prefixItems": [{"type": "string"}]}');
SELECT version FROM execreport.register_contract('seven', '1', '{"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}');
SELECT version FROM execreport.register_contract('old', '1', '{"$schema": "http://json-schema.org/draft-07/schema#",
    "properties": {"a": {"$ref": "pair"}, "b": {"$ref": "pair-by-id"}}}');
SELECT version FROM execreport.register_contract('new', '1', '{"properties": {"a": {"$ref": "pair"}, "b": {"$ref": "seven"}}}');
SELECT name, instance_path, keyword, message FROM unnest('{old,new}'::text[]) AS name, execreport.check_contract(name, '{"a": [5], "b": [5]}') ORDER BY 1, 2;
ROLLBACK;
-- what cannot be registered
SELECT execreport.register_contract('bad', '1', '{"$ref": "nowhere"}');
SELECT execreport.register_contract('bad', '1', '{"$ref": "https://example.com/unknown"}');
SELECT execreport.register_contract('bad', '1', '{"type": "strin"}');
SELECT execreport.register_contract('bad', '1', '{"pattern": "("}');
SELECT execreport.register_contract('bad', '1', '[]');
SELECT execreport.register_contract('Bad Name', '1', '{}');
SELECT execreport.register_contract('bad', '', '{}');
SELECT execreport.register_contract('bad', '1', NULL);
SELECT execreport.register_contract(NULL, '1', '{}');
SELECT execreport.register_contract('flags', '2', '{}');
SELECT count(*) FROM execreport.contracts WHERE name = 'bad';

-- modules
SELECT tenant_id, module_id, name, category, output_contract FROM execreport.register_module('scored', 'Scored', 'strategy', 'my-output');
SELECT module_id, output_contract FROM execreport.register_module('plain', 'Plain', 'demand');
SELECT execreport.register_module('m', 'M', 'other');
SELECT execreport.register_module('m', 'M', 'demand', 'unknown');
SELECT execreport.register_module('m', 'M', NULL);
SELECT configuration_id FROM execreport.save_configuration(1, '{"brand": {"name": "Acme"}}');
SELECT module_id FROM execreport.create_exec_report(1, 'scored', '{"score": 5}');
SELECT execreport.create_exec_report(1, 'scored', '{"hasData": true}');
SELECT execreport.create_exec_report(1, 'scored', '{"score": 1, "hasData": "yes"}');
SELECT module_id FROM execreport.create_exec_report(1, 'plain', '{"hasData": true}');
SELECT module_id FROM execreport.create_exec_report(1, 'unregistered', '{"hasData": true}');
SELECT configuration_id FROM execreport.save_configuration(1, '{"brand": {"name": "Acme again"}}');
SELECT execreport.create_exec_report(1, 'scored', '{"hasData": true}', context_version => 1);
SELECT execreport.record_module_execution(1, 'scored', '{"hasData": true}');
SELECT module_id, output_contract FROM execreport.register_module('scored', 'Scored', 'strategy');
SELECT module_id FROM execreport.create_exec_report(1, 'scored', '{"hasData": true}');
SELECT entity_id, previous_value, new_value FROM execreport.audit_logs
 WHERE tenant_id = 171 AND entity_type = 'module' ORDER BY created_at, audit_id;

-- another tenant sees the built-in ones alone
SET execreport.tenant_id = 172;
SELECT count(*) FROM execreport.check_contract('flags', '{"a": true, "b": null}');
SELECT execreport.require_contract('order', '{}');
SELECT execreport.register_contract('theirs', '1', '{"$ref": "contract:order"}');
SELECT version FROM execreport.register_contract('order', '1', '{"type": "string"}');

CREATE ROLE er_contracts_viewer;
CREATE ROLE er_contracts_operator;
SELECT execreport.grant_access('er_contracts_viewer', 172, 'viewer'), execreport.grant_access('er_contracts_operator', 172, 'operator');
SET ROLE er_contracts_viewer;
SELECT name, version FROM execreport.contracts WHERE NOT builtin ORDER BY 1, 2;
SELECT count(*) FROM execreport.modules;
SELECT message FROM execreport.check_contract('order', '5');
SELECT execreport.register_contract('x', '1', '{}');
SELECT execreport.register_module('x', 'X', 'demand');
INSERT INTO execreport.contracts (tenant_id, name, version, schema) VALUES (172, 'x', '1', '{}');
RESET ROLE;
SET ROLE er_contracts_operator;
SELECT name, registered_by FROM execreport.register_contract('x', '1', '{}');
SELECT module_id, registered_by FROM execreport.register_module('x', 'X', 'demand', 'x');
RESET ROLE;
SELECT execreport.revoke_access('er_contracts_viewer', 172), execreport.revoke_access('er_contracts_operator', 172);
DROP ROLE er_contracts_viewer, er_contracts_operator;
SELECT execreport.delete_tenant(171, 'test'), execreport.delete_tenant(172, 'test');
SELECT count(*) FROM execreport.contracts WHERE NOT builtin;
RESET execreport.tenant_id;
