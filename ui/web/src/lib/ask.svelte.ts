/**
 * Asks the server what a page shows. The one place for it.
 *
 * What is live is asked again once a second, what is paused once; while a recording plays, one player on the server sends the
 * answers of all views of the page with each frame.
 */

import { getContext, setContext, untrack } from 'svelte';
import { asked, type Shared } from './address';
import type { FlowsAnswer, SeriesAnswer, TopRow, View } from './api/schema';
import { clock, iso } from './clock.svelte';
import { type Failure, failure, isLive, type Parameters, path, SHARED } from './fetching';
import { both } from './filter';
import { type Frame, player } from './player.svelte';
import { Polling, type Timers } from './polling';
import { router } from './router.svelte';
import { api, status } from './status.svelte';

/** How often what is live is asked. */
const LIVE_MS = 1000;
/** The server gives up a question before; longer waits a dead connection. */
const ANSWER_MS_MAX = 150_000;
/** A player that is gone is made again after this. */
const AGAIN_MS = 1000;
/** A player takes no more views than this; further ones are asked by themselves at its position. */
export const PLAYER_VIEWS_MAX = 12;

/** What came of a question, so far. The last answer stays until there is another. */
export interface Answer<T> {
  readonly value: T | undefined;
  readonly error: Failure | undefined;
  /** Whether it is being asked for, and nothing is there to show. */
  readonly loading: boolean;
  /** When the answer came, milliseconds since 1970. */
  readonly since: number | undefined;
}

type AnswerOf<V extends View> = V extends { top: unknown }
  ? TopRow[]
  : V extends { series: unknown }
    ? SeriesAnswer
    : FlowsAnswer;

const timers: Timers = {
  now: () => performance.now(),
  later(ms, run) {
    let handle = 0;
    // Nobody looks: nothing is asked until somebody does.
    const wait = () => {
      handle = document.hidden ? window.setTimeout(wait, 500) : (run(), 0);
    };
    handle = window.setTimeout(wait, ms);
    return () => {
      clearTimeout(handle);
    };
  },
};

/** The reactive side of a question. */
class Asked<T> implements Answer<T> {
  value = $state.raw<T | undefined>();
  error = $state.raw<Failure | undefined>();
  since = $state<number | undefined>();
  #busy = $state(true);
  #route: string | undefined;
  readonly polling = new Polling<T>(
    {
      value: (value) => {
        this.deliver(value);
      },
      failure: (error) => {
        this.error = error;
      },
      busy: (busy) => {
        this.#busy = busy;
      },
    },
    timers,
  );

  /** Asks this from now on. That one thing is missing says nothing of another. */
  ask(route: string, every: number | undefined, finish = false): void {
    if (route !== this.#route && this.error?.kind === 'missing') this.error = undefined;
    this.#route = route;
    this.polling.ask(asking<T>(route, every), every, finish);
  }

  /** Nothing is asked any more, and an old answer is none to what is asked next. */
  clear(): void {
    this.polling.stop();
    this.#route = undefined;
    this.value = undefined;
    this.error = undefined;
    this.since = undefined;
  }

  get loading(): boolean {
    return this.#busy && this.value === undefined && this.error === undefined;
  }

  deliver(value: T): void {
    this.value = value;
    this.error = undefined;
    this.since = Date.now();
  }
}

const SUBJECT = Symbol('subject');
const nothing = () => '';

/** Asks a route; `every` if it is asked again and again. */
const asking =
  <T>(route: string, every: number | undefined) =>
  (signal: AbortSignal): Promise<T> => {
    const isShared = every !== undefined && isLive(route);
    const init = { signal, ...(isShared && { headers: SHARED }) };
    return api(route, init, ANSWER_MS_MAX) as Promise<T>;
  };

/** What the page is about, for what is around it. */
class Spoken {
  subject = $state('');
}
export const spoken = new Spoken();

/**
 * Says what a page is about, as a filter: all that it and what is within it asks is of this only, and of the filter that all
 * pages share. To be called while the page is made.
 */
export function about(clause: () => string): void {
  setContext(SUBJECT, clause);
  $effect(() => {
    const said = clause();
    spoken.subject = said;
    return () => {
      if (spoken.subject === said) spoken.subject = '';
    };
  });
}

/** What a question is of: what all pages share, narrowed to the subject of its page. */
const narrowed = (clause: string): Shared => ({
  ...router.shared,
  filter: both(router.shared.filter, clause),
});

/**
 * A view of what is shown: `view(() => ({ top: { dimension: 'applications' } }))`. To be called while a component is made; it
 * ends with it. A view that is `undefined` is not asked. With `only`, a filter, it is of that and not of the page's subject; as
 * a player has one filter, it is then asked by itself at the player's position.
 */
export function view<V extends View>(wanted: () => V | undefined, only?: () => string): Answer<AnswerOf<V>> {
  const answer = new Asked<AnswerOf<V>>();
  const subject = getContext<(() => string) | undefined>(SUBJECT) ?? nothing;
  const text = $derived(JSON.stringify(wanted()) as string | undefined);
  // By their values: an address that changes elsewhere must not begin a player anew.
  const isStaged = $derived(!only && clock.playing && clock.inRecording);
  const clause = $derived(subject());
  $effect(() => {
    if (text === undefined || !isStaged) return;
    return stage.enter(JSON.parse(text) as View, clause, answer as Asked<unknown>);
  });
  follow(
    answer,
    (moment) => {
      if (text === undefined || isStaged) return undefined;
      return routeOf(JSON.parse(text) as View, moment);
    },
    LIVE_MS,
    only,
  );
  return answer;
}

/**
 * Any other route that depends on the clock. `route` gets the parameters that questions have and makes a path of them; while a
 * recording plays it is asked at the player's position, once a second. What costs more is asked less often: `liveMs`.
 */
export function question<T>(
  route: (moment: Record<string, string>) => string | undefined,
  liveMs = LIVE_MS,
): Answer<T> {
  const answer = new Asked<T>();
  follow(answer, route, liveMs, undefined, () => {
    answer.clear();
  });
  return answer;
}

/**
 * A route that does not depend on the clock: asked once, or every so many seconds. `again` asks it anew; many times in a row, as news
 * come, it lets what is under way bring its answer first if `isPatient`.
 */
export function resource<T>(
  route: () => string | undefined,
  everySeconds?: number,
): Answer<T> & { again(isPatient?: boolean): void } {
  const answer = new Asked<T>();
  let turn = $state(0);
  let finish = false;
  let wasAsked: string | undefined;
  // By its text: the clock may move without changing it.
  const path = $derived(route());
  $effect(() => {
    // Asked anew when somebody says so.
    void turn;
    const wanted = path;
    const every = everySeconds && everySeconds * 1000;
    untrack(() => {
      if (wanted === undefined) answer.clear();
      else answer.ask(wanted, every, finish && wanted === wasAsked);
      wasAsked = wanted;
      finish = false;
    });
  });
  $effect(() => () => {
    answer.polling.stop();
  });
  return Object.assign(answer, {
    again(isPatient = false) {
      finish = isPatient;
      // Whoever calls this in an effect does not depend on it.
      turn = untrack(() => turn) + 1;
    },
  });
}

/** Keeps a question asked as the clock moves. `rest` ends it while there is none. */
function follow<T>(
  answer: Asked<T>,
  route: (moment: Record<string, string>) => string | undefined,
  liveMs = LIVE_MS,
  only?: () => string,
  rest = () => {
    answer.polling.stop();
  },
): void {
  const clause = only ?? getContext<(() => string) | undefined>(SUBJECT) ?? nothing;
  // By the second, as a position of a player changes ten times in it.
  const heldAt = $derived.by(() => {
    if (clock.scrub !== undefined) return iso(clock.scrub);
    if (!clock.playing || !clock.inRecording) return undefined;
    return iso(Math.floor(clock.position / 1000) * 1000);
  });
  const path = $derived.by(() => {
    const at = heldAt === undefined ? undefined : { position: heldAt, last: clock.last };
    return route(asked(narrowed(clause()), at));
  });
  const every = $derived(clock.isLive && !clock.inRecording ? liveMs : undefined);
  $effect(() => {
    const [wanted, often, isHeld] = [path, every, heldAt !== undefined];
    untrack(() => {
      if (wanted === undefined) rest();
      else answer.ask(wanted, often, isHeld);
    });
  });
  $effect(() => () => {
    answer.polling.stop();
  });
}

/** The route that answers a view. */
export function routeOf(view: View, moment: Parameters): string {
  if ('top' in view) {
    const { dimension, ...rest } = view.top;
    return path(`/api/v1/top/${dimension}`, { ...moment, ...rest });
  }
  if ('series' in view) return path('/api/v1/series', { ...moment, ...view.series });
  return path('/api/v1/flows', { ...moment, ...view.flows });
}

const NO_VIEW: View = { series: { by: 'octets' } };

/** The views of the page while a recording plays. */
class Stage {
  #views = new Map<string, { view: View; subject: string; answer: Asked<unknown> }>();
  #names = 0;
  #due = 0;

  /** A view comes; the returned function lets it go. */
  enter(view: View, subject: string, answer: Asked<unknown>): () => void {
    const name = `v${String((this.#names += 1))}`;
    this.#views.set(name, { view, subject, answer });
    this.changed();
    return () => {
      this.#views.delete(name);
      this.changed();
    };
  }

  /** Begins anew, once all that changes at the same time has changed. */
  changed(afterMs = 0): void {
    clearTimeout(this.#due);
    this.#due = window.setTimeout(() => {
      this.#begin();
    }, afterMs);
  }

  #begin(): void {
    const { recording, known } = router.shared;
    if (!clock.playing || recording === undefined) {
      player.stop();
      return;
    }
    const entries = [...this.#views].slice(0, PLAYER_VIEWS_MAX);
    // Where a page has none its time goes on all the same: a player shows at least one.
    const views = entries.length > 0 ? entries.map(([name, { view }]) => [name, view]) : [['none', NO_VIEW]];
    const { filter, moment } = narrowed(entries[0]?.[1].subject ?? '');
    const position = player.position ?? (moment.kind === 'paused' ? moment.asOf : undefined);
    const rest = { filter, window: clock.last, knowledge: known, position };
    void player.play(
      { recording, views: Object.fromEntries(views) as Record<string, View>, ...rest },
      {
        frame: (frame) => {
          this.#deliver(frame);
        },
        failure: (error) => {
          // Whoever is signed out keeps what is shown until they have signed in again.
          if (error.kind !== 'nobody') for (const { answer } of this.#views.values()) answer.error = error;
          if (player.state) return;
          if (error.kind !== 'nobody')
            status.notice = { text: `The recording cannot be played: ${error.error}` };
          // Held where it was.
          if (position) clock.pause(Date.parse(position));
          else clock.stop();
        },
        gone: () => {
          this.changed(AGAIN_MS);
        },
      },
    );
  }

  #deliver(frame: Frame): void {
    for (const [name, { answer }] of this.#views) {
      const error = frame.errors?.[name];
      if (error) answer.error = failure(400, error);
      else if (name in frame.answers) answer.deliver(frame.answers[name]);
    }
  }
}

const stage = new Stage();

/** What makes a player begin anew, or ends it: to be called once, where the pages are made. */
export function watchStage(): void {
  const programme = $derived.by(() => {
    const { recording, filter, known } = router.shared;
    return JSON.stringify([clock.playing, clock.last, recording, filter, known]);
  });
  $effect(() => {
    void programme;
    stage.changed();
  });
  const recording = $derived(router.shared.recording);
  let before = untrack(() => recording);
  $effect(() => {
    // Another one does not play by itself, nor from there, nor between the marks of this one.
    if (recording === before) return;
    before = recording;
    player.marks = {};
    clock.stop();
  });
  $effect(() => {
    // It came to its end: held there.
    if (clock.playing && player.state && !player.state.playing && player.state.position >= player.state.to)
      clock.pause();
  });
}
