/** What changes among tickets, as the server tells it. */

/** A browser does not come back by itself where the server answered, and refused. */
const AGAIN_MS = 5000;

/**
 * Calls back with the number of each ticket that is new or changed, and with `undefined` where some may have been missed: all has to be
 * asked again then. Goes on until the returned function is called.
 */
export function listen(heard: (number: number | undefined) => void): () => void {
  let events: EventSource | undefined;
  let timer = 0;
  let wasBroken = false;
  const open = () => {
    const stream = new EventSource('/api/v1/tickets/events');
    events = stream;
    stream.addEventListener('open', () => {
      if (wasBroken) heard(undefined);
      wasBroken = false;
    });
    stream.addEventListener('ticket', ({ data }) => {
      heard(Number(data));
    });
    stream.addEventListener('missed', () => {
      heard(undefined);
    });
    stream.addEventListener('error', () => {
      wasBroken = true;
      if (stream.readyState === EventSource.CLOSED) timer = window.setTimeout(open, AGAIN_MS);
    });
  };
  open();
  return () => {
    clearTimeout(timer);
    events?.close();
  };
}
