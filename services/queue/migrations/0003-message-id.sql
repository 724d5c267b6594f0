-- Message-ID by which people ask where their mail is; messages of before have none.
ALTER TABLE mail.messages ADD COLUMN message_id text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX messages_message_id ON mail.messages (message_id) WHERE message_id <> '';
