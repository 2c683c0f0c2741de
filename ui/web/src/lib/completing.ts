/** What can be written next in a filter: the newest question wins, and names of the network are asked for now and then. No DOM. */

import type { Completion, TopRow, Wanted } from './api/schema';
import { path } from './fetching';
import { KNOWN_VALUES, type Offer, offers, wanted } from './filter';

/** What is known is asked anew after so long. */
const KNOWN_MS = 60_000;
const NAMES_MAX = 200;

type Names = Partial<Record<Wanted, string[]>>;

export class Completing {
  #turn = 0;
  #known: { of: string | undefined; since: number; names: Names } = { of: undefined, since: 0, names: {} };

  constructor(
    private readonly ask: (route: string) => Promise<unknown>,
    private readonly now: () => number,
  ) {}

  /**
   * What can stand at the cursor, counted in characters. Names are those of the recording, or of the last day. `undefined` if
   * somebody asked again meanwhile, or wants nothing any more.
   */
  async offers(text: string, cursor: number, recording: string | undefined): Promise<Offer[] | undefined> {
    const mine = (this.#turn += 1);
    const names = this.#names(recording);
    let found: Offer[] = [];
    try {
      const route = path('/api/v1/filter/complete', { text: text || ' ', cursor });
      const completions = (await this.ask(route)) as Completion[];
      await Promise.all(wanted(completions).map((kind) => this.#learn(kind, names, recording)));
      found = offers(completions, names);
    } catch {
      // Without completion one can still write.
    }
    return mine === this.#turn ? found : undefined;
  }

  /** Nothing is wanted any more: what is still under way comes to nothing. */
  drop(): void {
    this.#turn += 1;
  }

  #names(recording: string | undefined): Names {
    const isGood = this.#known.of === recording && this.now() - this.#known.since < KNOWN_MS;
    if (!isGood) this.#known = { of: recording, since: this.now(), names: {} };
    return this.#known.names;
  }

  async #learn(kind: Wanted, names: Names, recording: string | undefined): Promise<void> {
    const dimension = KNOWN_VALUES[kind];
    if (!dimension || names[kind]) return;
    const last = recording ? undefined : '1d';
    try {
      const route = path(`/api/v1/top/${dimension}`, { recording, last, limit: NAMES_MAX });
      names[kind] = ((await this.ask(route)) as TopRow[]).map(({ name }) => name);
    } catch {
      // Words of the language are offered all the same.
    }
  }
}
