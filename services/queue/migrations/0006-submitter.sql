-- Who submits a message sees that it was taken, also where all its recipients are of other tenants; its units and steps stay theirs. A policy instead of
-- another name in `tenants`: it holds for what was recorded before too. Mail that nobody here submits has '' there, which is no tenant.
CREATE POLICY tenant_submits ON mail.messages FOR SELECT
  USING (detail ->> 'submittingTenant' <> '' AND detail ->> 'submittingTenant' = current_setting('app.tenant', true));
