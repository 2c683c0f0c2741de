/** Where we are: the address, and how to go elsewhere. Everything that a page shows is in it. */

import { own, read, recordingAt, type Shared, write } from './address';
import { pathOf } from './routes';

class Router {
  path = $state(decoded(location.pathname));
  #query = $state.raw(new URLSearchParams(location.search));
  #shared = $derived(read(this.#query, this.path));

  constructor() {
    addEventListener('popstate', () => {
      this.#take();
    });
    document.addEventListener('click', (event) => {
      this.#click(event);
    });
  }

  /** What all pages share. */
  get shared(): Shared {
    return this.#shared;
  }

  /** A parameter of this page alone. */
  own(name: string): string | undefined {
    return this.#query.get(name) ?? undefined;
  }

  /** The address of a page, with the clock, the recording and the filter that are now. */
  link(path: string, parameters: Record<string, string> = {}, changes: Partial<Shared> = {}): string {
    return write(path, { ...this.#shared, ...changes }, Object.entries(parameters));
  }

  /** The address of a recording's page, which begins with all of it. */
  toRecording(name: string): string {
    const whole: Partial<Shared> = { recording: name, moment: { kind: 'all' }, filter: '', known: 'final' };
    return this.link(pathOf('recordings', name), {}, whole);
  }

  /** Goes there. `replace`: back does not lead to where we were. */
  go(href: string, replace = false): void {
    const url = new URL(href, location.href);
    const isSame = url.href === location.href;
    const isOtherPage = url.pathname !== location.pathname;
    if (replace || isSame) history.replaceState(null, '', url);
    else history.pushState(null, '', url);
    this.#take();
    if (isOtherPage) scrollTo(0, 0);
  }

  /** Changes what all pages share. */
  share(changes: Partial<Shared>, replace = false): void {
    const isLeft = 'recording' in changes && changes.recording !== recordingAt(this.path);
    // A recording's own page shows no other one, and nothing live.
    const path = isLeft && recordingAt(this.path) !== undefined ? '/' : location.pathname;
    this.go(write(path, { ...this.#shared, ...changes }, own(this.#query)), replace);
  }

  /** Changes parameters of this page alone; one that is `undefined` goes. */
  set(changes: Record<string, string | undefined>, replace = false): void {
    const parameters = new Map([...own(this.#query), ...Object.entries(changes)]);
    const kept = [...parameters].filter((entry): entry is [string, string] => entry[1] !== undefined);
    this.go(write(location.pathname, this.#shared, kept), replace);
  }

  #take(): void {
    this.path = decoded(location.pathname);
    this.#query = new URLSearchParams(location.search);
  }

  /** A link to a page of ours is followed without loading anything. */
  #click(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey)
      return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (link.hash || link.pathname.startsWith('/api/') || link.pathname.startsWith('/assets/')) return;
    event.preventDefault();
    this.go(link.href);
  }
}

/** Segments are decoded one by one where they are used; here only what would break a comparison. */
function decoded(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}

export const router = new Router();
