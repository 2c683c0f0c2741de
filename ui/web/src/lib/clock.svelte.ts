/** One clock for all pages, in three states: live, paused (or a range), in a recording. */

import { LAST, LAST_RECORDED, type Moment, seconds, written } from './address';
import type { Lateness, Recorded } from './api/schema';
import type { Failure } from './fetching';
import { type Incomplete, incomplete } from './lateness';
import { player } from './player.svelte';
import { asFar } from './recordings';
import { router } from './router.svelte';

/** A stretch of time in milliseconds since 1970; `to` is not in it. */
export interface Stretch {
  from: number;
  to: number;
}

/** How many steps of an arrow key it takes to leave what is shown. */
const STEPS = 30;
const TICK_MS = 1000;

class Clock {
  /** The time now. Ticks once a second while somebody looks. */
  now = $state(Date.now());
  /** Where a hand on the timeline is. */
  scrub = $state<number | undefined>();
  /** The recording that the address names, once the server has said what it is. */
  recorded = $state.raw<Recorded | undefined>();
  /** Why the server does not say it. */
  recordedError = $state.raw<Failure | undefined>();
  /** How late records are, once the server has said it. */
  lateness = $state.raw<Lateness | undefined>();
  /** Whether the recording shall play; views then come from a player. */
  playing = $state(false);

  get moment(): Moment {
    return router.shared.moment;
  }

  get isLive(): boolean {
    return this.moment.kind === 'live' && this.scrub === undefined;
  }

  get inRecording(): boolean {
    return router.shared.recording !== undefined;
  }

  /** How much is shown, as an address says it. */
  get last(): string {
    const { moment } = this;
    if ('last' in moment) return moment.last;
    if (moment.kind === 'all') return LAST_RECORDED;
    return written((Date.parse(moment.to) - Date.parse(moment.from)) / 1000);
  }

  /** How much is shown. */
  get lengthMs(): number {
    return (seconds(this.last) ?? 60) * 1000;
  }

  /** Where the time that is shown ends, if it is a point that can be moved. */
  get position(): number {
    if (this.scrub !== undefined) return this.scrub;
    const { moment } = this;
    if (this.playing && player.position) return Date.parse(player.position);
    if (moment.kind === 'paused') return Date.parse(moment.asOf);
    if (moment.kind === 'range') return Date.parse(moment.to);
    if (moment.kind === 'all') return this.recorded ? Date.parse(this.recorded.to) : this.now;
    return this.now;
  }

  /** What is shown. */
  get shown(): Stretch {
    const { moment } = this;
    if (this.scrub === undefined && !this.playing) {
      if (moment.kind === 'range') return { from: Date.parse(moment.from), to: Date.parse(moment.to) };
      if (moment.kind === 'all' && this.recorded) {
        return { from: Date.parse(this.recorded.from), to: Date.parse(this.recorded.to) };
      }
    }
    return { from: this.position - this.lengthMs, to: this.position };
  }

  /** Whether only what had arrived by the time that is shown is known. */
  get isAsThen(): boolean {
    const { kind } = this.moment;
    const isHeld = this.scrub !== undefined || (this.playing && this.inRecording);
    return router.shared.known === 'then' && (isHeld || kind === 'paused' || kind === 'range');
  }

  /** What is missing in an answer that came at `since`, as records still arrived: shaded in drawings. */
  incomplete(since: number | undefined): Incomplete | undefined {
    if (this.isAsThen) return this.incompleteBy(this.shown.to);
    return this.inRecording ? undefined : this.incompleteBy(since);
  }

  /** What is missing of what was known at a time. */
  incompleteBy(known: number | undefined): Incomplete | undefined {
    return this.lateness && known !== undefined ? incomplete(this.lateness, known) : undefined;
  }

  /** Back to what arrives now. */
  live(): void {
    this.stop();
    router.share({
      recording: undefined,
      known: 'final',
      moment: { kind: 'live', last: this.inRecording || this.moment.kind === 'range' ? LAST : this.last },
    });
  }

  /** Holds the time that is shown. */
  pause(at = this.position): void {
    this.stop();
    router.share({ moment: { kind: 'paused', last: this.last, asOf: iso(at) } });
  }

  /** Space: holds what moves; moves what is held, where it was or, outside of a recording, on live. */
  toggle(): void {
    if (this.inRecording) {
      if (this.playing) this.pause();
      else this.playing = true;
    } else if (this.isLive) this.pause();
    else this.live();
  }

  /** Arrow keys: a thirtieth of what is shown, at least a second. */
  step(times: number): void {
    const by = Math.max(1000, Math.round(this.lengthMs / STEPS / 1000) * 1000);
    this.moveTo(this.position + times * by, true);
  }

  /** Ends what is shown at this time. */
  moveTo(position: number, replace = false): void {
    this.scrub = undefined;
    const at = iso(this.#within(position));
    if (this.playing) void player.tell({ do: 'seek', to: at });
    else
      router.share(
        { moment: { kind: 'paused', last: this.last, asOf: at } },
        replace && this.moment.kind === 'paused',
      );
  }

  /** A hand moves on the timeline: a frame of what is there, without a step in the history. */
  drag(position: number): void {
    this.scrub = this.#within(position);
  }

  /** Shows so much, wherever it ends. */
  setLast(last: string): void {
    const { moment } = this;
    const asOf = moment.kind === 'live' ? undefined : iso(this.position);
    const isAll = moment.kind === 'live' || (moment.kind === 'range' && !this.inRecording);
    this.stop();
    router.share({ moment: isAll || !asOf ? { kind: 'live', last } : { kind: 'paused', last, asOf } });
  }

  setRange({ from, to }: Stretch): void {
    this.stop();
    // Less than this cannot be drawn; whoever clicks without dragging means nothing.
    if (to - from < 1000) return;
    router.share({ moment: { kind: 'range', from: iso(from), to: iso(to) } });
  }

  /** All of a recording. */
  setAll(): void {
    this.stop();
    router.share({ moment: { kind: 'all' } });
  }

  /** What the server says of a recording by now, if it is still the one that is shown. */
  hear(recorded: Recorded): void {
    if (recorded.id === this.recorded?.id) this.recorded = asFar(recorded, Date.now());
  }

  /** Ends playing. */
  stop(): void {
    this.playing = false;
    this.scrub = undefined;
  }

  /** Ticks until the returned function is called. */
  watch(): () => void {
    const timer = setInterval(() => {
      if (!document.hidden) this.now = Date.now();
    }, TICK_MS);
    return () => {
      clearInterval(timer);
    };
  }

  /** Nothing lies after now, and nothing outside of a recording. */
  #within(position: number): number {
    if (this.inRecording && this.recorded) {
      const { from, to } = this.recorded;
      return Math.min(Math.max(position, Date.parse(from)), Date.parse(to));
    }
    return Math.min(position, this.now);
  }
}

export const iso = (ms: number): string => new Date(Math.round(ms)).toISOString();

export const clock = new Clock();
