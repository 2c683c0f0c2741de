/** Waiting for a condition, never for a time. */

const PATIENCE_MS = 120_000;
/** Looks less and less often: what takes long takes no longer by being asked. */
const LOOK_MS = { first: 20, times: 1.2, last: 500 };

/** What the condition says as soon as it says something; an error that names it if it never does. */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const end = performance.now() + patienceMs;
  for (let wait = LOOK_MS.first; ; wait = Math.min(wait * LOOK_MS.times, LOOK_MS.last)) {
    const found = await condition();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`it never came to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
