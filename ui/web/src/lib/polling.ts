/** Asks again and again, never twice at a time. No DOM and no clock of its own, so that tests can say what time it is. */

import { Failed, type Failure } from './fetching';

export interface Timers {
  now(): number;
  later(ms: number, run: () => void): () => void;
}

export interface Told<T> {
  value(value: T): void;
  failure(failure: Failure): void;
  busy(busy: boolean): void;
}

type Ask<T> = (signal: AbortSignal) => Promise<T>;

/** Time between the beginnings of two questions while the server fails: 1, 2, 4, 8, 8 … s. */
const BACK_OFF_MS_MAX = 8000;

/**
 * One question that goes on: asked at once, then every `every` ms (never again if `undefined`).
 *
 * A question that takes long is asked less often: at least as long as it took passes before the next one, so that a page never
 * keeps the store busier than half the time. A failure that may pass is asked again, one that lies in the question is not. What
 * goes on for hours outlives mistakes of the server, too.
 */
export class Polling<T> {
  #ask: Ask<T> | undefined;
  #every: number | undefined;
  #running: { abort: AbortController; ask: Ask<T> } | undefined;
  #cancel: (() => void) | undefined;
  #failures = 0;

  constructor(
    private readonly told: Told<T>,
    private readonly timers: Timers,
  ) {}

  /**
   * Asks this from now on. With `finish`, a question that is under way may bring its answer first, so that whoever drags sees
   * frames while dragging; without, it is dropped.
   */
  ask(ask: Ask<T>, every: number | undefined, finish = false): void {
    this.#ask = ask;
    this.#every = every;
    this.#failures = 0;
    if (this.#running && finish) return;
    this.#drop();
    void this.#begin();
  }

  /** Asks nothing any more. */
  stop(): void {
    this.#ask = undefined;
    this.#drop();
    this.told.busy(false);
  }

  #drop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#running?.abort.abort();
    this.#running = undefined;
  }

  async #begin(): Promise<void> {
    const ask = this.#ask;
    if (!ask) return;
    this.#cancel = undefined;
    const running = { abort: new AbortController(), ask };
    this.#running = running;
    const began = this.timers.now();
    this.told.busy(true);
    const wait = await this.#outcome(running, began);
    // Somebody asked something else meanwhile and did not wait for this.
    if (this.#running !== running) return;
    this.#running = undefined;
    this.told.busy(false);
    if (this.#ask !== ask) void this.#begin();
    else if (wait !== undefined) this.#cancel = this.timers.later(wait, () => void this.#begin());
  }

  /** Tells what came of it; how long to wait until the next question. */
  async #outcome(
    running: { abort: AbortController; ask: Ask<T> },
    began: number,
  ): Promise<number | undefined> {
    const { signal } = running.abort;
    try {
      const value = await running.ask(signal);
      if (signal.aborted) return undefined;
      this.#failures = 0;
      this.told.value(value);
      const took = this.timers.now() - began;
      return this.#every === undefined ? undefined : Math.max(this.#every - took, took, 0);
    } catch (error) {
      if (signal.aborted) return undefined;
      const failure: Failure =
        error instanceof Failed
          ? error.failure
          : { kind: 'failed', error: 'This page made a mistake.', detail: String(error) };
      this.told.failure(failure);
      const { kind } = failure;
      const mayPass =
        kind === 'unreachable' || kind === 'later' || (kind === 'failed' && this.#every !== undefined);
      if (!mayPass) return undefined;
      this.#failures += 1;
      return Math.min(1000 * 2 ** (this.#failures - 1), BACK_OFF_MS_MAX);
    }
  }
}
