import { createHash } from "node:crypto";
import type { pg } from "../../src/inbox/pg.ts";
import type { Submitted } from "./expected.ts";
import { sha256Of } from "../support/media.ts";

/** A file that comes in over several statements, each of which commits. */
export class PendingUpload {
  readonly #key = crypto.randomUUID();
  #stored = 0;

  private constructor(
    private readonly bytes: Uint8Array,
    private readonly name: Omit<Submitted, "id" | "size" | "sha256">,
  ) {}

  static async open(
    application: pg.Client,
    bytes: Uint8Array,
    name: Omit<Submitted, "id" | "size" | "sha256">,
  ): Promise<PendingUpload> {
    const upload = new PendingUpload(bytes, name);
    await application.query("SELECT omoide.open_upload($1, $2, $3, $4, $5, $6)", [
      ...[upload.#key, name.ownerUuid, name.itemUuid, name.mediaType, name.ext, bytes.length],
    ]);
    return upload;
  }

  /** Brings the bytes up to here; no fewer than are there already. */
  async bring(application: pg.Client, end: number): Promise<void> {
    const piece = this.bytes.subarray(this.#stored, end);
    if (piece.length === 0) return;
    await application.query("SELECT omoide.append_upload($1, $2, $3, $4, $5)", [
      ...[this.#key, this.name.ownerUuid, this.#stored, piece, new Uint8Array(4)],
    ]);
    this.#stored += piece.length;
  }

  /** Brings the rest. @returns the media that it is from then on, which may be one that was there */
  async finish(application: pg.Client): Promise<Submitted> {
    await this.bring(application, this.bytes.length);
    const { rows } = await application.query<{ media_id: string }>(
      "SELECT media_id FROM omoide.finish_upload($1, $2, $3)",
      [this.#key, this.name.ownerUuid, createHash("sha256").update(this.bytes).digest()],
    );
    return {
      ...this.name,
      id: BigInt(rows[0]?.media_id ?? 0),
      size: this.bytes.length,
      sha256: sha256Of(this.bytes),
    };
  }

  /** As if its time were over. */
  async expire(superuser: pg.Client): Promise<void> {
    await superuser.query("UPDATE omoide.upload SET expires_at = now() WHERE key = $1", [
      this.#key,
    ]);
  }

  async cancel(application: pg.Client): Promise<void> {
    await application.query("SELECT omoide.cancel_upload($1, $2)", [
      this.#key,
      this.name.ownerUuid,
    ]);
  }
}
