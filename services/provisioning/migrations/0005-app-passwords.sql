-- Passwords made by us for one program of a user: random, so a keyed digest is enough and a login finds its row by it.
CREATE TABLE app_passwords (
  id text PRIMARY KEY,
  address text NOT NULL REFERENCES users (address) ON DELETE CASCADE,
  tenant text NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  digest bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  UNIQUE (address, digest),
  UNIQUE (address, name)
);
CREATE INDEX app_passwords_tenant ON app_passwords (tenant, address);
ALTER TABLE app_passwords ENABLE ROW LEVEL SECURITY;
ALTER TABLE app_passwords FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app_passwords
  USING (tenant = current_setting('app.tenant', true) OR current_setting('app.tenant', true) = '*');
