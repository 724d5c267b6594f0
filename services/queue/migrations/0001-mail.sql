-- Schema `mail`: what waits, what became of every recipient, the ledger, message trace. Owned by the queue service.
-- Every table with a tenant is under FORCEd row-level security: without `app.tenant` a connection sees nothing; '*' is the service itself.
-- All times are milliseconds since the epoch. Ids are ULIDs, compared bytewise, so that age is a range of the key.

CREATE TABLE mail.messages (
  queue_id text COLLATE "C" PRIMARY KEY,
  tenants text[] NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  parent text COLLATE "C" NOT NULL DEFAULT '',
  reverse_path text NOT NULL,
  accepted_at bigint NOT NULL,
  size bigint NOT NULL,
  unjudged boolean NOT NULL DEFAULT false,
  detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX messages_session ON mail.messages (session_id);
CREATE INDEX messages_reverse_path ON mail.messages (reverse_path, queue_id);

-- One row per unit of the ledger. `unit_kind` is null until the unit's creation was recorded (an outcome may overtake it).
CREATE TABLE mail.recipients (
  queue_id text COLLATE "C" NOT NULL,
  recipient text NOT NULL,
  tenant text NOT NULL,
  unit_kind text CHECK (unit_kind IN ('accepted', 'expanded', 'generated')),
  state text NOT NULL CHECK (state IN ('open', 'delivered', 'bounced', 'expired', 'discarded', 'deleted', 'merged', 'replaced')),
  attempts integer NOT NULL DEFAULT 0,
  reply text NOT NULL DEFAULT '',
  at bigint NOT NULL,
  parent text NOT NULL DEFAULT '',
  -- A row in `waiting` was made for it at some time.
  waited boolean NOT NULL DEFAULT false,
  PRIMARY KEY (queue_id, recipient)
) WITH (fillfactor = 85);
CREATE INDEX recipients_address ON mail.recipients (recipient, queue_id);
CREATE INDEX recipients_open ON mail.recipients (queue_id) WHERE state = 'open';

-- What waits. `attempt` is the last one put into WORK, `out` says that its outcome is not known yet.
CREATE TABLE mail.waiting (
  queue_id text COLLATE "C" NOT NULL,
  recipient text NOT NULL,
  tenant text NOT NULL,
  lane text NOT NULL,
  egress_pool text NOT NULL,
  state text NOT NULL CHECK (state IN ('ready', 'deferred', 'held', 'quarantined', 'dispatched')),
  due_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  accepted_at bigint NOT NULL,
  attempt integer NOT NULL,
  out boolean NOT NULL DEFAULT false,
  grp bigint NOT NULL,
  item bytea NOT NULL,
  body_id text COLLATE "C" NOT NULL,
  reverse_path text NOT NULL,
  domain text NOT NULL,
  size bigint NOT NULL,
  last_reply text NOT NULL DEFAULT '',
  -- The last failure was of the destination, not of this recipient.
  site_failure boolean NOT NULL DEFAULT false,
  delay_notified boolean NOT NULL DEFAULT false,
  updated_at bigint NOT NULL,
  PRIMARY KEY (queue_id, recipient)
) WITH (fillfactor = 85);
CREATE INDEX waiting_due ON mail.waiting (tenant, lane, due_at) WHERE state IN ('ready', 'deferred');
CREATE INDEX waiting_expiry ON mail.waiting (expires_at) WHERE state <> 'dispatched';
CREATE INDEX waiting_tenant ON mail.waiting (tenant, queue_id, recipient);

-- Bodies in BODIES that belong to a message; removed when all its units are closed.
CREATE TABLE mail.bodies (
  body_id text COLLATE "C" PRIMARY KEY,
  queue_id text COLLATE "C" NOT NULL
);
CREATE INDEX bodies_queue_id ON mail.bodies (queue_id);

-- Reports still to be made: written with the outcome that asks for them, removed when the report is in WORK.
CREATE TABLE mail.notices (
  notice_id text COLLATE "C" PRIMARY KEY,
  queue_id text COLLATE "C" NOT NULL,
  tenant text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('failure', 'delay', 'success')),
  outcome bytea NOT NULL,
  at bigint NOT NULL
);
CREATE INDEX notices_queue_id ON mail.notices (queue_id);

-- Counters of created and closed units. Sharded, so that pods do not wait for each other's commit.
CREATE TABLE mail.ledger (
  tenant text NOT NULL,
  term text NOT NULL,
  shard smallint NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (tenant, term, shard)
) WITH (fillfactor = 50);

-- Events of sessions and messages, one partition a day, dropped by age.
CREATE TABLE mail.trace_events (
  at bigint NOT NULL,
  event text NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  queue_id text COLLATE "C" NOT NULL,
  tenant text NOT NULL,
  reverse_path text NOT NULL,
  recipient text NOT NULL,
  reply text NOT NULL,
  detail jsonb
) PARTITION BY RANGE (at);
-- What no day's partition takes: late events, and everything while partitions could not be made.
CREATE TABLE mail.trace_events_other PARTITION OF mail.trace_events DEFAULT;
CREATE INDEX trace_events_queue_id ON mail.trace_events (queue_id) WHERE queue_id <> '';
CREATE INDEX trace_events_session ON mail.trace_events (session_id) WHERE session_id <> '';
CREATE INDEX trace_events_recipient ON mail.trace_events (recipient, at) WHERE queue_id = '' AND recipient <> '';
CREATE INDEX trace_events_reverse_path ON mail.trace_events (reverse_path, at) WHERE queue_id = '' AND reverse_path <> '';

-- Queue pods alive: outcomes spread over them.
CREATE UNLOGGED TABLE mail.pods (
  name text PRIMARY KEY,
  seen_at bigint NOT NULL
);

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['recipients', 'waiting', 'notices', 'ledger', 'trace_events'] LOOP
    EXECUTE format('ALTER TABLE mail.%I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE mail.%I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format(
      'CREATE POLICY tenant_scope ON mail.%I USING (tenant = current_setting(''app.tenant'', true) OR current_setting(''app.tenant'', true) = ''*'')', t);
  END LOOP;
  ALTER TABLE mail.messages ENABLE ROW LEVEL SECURITY;
  ALTER TABLE mail.messages FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant_scope ON mail.messages
    USING (current_setting('app.tenant', true) = ANY (tenants) OR current_setting('app.tenant', true) = '*');
  ALTER TABLE mail.bodies ENABLE ROW LEVEL SECURITY;
  ALTER TABLE mail.bodies FORCE ROW LEVEL SECURITY;
  CREATE POLICY service_only ON mail.bodies USING (current_setting('app.tenant', true) = '*');
END $$;
