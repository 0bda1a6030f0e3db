import type { ScrubSession } from "../inbox/scrub_session.ts";
import type { Depth, Finding } from "../finding.ts";

/** How often the inbox is told how far a look is. What is lost by a restart is read again. */
const SAY_MS = 10_000;

/** A look that is under way: what it has seen, what it has reported, and where it goes on after a restart. */
export class LookProgress {
  files: number;
  bytes: number;
  position: string | null;
  #saidAt = performance.now();

  private constructor(
    private readonly session: ScrubSession,
    readonly depth: Depth,
    readonly startedAt: number,
    state: { readonly files: number; readonly bytes: number; readonly position: string | null },
  ) {
    this.files = state.files;
    this.bytes = state.bytes;
    this.position = state.position;
  }

  /** Goes on with the look that the inbox has under way, or begins one. */
  static async open(session: ScrubSession, depth: Depth): Promise<LookProgress> {
    const state = (await session.state())[depth];
    if (state.startedAt !== null) return new LookProgress(session, depth, state.startedAt, state);
    await session.begin(depth);
    return new LookProgress(session, depth, Date.now(), { files: 0, bytes: 0, position: null });
  }

  /** Everything up to `position` has been looked at. */
  async reached(position: string, findings: readonly Finding[]): Promise<void> {
    await this.session.report(this.depth, findings);
    this.position = position;
    // At once after a finding: it must not be counted a second time.
    if (findings.length > 0 || performance.now() - this.#saidAt >= SAY_MS) await this.say();
  }

  /** Tells the inbox how far it is. */
  async say(): Promise<void> {
    if (this.position === null) return;
    await this.session.advance(this.depth, this.position, this.files, this.bytes);
    this.#saidAt = performance.now();
  }

  /** @returns how many findings the look had */
  async finish(): Promise<number> {
    return await this.session.finish(this.depth, this.files, this.bytes);
  }
}
