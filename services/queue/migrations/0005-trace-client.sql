-- The client's address by which people ask what became of its sessions and messages; what was recorded before has none. Columns of their own: under row-level
-- security an index serves text that is compared, not text that is taken out of jsonb first.
ALTER TABLE mail.messages ADD COLUMN client_address text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX messages_client ON mail.messages (client_address, queue_id) WHERE client_address <> '';
ALTER TABLE mail.trace_events ADD COLUMN client_address text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX trace_events_client ON mail.trace_events (client_address, at) WHERE queue_id = '' AND client_address <> '';
CREATE INDEX trace_events_refused_client ON mail.trace_events (client_address, at)
  WHERE event = 'edge.message.rejected' AND client_address <> '';
