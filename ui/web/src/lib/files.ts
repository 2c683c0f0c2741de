/** Files to and from the server, with how far they are. */

import { Failed, failure, type Failure } from './fetching';
import { me } from './me.svelte';
import { status } from './status.svelte';

/** Octets that have gone, of how many; `undefined` where that is not known. */
export interface Progress {
  octets: number;
  of: number | undefined;
}

const BROKEN: Failure = {
  kind: 'unreachable',
  error: 'The connection broke off.',
  detail: 'The server does not answer, or it refused the file before all of it had come.',
};

/** Sends a file as it is; `fetch` cannot say how far it is. */
export function sendFile(
  route: string,
  file: Blob,
  told: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', route);
    request.setRequestHeader('accept', 'application/json');
    request.setRequestHeader('content-type', 'application/octet-stream');
    request.upload.onprogress = ({ loaded, total }) => {
      told({ octets: loaded, of: total });
    };
    request.onload = () => {
      status.heard(true);
      const body = parsed(request.responseText);
      if (request.status >= 200 && request.status < 300) resolve(body);
      else reject(new Failed(heard(failure(request.status, body))));
    };
    request.onerror = () => {
      reject(new Failed(BROKEN));
    };
    request.onabort = () => {
      reject(new DOMException('Cancelled', 'AbortError'));
    };
    signal.addEventListener('abort', () => {
      request.abort();
    });
    // Nobody hears of an abort that came before.
    if (signal.aborted) reject(new DOMException('Cancelled', 'AbortError'));
    else request.send(file);
  });
}

/** Whoever is not known is asked to sign in. */
function heard(failure: Failure): Failure {
  me.heard(failure);
  return failure;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Fetches a file that takes a while to make, so that a reason can be shown if it can't be made. */
export async function fetchFile(
  route: string,
  told: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Blob> {
  let response: Response;
  try {
    response = await fetch(route, { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Failed(BROKEN);
  }
  if (!response.ok || !response.body)
    throw new Failed(heard(failure(response.status, parsed(await response.text()))));
  const length = Number(response.headers.get('content-length'));
  const of = length > 0 ? length : undefined;
  let octets = 0;
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, stream) {
        octets += piece.length;
        told({ octets, of });
        stream.enqueue(piece);
      },
    }),
  );
  try {
    // The browser keeps what is large on disk.
    return await new Response(counted).blob();
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Failed(BROKEN);
  }
}
