-- Refusals after DATA have a queue id and never a message: found by address like those before it. Refused logins: by who tried.
CREATE INDEX trace_events_refused_recipient ON mail.trace_events (recipient, at)
  WHERE event = 'edge.message.rejected' AND recipient <> '';
CREATE INDEX trace_events_refused_reverse_path ON mail.trace_events (reverse_path, at)
  WHERE event = 'edge.message.rejected' AND reverse_path <> '';
CREATE INDEX trace_events_refused_login ON mail.trace_events ((detail ->> 'user'), at)
  WHERE event IN ('edge.login.refused', 'edge.login.unavailable');
