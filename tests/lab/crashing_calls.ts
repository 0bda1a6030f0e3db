import { type FileCalls, fileCalls } from "../../src/storage/file_calls.ts";

/** The process is dead: whatever it still asks for does not happen. */
export class Crash extends Error {
  override readonly name = "Crash";
}

/** The store's real calls on the file system, until the process dies at one that changes something. */
export class CrashingCalls {
  #left: number;
  /** To be handed to `openStorage`. */
  readonly calls: FileCalls;

  /** @param survives how many changing calls go well before it; Infinity: it never dies */
  constructor(survives: number) {
    this.#left = survives;
    const alive = <A extends unknown[], R>(call: (...args: A) => R) => (...args: A): R => {
      if (this.dead) throw new Crash("the process died");
      return call(...args);
    };
    const change = <A extends unknown[], R>(call: (...args: A) => R) =>
      alive((...args: A): R => {
        this.#left -= 1;
        if (this.dead) throw new Crash("the process died");
        return call(...args);
      });
    this.calls = {
      ...fileCalls,
      openRead: alive(fileCalls.openRead),
      openNew: change(fileCalls.openNew),
      write: change(fileCalls.write),
      syncData: change(fileCalls.syncData),
      sync: change(fileCalls.sync),
      mkdir: change(fileCalls.mkdir),
      link: change(fileCalls.link),
    };
  }

  get dead(): boolean {
    return this.#left < 0;
  }
}
