/**
 * Somebody whom a webhook calls: one line of JSON for each call, with whether its signature is right, as another program reckons it.
 *
 *   node hook.mjs secret=WORDS [answers=503,301,…]
 *
 * It prints `port N` first. The first calls are answered with these statuses, `hang` by none, `large` with 10 MB; all others with 200.
 */

import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';

const told = Object.fromEntries(process.argv.slice(2).map((word) => word.split(/=(.*)/s)));
const answers = (told.answers ?? '').split(',').filter(Boolean);

const server = createServer((request, response) => {
  const octets = [];
  request.on('data', (some) => octets.push(some));
  request.on('end', () => {
    const body = Buffer.concat(octets).toString();
    const [, time, given] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(request.headers['flowreel-signature']) ?? [];
    const made = createHmac('sha256', told.secret).update(`${time}.${body}`).digest('hex');
    const isRight = made === given && Math.abs(Date.now() / 1000 - Number(time)) < 300;
    const { url, method, headers } = request;
    process.stdout.write(`${JSON.stringify({ url, method, headers, isRight, body: JSON.parse(body) })}\n`);
    const answer = answers.shift() ?? '200';
    if (answer === 'hang') return;
    if (answer === 'large') {
      response.end(Buffer.alloc(10_000_000, 'x'));
      return;
    }
    response.writeHead(Number(answer), { location: '/elsewhere' }).end('as told');
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`port ${String(server.address().port)}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();
