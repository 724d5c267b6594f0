-- Schema config: the configuration truth (design.md, State). Every table carries its tenant and forces row-level security:
-- app.tenant names the tenant of the transaction, '*' is the operator, unset sees nothing. Constraints hold over all tenants.

CREATE TABLE tenants (
  name text PRIMARY KEY CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  display_name text NOT NULL DEFAULT '' CHECK (length(display_name) <= 200),
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended', 'deleting')),
  weight integer NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 100),
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE domains (
  name text PRIMARY KEY CHECK (name = lower(name) AND length(name) BETWEEN 1 AND 253),
  tenant text NOT NULL REFERENCES tenants (name),
  next_hop text NOT NULL DEFAULT '',
  validate_recipients boolean NOT NULL DEFAULT true,
  catch_all text NOT NULL DEFAULT '',
  verified boolean NOT NULL DEFAULT false,
  verification text NOT NULL,
  -- List of {selector, sealed}: private keys that sign, sealed like route passwords.
  dkim_keys jsonb NOT NULL DEFAULT '[]',
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (name, tenant)
);
CREATE INDEX domains_tenant ON domains (tenant, name);

-- password: argon2id in PHC form; scram: salt, iterations, StoredKey and ServerKey of SCRAM-SHA-256 (RFC 7677, RFC 5803 form).
-- operator_digest: keyed digest of the password an operator file gave, so that an unchanged file costs no hashing.
CREATE TABLE users (
  address text PRIMARY KEY CHECK (length(address) BETWEEN 3 AND 320),
  domain text NOT NULL,
  tenant text NOT NULL,
  display_name text NOT NULL DEFAULT '' CHECK (length(display_name) <= 200),
  disabled boolean NOT NULL DEFAULT false,
  allowed_identities text[] NOT NULL DEFAULT '{}',
  password text,
  scram text,
  operator_digest bytea,
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (domain, tenant) REFERENCES domains (name, tenant) ON DELETE CASCADE
);
CREATE INDEX users_domain ON users (domain, address);
CREATE INDEX users_tenant ON users (tenant, address);

CREATE TABLE aliases (
  address text PRIMARY KEY CHECK (length(address) BETWEEN 3 AND 320),
  domain text NOT NULL,
  tenant text NOT NULL,
  targets text[] NOT NULL CHECK (cardinality(targets) BETWEEN 1 AND 1000),
  is_group boolean NOT NULL DEFAULT false,
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (domain, tenant) REFERENCES domains (name, tenant) ON DELETE CASCADE
);
CREATE INDEX aliases_domain ON aliases (domain, address);
CREATE INDEX aliases_tenant ON aliases (tenant, address);

-- hosts: list of {host, port, protocol, tls, username, sealed}; sealed = AES-256-GCM in base64, opened in delivery only.
CREATE TABLE routes (
  tenant text NOT NULL REFERENCES tenants (name),
  name text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$'),
  hosts jsonb NOT NULL,
  egress_pool text NOT NULL DEFAULT '',
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, name)
);

-- tenant '' = server scope.
CREATE TABLE rules (
  tenant text NOT NULL,
  id text NOT NULL CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
  document jsonb NOT NULL,
  source text NOT NULL,
  priority integer NOT NULL DEFAULT 0,
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, id)
);

-- tenant '' = operator key. Only the hash of the secret is kept.
CREATE TABLE api_keys (
  id text PRIMARY KEY,
  tenant text NOT NULL DEFAULT '',
  role text NOT NULL CHECK (role IN ('operator', 'tenant-admin', 'tenant-reader')),
  secret_hash bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  CHECK ((role = 'operator') = (tenant = ''))
);

-- What has changed and is not published yet: kind snapshot, recipient (key = address) or secret (key = key in SECRETS).
CREATE TABLE outbox (
  id bigserial PRIMARY KEY,
  tenant text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('snapshot', 'recipient', 'secret')),
  key text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE audit (
  id bigserial PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  tenant text NOT NULL,
  actor text NOT NULL,
  role text NOT NULL,
  method text NOT NULL,
  resource text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_tenant ON audit (tenant, id);

CREATE TABLE idempotency (
  tenant text NOT NULL,
  actor text NOT NULL,
  request_id text NOT NULL CHECK (length(request_id) BETWEEN 1 AND 128),
  method text NOT NULL,
  request_hash bytea NOT NULL,
  response bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, actor, request_id)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- The version published last, and settings of the operator that the directory projection depends on. Operator scope only.
CREATE TABLE snapshot_version (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version bigint NOT NULL
);
CREATE TABLE operator_settings (
  name text PRIMARY KEY,
  value text NOT NULL
);

INSERT INTO snapshot_version (version) VALUES (0);
INSERT INTO outbox (tenant, kind) VALUES ('*', 'snapshot');

DO $$
DECLARE
  entry record;
BEGIN
  FOR entry IN
    SELECT * FROM (VALUES
      ('tenants', 'name'), ('domains', 'tenant'), ('users', 'tenant'), ('aliases', 'tenant'), ('routes', 'tenant'),
      ('rules', 'tenant'), ('api_keys', 'tenant'), ('outbox', 'tenant'), ('audit', 'tenant'), ('idempotency', 'tenant')
    ) AS list (table_name, tenant_column)
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', entry.table_name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', entry.table_name);
    EXECUTE format(
      'CREATE POLICY tenant_isolation ON %I USING (%I = current_setting(''app.tenant'', true) OR current_setting(''app.tenant'', true) = ''*'')',
      entry.table_name, entry.tenant_column);
  END LOOP;
  FOR entry IN SELECT * FROM (VALUES ('snapshot_version'), ('operator_settings')) AS list (table_name)
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', entry.table_name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', entry.table_name);
    EXECUTE format('CREATE POLICY operator_only ON %I USING (current_setting(''app.tenant'', true) = ''*'')', entry.table_name);
  END LOOP;
END $$;
