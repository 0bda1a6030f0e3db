-- A cluster's roles are one namespace for all its databases: the roles of an inbox with a name carry it, so
-- that several inboxes can be in one cluster. The inboxes of before have none, and keep their roles.
ALTER TABLE omoide.settings
  -- Never changed: workers log in by it. 18, so that no role is longer than the 63 bytes that a name has.
  ADD COLUMN inbox_name text NOT NULL DEFAULT ''
    CHECK (inbox_name = '' OR inbox_name ~ '^[a-z][a-z0-9]{0,17}$');

-- omoide_hot_scrub would be two roles: a scrub's, and the worker's of a storage `scrub` in an inbox `hot`.
ALTER TABLE omoide.storage
  DROP CONSTRAINT storage_check,
  ADD CONSTRAINT storage_role_check CHECK (
    role = 'omoide_' || name
    OR (name <> 'scrub' AND role ~ ('^omoide_[a-z][a-z0-9]{0,17}_' || name || '$'))
  );
