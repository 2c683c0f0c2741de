/** What can be done with a recording. */

import type { Recorded } from './api/schema';
import { send } from './status.svelte';

/** By its id: a name may be anything, `..` too, which no address survives. */
const route = ({ id }: Pick<Recorded, 'id'>, what = ''): string => `/api/v1/recordings/${id}${what}`;

export const stop = (it: Recorded) => send('POST', route(it, '/stop')) as Promise<Recorded>;
export const keep = (it: Recorded) => send('POST', route(it, '/keep')) as Promise<Recorded>;
export const remove = (it: Recorded) => send('DELETE', route(it));
export const note = (it: Recorded, at: string, text: string) =>
  send('POST', route(it, '/notes'), { at, text }) as Promise<Recorded>;

export const detailsRoute = (it: Recorded): string => route(it);
export const fileRoute = (it: Recorded, kind: string, anonymize: boolean): string =>
  route(it, `/file?kind=${kind}${anonymize ? '&anonymize=true' : ''}`);

/** What it is called in an address. */
export const addressed = ({ name, id }: Pick<Recorded, 'name' | 'id'>): string =>
  name === '.' || name === '..' ? id : name;
