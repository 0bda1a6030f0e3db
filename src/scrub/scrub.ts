import { EXIT, type ExitCode } from "../exit_codes.ts";
import type { Credentials } from "../inbox/connect.ts";
import { type LookState, ScrubSession } from "../inbox/scrub_session.ts";
import type { Logger } from "../log.ts";
import { retrying } from "../retry.ts";
import { RetryPolicy } from "../retry_policy.ts";
import { listenForSignals } from "../signals.ts";
import { fileCalls } from "../storage/file_calls.ts";
import { requireInbox } from "../storage/identity.ts";
import { requireStorage } from "../storage/open_storage.ts";
import { ReadOnlyTree } from "../storage/scrub/read_only_tree.ts";
import { Wake } from "../wake.ts";
import { lookAgain, lookDeeply } from "./deep_look.ts";
import type { LookContext } from "./look.ts";
import type { ScrubOptions } from "./options.ts";
import { Pace, rateFor } from "./pace.ts";
import { lookShallowly } from "./shallow_look.ts";

const DAY_MS = 86_400_000;
const DEFAULT_CYCLE_S = 30 * 86_400;
/** How often it is asked whether the worker is storing, and what is due. */
const ASK_MS = 10_000;
/** Paced, a small storage is still read at this many bytes, or files, per second. */
const LEAST_BYTES = 1024 * 1024;
const LEAST_FILES = 100;

/** Scrubs one storage until it is asked to stop, or once. A database that is away is waited for. */
export async function runScrub(
  options: ScrubOptions,
  credentials: Credentials,
  log: Logger,
): Promise<ExitCode> {
  const wake = new Wake();
  const stop = listenForSignals(wake);
  const policy = new RetryPolicy(log, !options.once, options.database.hosts.length);
  return await retrying(async (attempt) => {
    const identity = requireStorage(options.root, options.storage, fileCalls);
    using session = await ScrubSession.open(options.database, credentials);
    const taken = await session.take(options.storage, identity.uuid);
    requireInbox(identity, taken);
    attempt.succeeded();
    const tree = new ReadOnlyTree(options.root, identity.format);
    const context = { session, tree, prefixSize: taken.prefixSize, anew: options.once, stop };
    if (options.once) return await lookOnce(context, options, log);
    const cycleMs = (options.cycle ?? taken.cycle ?? DEFAULT_CYCLE_S) * 1000;
    return await new Scrub(context, { rate: options.rate, cycleMs }, log, wake).run();
  }, { ...policy, stop });
}

/** Both looks from their beginning, as fast as it goes, or as `--rate` allows. */
async function lookOnce(
  context: LookContext,
  { rate }: ScrubOptions,
  log: Logger,
): Promise<ExitCode> {
  const { stop } = context;
  const pace = (perSecond: number) =>
    new Pace({ perSecond: () => perSecond, isWorkerStoring: () => false, stop });
  const shallow = await lookShallowly(context, pace(Infinity));
  let deep: number | null = null;
  // Given up for an administrator's `storage verify`, whose findings are not this one's: once more.
  while (shallow !== null && deep === null && !stop.aborted) {
    deep = await lookDeeply(context, pace(rate));
  }
  if (shallow === null || deep === null) return EXIT.INTERRUPTED;
  log.info("looked at every name and every byte: {shallow} and {deep} findings", { shallow, deep });
  return shallow + deep === 0 ? EXIT.OK : EXIT.ATTENTION;
}

interface Schedule {
  /** Bytes per second at the most. */
  readonly rate: number;
  readonly cycleMs: number;
}

/** Looks for ever: at every name once a day, at every byte once a cycle, one look at a time. */
class Scrub {
  #isWorkerStoring = false;
  #askedAt = -Infinity;

  constructor(
    private readonly context: LookContext,
    private readonly schedule: Schedule,
    private readonly log: Logger,
    private readonly wake: Wake,
  ) {}

  async run(): Promise<ExitCode> {
    const { session, stop } = this.context;
    while (!stop.aborted) {
      const { shallow, deep, workerStores } = await session.state();
      // Which calls the wake, too.
      if (stop.aborted) break;
      this.#isWorkerStoring = workerStores;
      const shallowDueAt = dueAt(shallow, this.#shallowMs);
      const deepDueAt = dueAt(deep, this.schedule.cycleMs);
      const now = Date.now();
      // SIGHUP asks for one that is not due.
      if (this.wake.take() || shallowDueAt <= now) {
        await this.#lookShallowly(shallow.startedAt ?? now);
      } else if (deepDueAt <= now) await this.#lookDeeply(deep, shallowDueAt);
      else {
        const dueMs = Math.min(shallowDueAt, deepDueAt) - now;
        await this.wake.wait(Math.min(dueMs, DAY_MS), stop);
        // Woken before the time: by SIGHUP.
        if (!stop.aborted && Date.now() < now + dueMs) await this.#lookShallowly(Date.now());
      }
    }
    return EXIT.OK;
  }

  get #shallowMs(): number {
    return Math.min(DAY_MS, this.schedule.cycleMs);
  }

  /** At every name, in half of the time until the next such look. */
  async #lookShallowly(startedAt: number): Promise<void> {
    const { tree } = this.context;
    const endsAt = startedAt + this.#shallowMs / 2;
    await lookAgain(this.context, this.#pace(() => this.schedule.rate));
    const pace = this.#pace(() =>
      rateFor(2 * tree.used().inodes, 0, endsAt - Date.now(), LEAST_FILES)
    );
    this.#say("every name", await lookShallowly(this.context, pace, () => this.#ask()));
  }

  /** At every byte, as far as it gets before the next shallow look is due, or asked for. */
  async #lookDeeply(state: LookState, shallowDueAt: number): Promise<void> {
    const { tree } = this.context;
    const endsAt = (state.startedAt ?? Date.now()) + this.schedule.cycleMs;
    const pace = this.#pace(() => {
      const rate = rateFor(tree.used().bytes, state.bytes, endsAt - Date.now(), LEAST_BYTES);
      return Math.min(this.schedule.rate, rate);
    });
    const isDue = async () => {
      await this.#ask();
      return this.wake.isCalled || Date.now() >= shallowDueAt;
    };
    this.#say("every byte", await lookDeeply(this.context, pace, isDue));
  }

  /** @param rate units per second; asked anew at times, since the storage and the clock go on */
  #pace(rate: () => number): Pace {
    let perSecond = rate(), ratedAt = performance.now();
    return new Pace({
      perSecond: () => {
        if (performance.now() - ratedAt < ASK_MS) return perSecond;
        ratedAt = performance.now();
        return perSecond = rate();
      },
      isWorkerStoring: () => this.#isWorkerStoring,
      stop: this.context.stop,
    });
  }

  /** Whether the worker is storing, as the inbox knows it. */
  async #ask(): Promise<void> {
    if (performance.now() - this.#askedAt < ASK_MS) return;
    this.#isWorkerStoring = (await this.context.session.state()).workerStores;
    this.#askedAt = performance.now();
  }

  #say(what: string, findings: number | null): void {
    if (findings === null) return;
    const message = `looked at ${what}: {findings} findings`;
    if (findings === 0) this.log.info(message, { findings });
    else this.log.error(`${message}; see \`inbox status\``, { findings });
  }
}

/** When a look is to begin, or to go on: one that is under way at once. Milliseconds since the epoch. */
function dueAt({ startedAt, lastStartedAt }: LookState, everyMs: number): number {
  if (startedAt !== null || lastStartedAt === null) return 0;
  return lastStartedAt + everyMs;
}
