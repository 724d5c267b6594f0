-- The tenant's sessions are recorded by policy: opted in by the tenant or the operator.
ALTER TABLE tenants ADD COLUMN records_sessions boolean NOT NULL DEFAULT false;
