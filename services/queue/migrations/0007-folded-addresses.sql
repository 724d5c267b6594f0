-- Addresses that were written with capital letters, in lower case; '' = written so. Most are, so the indexes are small and cost little to keep; what was recorded
-- before has '' and is found as it was written. Columns of their own, filled by the writer: under row-level security no index serves lower(recipient).
ALTER TABLE mail.recipients ADD COLUMN folded_recipient text NOT NULL DEFAULT '';
CREATE INDEX recipients_folded ON mail.recipients (folded_recipient, queue_id) WHERE folded_recipient <> '';
ALTER TABLE mail.messages ADD COLUMN folded_reverse_path text NOT NULL DEFAULT '';
CREATE INDEX messages_folded_reverse_path ON mail.messages (folded_reverse_path, queue_id) WHERE folded_reverse_path <> '';
ALTER TABLE mail.trace_events ADD COLUMN folded_recipient text NOT NULL DEFAULT '';
ALTER TABLE mail.trace_events ADD COLUMN folded_reverse_path text NOT NULL DEFAULT '';
CREATE INDEX trace_events_folded_recipient ON mail.trace_events (folded_recipient, at) WHERE folded_recipient <> '';
CREATE INDEX trace_events_folded_reverse_path ON mail.trace_events (folded_reverse_path, at) WHERE folded_reverse_path <> '';
