/** What the server tells the clock: which recording the address means, and how late records are. */

import type { Lateness, Recorded } from '../../lib/api/schema';
import { resource, spoken } from '../../lib/ask.svelte';
import { clock } from '../../lib/clock.svelte';
import { path } from '../../lib/fetching';
import { both } from '../../lib/filter';
import { asFar } from '../../lib/recordings';
import { router } from '../../lib/router.svelte';

/** How often the server is asked how late records are. */
const LATENESS_S = 30;

/** Keeps the clock told. To be called once, while the clock's bar is made. */
export function tellClock(): void {
  tellRecording();
  tellLateness();
}

/** Its stretch and its notes. */
function tellRecording(): void {
  const name = $derived(router.shared.recording);
  const recorded = resource<Recorded>(() =>
    name === undefined ? undefined : `/api/v1/recordings/${encodeURIComponent(name)}`,
  );
  $effect(() => {
    const found = recorded.value;
    const isIt = name !== undefined && found && [found.name, found.id, String(found.number)].includes(name);
    clock.recorded = isIt ? asFar(found, Date.now()) : undefined;
    clock.recordedError = name === undefined ? undefined : recorded.error;
  });
}

/** What is finally known of a recording lacks none. */
function tellLateness(): void {
  const late = resource<Lateness>(() => {
    const { recording, known, filter } = router.shared;
    if (recording !== undefined && known === 'final') return undefined;
    return path('/api/v1/lateness', { filter: both(filter, spoken.subject) });
  }, LATENESS_S);
  $effect(() => {
    // Some filters cannot be asked about it.
    clock.lateness = late.error?.kind === 'refused' ? undefined : late.value;
  });
}
