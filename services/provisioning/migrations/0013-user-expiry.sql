-- From when on a user no longer logs in; null = never. It still receives.
ALTER TABLE users ADD COLUMN expires_at timestamptz;
