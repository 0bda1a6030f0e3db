-- Lanes: parts of what is owed to one storage, carried by different workers at the same time. A media belongs
-- to the lane that its id has modulo their number.

ALTER TABLE omoide.storage ADD COLUMN lanes smallint NOT NULL DEFAULT 1 CHECK (lanes BETWEEN 1 AND 64);

-- One row for each lane: the worker that has it, or had it last. What a worker says of itself is in the row of
-- each lane that it has.
ALTER TABLE omoide.worker
  ADD COLUMN lane smallint NOT NULL DEFAULT 0,
  -- How many there were when this one was taken: other rows are of a time before.
  ADD COLUMN lanes smallint NOT NULL DEFAULT 1,
  -- A process that has lost its connection and comes back has not died.
  ADD COLUMN process uuid,
  ADD COLUMN client inet,
  ADD CHECK (lane >= 0 AND lane < lanes),
  DROP CONSTRAINT worker_pkey,
  ADD PRIMARY KEY (storage_id, lane);

-- Numbers the sessions that took a storage, of all storages: worker.life.
CREATE SEQUENCE omoide.worker_life;
SELECT setval('omoide.worker_life', (SELECT coalesce(max(w.life), 0) + 1 FROM omoide.worker w));

-- These have other arguments or columns now.
DROP FUNCTION IF EXISTS
  omoide.take_storage(int, text, uuid),
  omoide.check_storage(int, text, uuid),
  omoide.pending(bigint, int),
  omoide.start_attempt(bigint[]),
  omoide.cancel_attempt(bigint[]),
  omoide.heartbeat(text, timestamptz, text, text, bigint, bigint, bigint, bigint, bigint, bigint, text),
  omoide.sweep(),
  omoide.fall_asleep(),
  omoide.stay_awake();
