-- What a tenant (scope ''), a domain (its name) or a user (its address) sets differently for checks. document: only what differs.
CREATE TABLE check_settings (
  tenant text NOT NULL REFERENCES tenants (name),
  scope text NOT NULL DEFAULT '' CHECK (length(scope) <= 320),
  document jsonb NOT NULL,
  source text NOT NULL,
  version bigint NOT NULL DEFAULT 1,
  PRIMARY KEY (tenant, scope)
);
ALTER TABLE check_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE check_settings FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON check_settings
  USING (tenant = current_setting('app.tenant', true) OR current_setting('app.tenant', true) = '*');
