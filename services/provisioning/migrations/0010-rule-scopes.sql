-- Rules of a tenant (scope ''), of a domain (its name) or of a user (its address). Ids are unique within the scope.
ALTER TABLE rules ADD COLUMN scope text NOT NULL DEFAULT '' CHECK (length(scope) <= 320);
ALTER TABLE rules DROP CONSTRAINT rules_pkey;
ALTER TABLE rules ADD PRIMARY KEY (tenant, scope, id);
