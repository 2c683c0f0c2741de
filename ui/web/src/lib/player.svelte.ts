/** A recording that plays: one player on the server for all views of the page. Its shape is `docs/recordings.md`'s. */

import type { ErrorBody, Knowledge, Made, PlayerState, View } from './api/schema';
import { Failed, type Failure, failure } from './fetching';
import { api, send, status } from './status.svelte';

/** The data of an `event: frame`: the answers of all views for one moment. */
export interface Frame {
  position: string;
  window: { from: string; to: string };
  jumped: boolean;
  state: PlayerState;
  answers: Record<string, unknown>;
  errors?: Record<string, ErrorBody>;
}

/** What to play, and how. */
export interface Programme {
  recording: string;
  views: Record<string, View>;
  filter: string;
  window: string;
  knowledge: Knowledge;
  position: string | undefined;
}

/** Whatever can be told to a player; see `POST /api/v1/players/{id}`. */
export type Command =
  | { do: 'play' | 'pause' }
  | { do: 'step'; frames: number }
  | { do: 'seek'; to: string }
  | { do: 'speed'; times: number }
  | { do: 'loop'; on: boolean }
  | { do: 'marks'; from?: string | undefined; to?: string | undefined }
  | { do: 'knowledge'; to: Knowledge };

/** Speeds that are offered; any from 0.1 to 1,000 can be had. */
export const SPEEDS = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 100, 1000];

/** Hears what a player says. */
export interface Listener {
  frame(frame: Frame): void;
  failure(failure: Failure): void;
  /** It played, and is gone from the server, though nobody ended it. */
  gone(): void;
}

class Player {
  /** What the player on the server does; `undefined` while there is none. */
  state = $state.raw<PlayerState | undefined>();
  /** What the next player begins with, too. */
  speed = $state(1);
  looping = $state(false);
  marks = $state.raw<{ from?: string | undefined; to?: string | undefined }>({});
  #id: string | undefined;
  #events: EventSource | undefined;
  #listener: Listener | undefined;
  #hasPlayed = false;
  /** Grows with every command: an older one may be answered later. */
  #told = 0;
  /** Grows with every programme: what an earlier one still says is not heard. */
  #turn = 0;

  /** Where it is. */
  get position(): string | undefined {
    return this.state?.position;
  }

  /** Makes a player and lets it play. Ends the one before, of which nothing is heard any more. */
  async play(programme: Programme, listener: Listener): Promise<void> {
    const turn = (this.#turn += 1);
    const isOver = () => turn !== this.#turn;
    this.#close();
    const { position, recording, views, filter, window, knowledge } = programme;
    try {
      const made = (await send('POST', '/api/v1/players', {
        ...{ recording, views, window, knowledge, ...this.marks },
        ...(filter.trim() && { filter }),
        ...{ speed: this.speed, loop: this.looping },
      })) as Made;
      if (isOver()) {
        void this.#end(made.id);
        return;
      }
      this.#id = made.id;
      this.state = made.state;
      this.#listener = listener;
      this.#hasPlayed = false;
      if (position && position < made.state.to) await this.#command({ do: 'seek', to: position });
      if (isOver()) return;
      this.#listen(made.id, turn, listener);
      await this.#command({ do: 'play' });
    } catch (error) {
      if (isOver()) return;
      this.stop();
      listener.failure(reason(error, 'The player could not be started.'));
    }
  }

  /** Tells the player; it does it at once. */
  async tell(command: Command): Promise<void> {
    if (command.do === 'speed') this.speed = command.times;
    if (command.do === 'loop') this.looping = command.on;
    if (command.do === 'marks') this.marks = { from: command.from, to: command.to };
    const turn = this.#turn;
    try {
      await this.#command(command);
    } catch (error) {
      if (turn !== this.#turn) return;
      const failure = reason(error, 'The player could not be told.');
      if (failure.kind === 'missing') this.#gone(failure);
      else status.notice = { text: failure.error };
    }
  }

  async #command(command: Command): Promise<void> {
    if (!this.#id) return;
    const [turn, told] = [this.#turn, (this.#told += 1)];
    const state = (await send('POST', `/api/v1/players/${this.#id}`, command)) as PlayerState;
    if (turn === this.#turn && told === this.#told) this.state = state;
  }

  /** Ends it. Where it was is known from the state before. */
  stop(): void {
    this.#turn += 1;
    this.#close();
    this.state = undefined;
  }

  #listen(id: string, turn: number, listener: Listener): void {
    const events = new EventSource(`/api/v1/players/${id}/frames`);
    this.#events = events;
    const on = (name: string, hear: (data: unknown) => void) => {
      events.addEventListener(name, (event) => {
        if (turn === this.#turn && event instanceof MessageEvent) hear(JSON.parse(String(event.data)));
      });
    };
    on('state', (data) => {
      this.state = data as PlayerState;
    });
    on('frame', (data) => {
      const frame = data as Frame;
      this.#hasPlayed = true;
      this.state = frame.state;
      listener.frame(frame);
    });
    // Ours has data; the browser's own has none, and heals by itself unless the server knows this player no more.
    on('error', (data) => {
      listener.failure(failure(503, data));
    });
    events.addEventListener('error', () => {
      if (turn !== this.#turn || events.readyState !== EventSource.CLOSED) return;
      this.#gone({ kind: 'missing', error: 'The player is gone.' });
    });
  }

  /** One that has played is made anew; one that never did would be made again and again. */
  #gone(failure: Failure): void {
    const listener = this.#listener;
    this.#events?.close();
    this.#events = this.#id = this.#listener = undefined;
    if (this.#hasPlayed) {
      listener?.gone();
      return;
    }
    this.stop();
    listener?.failure(failure);
  }

  #close(): void {
    this.#events?.close();
    this.#events = this.#listener = undefined;
    if (this.#id) void this.#end(this.#id);
    this.#id = undefined;
  }

  async #end(id: string): Promise<void> {
    try {
      await api(`/api/v1/players/${id}`, { method: 'DELETE' });
    } catch {
      // One that nobody listens to ends by itself.
    }
  }
}

const reason = (error: unknown, otherwise: string): Failure =>
  error instanceof Failed ? error.failure : { kind: 'failed', error: otherwise };

export const player = new Player();
