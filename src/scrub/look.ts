import type { Depth, Finding } from "../finding.ts";
import type { ScrubSession } from "../inbox/scrub_session.ts";
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

/** A look that is under way: what it has seen, what it has reported, and where it goes on after a restart. */
export class LookProgress {
  files: number;
  bytes: number;
  position: string | null;
  #saidAt = performance.now();

  private constructor(
    private readonly context: LookContext,
    readonly depth: Depth,
    state: { readonly files: number; readonly bytes: number; readonly position: string | null },
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
   * Keeps what was found.
   *
   * @throws {StorageLostError} all of it may be because the disk is not there
   */
  async found(findings: readonly Finding[]): Promise<void> {
    if (findings.length === 0) return;
    this.context.tree.requireThere();
    await this.context.session.report(this.depth, findings);
  }

  /** Everything up to `position` has been looked at. Errors as `found`. */
  async reached(position: string, findings: readonly Finding[]): Promise<void> {
    await this.found(findings);
    this.position = position;
    // At once after a finding: it must not be counted a second time.
    if (findings.length > 0 || performance.now() - this.#saidAt >= SAY_MS) await this.say();
  }

  /** Tells the inbox how far it is. */
  async say(): Promise<void> {
    if (this.position === null) return;
    await this.context.session.advance(this.depth, this.position, this.files, this.bytes);
    this.#saidAt = performance.now();
  }

  /** @returns how many findings the look had. Errors as `found` */
  async finish(): Promise<number> {
    this.context.tree.requireThere();
    return await this.context.session.finish(this.depth, this.files, this.bytes);
  }
}
