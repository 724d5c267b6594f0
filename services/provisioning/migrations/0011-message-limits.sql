-- What a tenant may submit per interval (set by operators), and what each of its users may (set by the tenant). Null = not said.
ALTER TABLE tenants ADD COLUMN message_limit jsonb, ADD COLUMN user_message_limit jsonb;
