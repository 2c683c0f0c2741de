/** The rules as the settings show and change them. */

import type { Rules } from '../../lib/api/schema';
import { type Answer, resource } from '../../lib/ask.svelte';
import { Failed } from '../../lib/fetching';
import { Changed, type Kind, type Listed, listed, type RuleOf } from '../../lib/rules';
import { api, send } from '../../lib/status.svelte';

const CATALOG = '/api/v1/rules/catalog';

/** Both lists of rules, and how to change the one that can be. To be made while a component is. */
export class Book {
  /** Grows with every change that was made here. */
  changes = $state(0);
  readonly #inForce = resource<Rules>(() => '/api/v1/rules', 30);
  readonly #catalog = resource<Rules>(() => CATALOG, 30);

  /** What a panel waits for: both lists. */
  readonly answer: Answer<unknown> = this.#both();

  #both(): Answer<unknown> {
    const [one, other] = [() => this.#inForce, () => this.#catalog];
    return {
      get value() {
        return one().value && other().value;
      },
      get error() {
        return one().error ?? other().error;
      },
      get loading() {
        return one().loading || other().loading;
      },
      get since() {
        return other().since;
      },
    };
  }

  list<K extends Kind>(kind: K): Listed<RuleOf<K>>[] {
    const [inForce, catalog] = [this.#inForce.value, this.#catalog.value];
    return inForce && catalog ? listed(kind, inForce, catalog) : [];
  }

  /**
   * Changes the catalog as it is now, and not as it was when the page was opened: what others did meanwhile stays. The sentence
   * that says why not, if it could not be done.
   */
  async change(edit: (catalog: Rules) => Rules): Promise<string | undefined> {
    try {
      const catalog = (await api(CATALOG)) as Rules;
      await send('PUT', '/api/v1/rules', edit(catalog));
      this.changes += 1;
      return undefined;
    } catch (error) {
      if (error instanceof Failed) return error.failure.error;
      if (error instanceof Changed) return error.message;
      return 'The rules could not be changed.';
    } finally {
      this.#inForce.again();
      this.#catalog.again();
    }
  }
}
