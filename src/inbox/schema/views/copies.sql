-- In how many trusted storages the media are that have left the inbox. One row, one pass over all that was
-- ever stored.
CREATE OR REPLACE VIEW omoide.copies AS
SELECT c.gone, c.under_replicated, c.incomplete FROM omoide.count_copies() c;
