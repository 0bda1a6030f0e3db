-- The application's functions. It can add, and ask where an item's files stand; nothing else.
--
-- In all of this schema: what a role may call is SECURITY DEFINER, qualifies every name and pins
-- search_path, with pg_temp last. The internal ones run only inside those, so they don't pin it again
-- (each SET clause costs a few µs per call). Those of a hot path return true, to be called in an assignment:
-- an expression costs a fifth of what a PERFORM does.

-- Refuses a media that cannot become a path. Internal.
CREATE FUNCTION omoide.check_description(p_owner uuid, p_item uuid, p_media_type text, p_ext text)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_wrong text;
BEGIN
  -- The two UUIDs name accounts of the ledger.
  IF p_owner IS NULL OR p_owner IN (
    '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'
  ) THEN
    v_wrong := format('owner is %s; give the owner''s UUID', coalesce(p_owner::text, 'null'));
  ELSIF p_item IS NULL THEN
    v_wrong := 'item is null; give the item''s UUID';
  ELSIF p_media_type IS NULL OR p_media_type NOT IN ('content', 'preview', 'thumbnail') THEN
    v_wrong := format('media_type is %s; it must be content, preview or thumbnail',
      coalesce(quote_literal(left(p_media_type, 40)), 'null'));
  ELSIF p_ext IS NULL OR p_ext !~ '^[A-Za-z0-9]{1,16}$' THEN
    v_wrong := format('ext is %s; it must be 1 to 16 letters or digits, without the dot',
      coalesce(quote_literal(left(p_ext, 40)), 'null'));
  ELSE
    RETURN true;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'OM010', MESSAGE = v_wrong, HINT = 'Nothing was stored.';
END $$;

-- What sealing does beside describing the media: charge, owe, notify. Internal.
CREATE FUNCTION omoide.owe(p_id bigint, p_owner uuid, p_size bigint, p_limit omoide.settings)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_done boolean;
BEGIN
  v_done := omoide.charge(p_owner, p_size, p_limit);
  -- A storage that is registered meanwhile gets its delivery from sweep().
  INSERT INTO omoide.delivery (storage_id, media_id)
  SELECT s.id, p_id FROM omoide.storage s WHERE s.retired_at IS NULL;
  -- A role may have made this its own default, and a later session would be told "committed" of an upload
  -- that a crash takes back. Raised only, never lowered: remote_apply stays.
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  PERFORM pg_notify('omoide_sealed', '');
  RETURN true;
END $$;

CREATE FUNCTION omoide.open_media(p_owner uuid, p_item uuid, p_media_type text, p_ext text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_limit omoide.settings;
  v_fit boolean;
  v_id bigint;
BEGIN
  v_fit := omoide.check_description(p_owner, p_item, p_media_type, p_ext);
  SELECT * INTO STRICT v_limit FROM omoide.settings;
  v_fit := omoide.check_room(0, 0, v_limit);
  INSERT INTO omoide.media (owner_uuid, item_uuid, media_type, ext)
  VALUES (p_owner, p_item, p_media_type, p_ext) RETURNING id INTO v_id;
  RETURN v_id;
END $$;

-- Sees only what this very transaction opened: an unsealed media is never committed.
CREATE FUNCTION omoide.append_chunk(p_media_id bigint, p_seq int, p_bytes bytea)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_limit omoide.settings;
  v_fit boolean;
  v_wrong text;
BEGIN
  IF NOT EXISTS (SELECT FROM omoide.media m WHERE m.id = p_media_id AND m.sealed_at IS NULL) THEN
    v_wrong := format('media %s is not open in this transaction',
      coalesce(p_media_id::text, 'null'));
  ELSIF p_seq IS NULL OR p_seq < 0 THEN
    v_wrong := format('chunk %s: seq counts from 0', coalesce(p_seq::text, 'null'));
  ELSIF p_bytes IS NULL OR octet_length(p_bytes) NOT BETWEEN 1 AND 262144 THEN
    v_wrong := format('chunk %s has %s bytes; each has 262144, only the last may be shorter',
      p_seq, coalesce(octet_length(p_bytes)::text, 'no'));
  ELSE
    SELECT * INTO STRICT v_limit FROM omoide.settings;
    v_fit := omoide.check_room(
      p_seq * 262144::bigint + octet_length(p_bytes), octet_length(p_bytes), v_limit
    );
    INSERT INTO omoide.media_chunk (media_id, seq, bytes) VALUES (p_media_id, p_seq, p_bytes)
    ON CONFLICT DO NOTHING;
    IF FOUND THEN RETURN; END IF;
    v_wrong := format('chunk %s of media %s was appended already', p_seq, p_media_id);
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'OM011', MESSAGE = v_wrong, HINT = 'Nothing was stored.';
END $$;

-- Says what is missing before a media can be sealed, or null. Internal.
-- Lengths come from the TOAST pointers, the bytes are not read.
CREATE FUNCTION omoide.unfit_to_seal(p_media_id bigint, p_size bigint, p_sha256 bytea)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_chunks bigint;
  v_last int;
  v_bytes bigint;
  v_short int;
BEGIN
  IF p_size IS NULL OR p_size < 0 THEN
    RETURN format('size is %s', coalesce(p_size::text, 'null'));
  ELSIF p_sha256 IS NULL OR octet_length(p_sha256) <> 32 THEN
    RETURN format('sha256 has %s bytes, not 32', coalesce(octet_length(p_sha256)::text, 'no'));
  END IF;
  SELECT count(*), coalesce(max(c.seq), -1), coalesce(sum(octet_length(c.bytes)), 0),
    min(c.seq) FILTER (WHERE octet_length(c.bytes) <> 262144)
  INTO v_chunks, v_last, v_bytes, v_short
  FROM omoide.media_chunk c WHERE c.media_id = p_media_id;
  IF v_chunks <> v_last + 1 THEN
    RETURN format('%s chunks, but the last is number %s: at least one is missing',
      v_chunks, v_last);
  ELSIF v_short < v_last THEN
    RETURN format('chunk %s is shorter than 262144 bytes and not the last', v_short);
  ELSIF v_bytes <> p_size THEN
    RETURN format('the chunks have %s bytes, not %s', v_bytes, p_size);
  END IF;
  -- The checksum of what is in one chunk costs less than 1 ms; of 1 GiB it would cost seconds, and the
  -- worker checks every byte anyway. So a small media's wrong checksum is told at once.
  IF v_chunks <= 1 AND p_sha256 <> coalesce(
    (SELECT sha256(c.bytes) FROM omoide.media_chunk c WHERE c.media_id = p_media_id), sha256('')
  ) THEN
    RETURN 'the chunks have another sha256';
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION omoide.seal_media(p_media_id bigint, p_size bigint, p_sha256 bytea)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_media omoide.media;
  v_limit omoide.settings;
  v_fit boolean;
  v_wrong text;
  v_holder bytea;
BEGIN
  SELECT * INTO v_media FROM omoide.media m WHERE m.id = p_media_id;
  IF NOT FOUND THEN
    v_wrong := 'it is not open in this transaction';
  ELSIF v_media.sealed_at IS NOT NULL THEN
    v_wrong := 'it is sealed already';
  ELSE
    v_wrong := omoide.unfit_to_seal(p_media_id, p_size, p_sha256);
  END IF;
  IF v_wrong IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'OM011',
      MESSAGE = format('cannot seal media %s: %s', coalesce(p_media_id::text, 'null'), v_wrong),
      HINT = 'Nothing was stored.';
  END IF;
  SELECT * INTO STRICT v_limit FROM omoide.settings;
  v_fit := omoide.check_room(p_size, 0, v_limit);
  BEGIN
    UPDATE omoide.media m
    SET size = p_size, sha256 = p_sha256, sealed_at = now(), holds_name = true,
      public_name = m.item_uuid::text || '.' || m.ext
    WHERE m.id = p_media_id;
  EXCEPTION WHEN unique_violation THEN
    v_holder := omoide.name_holder(
      v_media.owner_uuid, v_media.item_uuid, v_media.media_type, v_media.ext
    );
    UPDATE omoide.media m
    SET size = p_size, sha256 = p_sha256, sealed_at = now(),
      public_name = omoide.public_name(m.item_uuid, m.ext, p_sha256, v_holder)
    WHERE m.id = p_media_id;
  END;
  v_fit := omoide.owe(p_media_id, v_media.owner_uuid, p_size, v_limit);
END $$;

-- The checksum of the media to which the usual name belongs. Internal.
CREATE FUNCTION omoide.name_holder(p_owner uuid, p_item uuid, p_media_type text, p_ext text)
RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
  v_sha256 bytea;
BEGIN
  SELECT m.sha256 INTO v_sha256 FROM omoide.media m
  WHERE m.owner_uuid = p_owner AND m.item_uuid = p_item AND m.media_type = p_media_type
    AND m.ext = p_ext AND m.holds_name;
  IF NOT FOUND THEN
    -- It was committed after this transaction's snapshot was taken.
    RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
      MESSAGE = 'another transaction has sealed a media of this item meanwhile',
      HINT = 'Try the transaction again.';
  END IF;
  RETURN v_sha256;
END $$;

-- Two media of one item and ext share the usual name only with the same bytes. Internal.
CREATE FUNCTION omoide.public_name(p_item uuid, p_ext text, p_sha256 bytea, p_holder bytea)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_sha256 = p_holder THEN p_item::text || '.' || p_ext
    ELSE p_item::text || '~' || encode(p_sha256, 'hex') || '.' || p_ext END
$$;

CREATE FUNCTION omoide.submit_media(
  p_owner uuid, p_item uuid, p_media_type text, p_ext text, p_content bytea
)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_size constant bigint := octet_length(p_content);
  v_limit omoide.settings;
  v_fit boolean;
  v_sha256 bytea;
  v_id bigint;
BEGIN
  v_fit := omoide.check_description(p_owner, p_item, p_media_type, p_ext);
  IF p_content IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'OM010', MESSAGE = 'content is null; an empty one is allowed',
      HINT = 'Nothing was stored.';
  END IF;
  SELECT * INTO STRICT v_limit FROM omoide.settings;
  v_fit := omoide.check_room(v_size, v_size, v_limit);
  v_sha256 := sha256(p_content);
  -- ON CONFLICT and not an exception block as in seal_media: a subtransaction for each submit.
  INSERT INTO omoide.media
    (owner_uuid, item_uuid, media_type, ext, size, sha256, sealed_at, holds_name, public_name)
  VALUES
    (p_owner, p_item, p_media_type, p_ext, v_size, v_sha256, now(), true, p_item::text || '.' || p_ext)
  ON CONFLICT (owner_uuid, item_uuid, media_type, ext) WHERE holds_name DO NOTHING
  RETURNING id INTO v_id;
  IF NOT FOUND THEN
    INSERT INTO omoide.media
      (owner_uuid, item_uuid, media_type, ext, size, sha256, sealed_at, public_name)
    VALUES
      (p_owner, p_item, p_media_type, p_ext, v_size, v_sha256, now(),
        omoide.public_name(p_item, p_ext, v_sha256,
          omoide.name_holder(p_owner, p_item, p_media_type, p_ext)))
    RETURNING id INTO v_id;
  END IF;
  IF v_size BETWEEN 1 AND 262144 THEN
    INSERT INTO omoide.media_chunk (media_id, seq, bytes) VALUES (v_id, 0, p_content);
  ELSE
    INSERT INTO omoide.media_chunk (media_id, seq, bytes)
    SELECT v_id, n, substring(p_content FROM n * 262144 + 1 FOR 262144)
    FROM generate_series(0, ((v_size + 262143) / 262144)::int - 1) AS n;
  END IF;
  v_fit := omoide.owe(v_id, p_owner, v_size, v_limit);
  RETURN v_id;
END $$;

-- Where each file of an item stands. Earliest first, so that nobody shadows what was there, and no more
-- than 1,000, so that nobody makes it long.
CREATE FUNCTION omoide.find_media(p_owner uuid, p_item uuid)
RETURNS TABLE (
  media_id bigint, media_type text, ext text, public_name text, size bigint, sha256 bytea,
  sealed_at timestamptz, released_at timestamptz, stored_in text[], owed_to text[]
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT m.id, m.media_type, m.ext, m.public_name, m.size, m.sha256, m.sealed_at, m.released_at,
    array(
      SELECT s.name FROM omoide.storage s JOIN omoide.stored r ON r.storage_id = s.id
      WHERE r.media_id = m.id ORDER BY s.name
    ),
    array(
      SELECT s.name FROM omoide.storage s JOIN omoide.delivery d ON d.storage_id = s.id
      WHERE d.media_id = m.id ORDER BY s.name
    )
  FROM (
    SELECT * FROM omoide.media a
    WHERE a.owner_uuid = p_owner AND a.item_uuid = p_item AND a.holds_name
    UNION ALL
    SELECT * FROM omoide.media b
    WHERE b.owner_uuid = p_owner AND b.item_uuid = p_item AND NOT b.holds_name
  ) m
  WHERE m.sealed_at IS NOT NULL ORDER BY m.id LIMIT 1000
$$;

-- SECURITY DEFINER: before PostgreSQL 18 a deferred trigger runs as whoever commits, who may not read
-- media.
CREATE FUNCTION omoide.refuse_unsealed()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM omoide.media m WHERE m.id = NEW.id AND m.sealed_at IS NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'OM012',
      MESSAGE = format('media %s was opened and not sealed', NEW.id),
      HINT = 'Nothing of this transaction was stored. Call seal_media before it commits.';
  END IF;
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER media_is_sealed AFTER INSERT ON omoide.media
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.sealed_at IS NULL)
  EXECUTE FUNCTION omoide.refuse_unsealed();
