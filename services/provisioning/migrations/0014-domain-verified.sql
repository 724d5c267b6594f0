-- When a domain that was added unverified was verified; null = it took mail from the start, or is not verified.
ALTER TABLE domains ADD COLUMN verified_at timestamptz;
