-- Passwords of users who asked for a challenge mechanism that needs them (CRAM-MD5, DIGEST-MD5): sealed with AES-256-GCM under the tenant's data key.
ALTER TABLE users
  ADD recoverable boolean NOT NULL DEFAULT false,
  ADD recoverable_password bytea,
  ADD CHECK (recoverable OR recoverable_password IS NULL);
