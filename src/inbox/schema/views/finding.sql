-- What looks have found wrong, open and closed. Paths are the tree's: escape them before showing them.
CREATE OR REPLACE VIEW omoide.finding AS
SELECT s.name AS storage, f.kind, f.path, f.found_at, f.closed_at, f.seen_at, f.detail
FROM omoide.found f JOIN omoide.storage s ON s.id = f.storage_id;
