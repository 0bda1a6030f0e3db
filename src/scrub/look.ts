import type { Depth, Finding } from "../finding.ts";
import type { Reached, ScrubSession } from "../inbox/scrub_session.ts";
import type { ReadOnlyTree } from "../storage/scrub/read_only_tree.ts";

/** What a look asks of the inbox, and tells it. */
export type ScrubInbox = Omit<ScrubSession, "take" | typeof Symbol.dispose>;

/** What a look works with. */
export interface LookContext {
  readonly session: ScrubInbox;
  readonly tree: ReadOnlyTree;
  readonly prefixSize: number;
  /** Whether a look that is under way is forgotten: who asks for a look at everything means now. */
  readonly anew: boolean;
  readonly stop: AbortSignal;
}

/** How often the inbox is told how far a look is. What is lost by a restart is read again. */
const SAY_MS = 10_000;

/**
 * Bytes of a position that the inbox takes. Only two hostile names in a row are longer, whose bytes are no
 * UTF-8; after a restart their directory is looked at again.
 */
const MAX_POSITION = 1024;

const encoder = new TextEncoder();

/** A look that is under way: what it has seen, what it has reported, and where it goes on after a restart. */
export class LookProgress implements Reached {
  files: number;
  bytes: number;
  position: string | null;
  #saidAt = performance.now();

  private constructor(
    private readonly context: LookContext,
    readonly depth: Depth,
    state: Reached,
  ) {
    this.files = state.files;
    this.bytes = state.bytes;
    this.position = state.position;
  }

  /** Goes on with the look that the inbox has under way, or begins one. */
  static async open(context: LookContext, depth: Depth): Promise<LookProgress> {
    const { session, anew } = context;
    const state = (await session.state())[depth];
    if (state.startedAt !== null && !anew) return new LookProgress(context, depth, state);
    await session.begin(depth);
    return new LookProgress(context, depth, { files: 0, bytes: 0, position: null });
  }

  /**
   * Everything up to `position` has been looked at. What was found is kept, together with the place: it is
   * neither found nor counted a second time, whenever the scrub dies.
   *
   * @throws {StorageLostError} all of it may be because the disk is not there
   */
  async reached(position: string, findings: readonly Finding[]): Promise<void> {
    if (encoder.encode(position).length <= MAX_POSITION) this.position = position;
    if (findings.length > 0) {
      this.context.tree.requireThere();
      await this.context.session.report(this.depth, findings, this);
      this.#saidAt = performance.now();
    } else if (performance.now() - this.#saidAt >= SAY_MS) await this.say();
  }

  /** Tells the inbox how far it is. */
  async say(): Promise<void> {
    if (this.position === null) return;
    await this.context.session.advance(this.depth, this);
    this.#saidAt = performance.now();
  }

  /**
   * @returns how many findings the look had; null if it came to no end of its own, since an administrator's
   *   `storage verify --database` has read everything meanwhile. Errors as `reached`
   */
  async finish(): Promise<number | null> {
    this.context.tree.requireThere();
    return await this.context.session.finish(this.depth, this.files, this.bytes);
  }
}
