/** A recording that plays: one player on the server for all views of the page. Its shape is `docs/recordings.md`'s. */

import type { ErrorBody, Knowledge, Made, PlayerState, View } from './api/schema';
import { Failed, type Failure, failure } from './fetching';
import { api, send } from './status.svelte';

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
  /** Grows with every programme: what an earlier one still says is not heard. */
  #turn = 0;

  /** Where it is. */
  get position(): string | undefined {
    return this.state?.position;
  }

  /** Makes a player and lets it play. Ends the one before. */
  async play(programme: Programme, listener: Listener): Promise<void> {
    const turn = (this.#turn += 1);
    this.#close();
    const { position, recording, views, filter, window, knowledge } = programme;
    try {
      const made = (await send('POST', '/api/v1/players', {
        ...{ recording, views, window, knowledge, ...this.marks },
        ...(filter.trim() && { filter }),
        ...{ speed: this.speed, loop: this.looping },
      })) as Made;
      if (turn !== this.#turn) {
        void this.#end(made.id);
        return;
      }
      this.#id = made.id;
      this.state = made.state;
      if (position && position < made.state.to) await this.tell({ do: 'seek', to: position });
      this.#listen(made.id, turn, listener);
      await this.tell({ do: 'play' });
    } catch (error) {
      if (turn === this.#turn) this.stop();
      listener.failure(
        error instanceof Failed
          ? error.failure
          : { kind: 'failed', error: 'The player could not be started.' },
      );
    }
  }

  /** Tells the player; it does it at once. */
  async tell(command: Command): Promise<void> {
    if (command.do === 'speed') this.speed = command.times;
    if (command.do === 'loop') this.looping = command.on;
    if (command.do === 'marks') this.marks = { from: command.from, to: command.to };
    if (!this.#id) return;
    const [id, turn] = [this.#id, this.#turn];
    const state = (await send('POST', `/api/v1/players/${id}`, command)) as PlayerState;
    if (turn === this.#turn) this.state = state;
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
      this.state = frame.state;
      listener.frame(frame);
    });
    // Ours has data; the browser's own, of a connection that broke, has none and heals by itself.
    on('error', (data) => {
      listener.failure(failure(503, data));
    });
  }

  #close(): void {
    this.#events?.close();
    this.#events = undefined;
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

export const player = new Player();
