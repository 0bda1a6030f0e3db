-- Owners of whom nothing is taken any more: their files move to another inbox. Written by `owner freeze`.
CREATE TABLE omoide.frozen (
  owner_uuid uuid PRIMARY KEY,
  frozen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
