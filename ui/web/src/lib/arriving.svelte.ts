/** Files that are being taken in, one after the other; they go on while somebody looks at another page. */

import { addressed } from './archive';
import type { Recorded } from './api/schema';
import { Failed, type Failure, path, sentence } from './fetching';
import { type Progress, sendFile } from './files';
import { harmless } from './names';
import { HEAD_OCTETS, isReel, nameOfCapture, whyRefused } from './recordings';
import { router } from './router.svelte';
import { status } from './status.svelte';

class Arrival {
  state = $state<'waiting' | 'sending' | 'failed' | 'done'>('waiting');
  progress = $state.raw<Progress>({ octets: 0, of: undefined });
  failure = $state.raw<Failure | undefined>();
  recorded = $state.raw<Recorded | undefined>();
  /** What it is to be called; its own name if empty. */
  name = $state('');
  readonly #abort = new AbortController();

  constructor(readonly file: File) {}

  /** Whether all has gone, and the server reads it. */
  get isBeingRead(): boolean {
    const { octets, of } = this.progress;
    return this.state === 'sending' && of !== undefined && octets >= of;
  }

  cancel(): void {
    this.#abort.abort();
  }

  /** What it is decides what it is called, and saves the way if it is nothing. */
  async #look(): Promise<void> {
    const head = new TextDecoder('latin1').decode(await this.file.slice(0, HEAD_OCTETS).arrayBuffer());
    if (isReel(head)) return;
    if (/\.reel$/i.test(this.file.name)) {
      const error = 'This is no recording: it does not begin like a .reel file. Was it cut off or changed?';
      throw new Failed({ kind: 'refused', error });
    }
    this.name ||= nameOfCapture(this.file.name);
  }

  async go(): Promise<void> {
    this.state = 'sending';
    try {
      await this.#look();
      const route = path('/api/v1/reels', { name: this.name.trim() });
      const told = (progress: Progress) => (this.progress = progress);
      this.recorded = (await sendFile(route, this.file, told, this.#abort.signal)) as Recorded;
      this.state = 'done';
    } catch (error) {
      this.state = 'failed';
      this.failure =
        error instanceof Failed
          ? { ...error.failure, error: sentence(whyRefused(error.failure.error)) }
          : {
              kind: 'failed',
              error: this.#abort.signal.aborted ? 'Cancelled.' : 'The file could not be sent.',
            };
    }
  }
}

class Arriving {
  all = $state.raw<Arrival[]>([]);
  #isBusy = false;

  take(files: Iterable<File>): void {
    this.all = [...this.all, ...[...files].map((file) => new Arrival(file))];
    void this.#work();
  }

  /** Again, with another name perhaps. */
  again(arrival: Arrival): void {
    const next = new Arrival(arrival.file);
    next.name = arrival.name;
    this.all = this.all.map((it) => (it === arrival ? next : it));
    void this.#work();
  }

  dismiss(arrival: Arrival): void {
    arrival.cancel();
    this.all = this.all.filter((it) => it !== arrival);
  }

  async #work(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (;;) {
      const next = this.all.find(({ state }) => state === 'waiting');
      if (!next) break;
      await next.go();
      const { recorded } = next;
      if (recorded) {
        const link = { href: router.toRecording(addressed(recorded)), text: 'Open it' };
        status.notice = { text: `“${harmless(recorded.name)}” is here.`, link };
      }
    }
    this.#isBusy = false;
  }
}

export type { Arrival };
export const arriving = new Arriving();
