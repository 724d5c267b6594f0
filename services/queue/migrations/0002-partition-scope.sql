-- A partition named directly is judged by its own policies, not by those of its parent: each gets the same.
DO $$
DECLARE part regclass;
BEGIN
  FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'mail.trace_events'::regclass LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', part);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', part);
    EXECUTE format(
      'CREATE POLICY tenant_scope ON %s USING (tenant = current_setting(''app.tenant'', true) OR current_setting(''app.tenant'', true) = ''*'')', part);
  END LOOP;
END $$;
