-- What only an administrator's `storage verify` looks at (modes, owners, links without an object) no scrub
-- can find well: it was closed by the next deep look all the same.
ALTER TABLE omoide.found DROP CONSTRAINT found_depth_check;
ALTER TABLE omoide.found ADD CONSTRAINT found_depth_check
  CHECK (depth IN ('shallow', 'deep', 'verify'));
