/**
 * A mail server that keeps what it takes: one line of JSON for each mail, as another program than ours reads it.
 *
 *   node smtp.mjs [refuse=N] [code=451] [port=N] [certificate=FILE key=FILE] [user=NAME password=WORDS]
 *
 * It prints `port N` first. The first `refuse` mails are refused with `code`. With a certificate it asks for STARTTLS first; with
 * `tls=implicit` the way is encrypted from the first octet.
 */

import { readFileSync } from 'node:fs';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

const told = Object.fromEntries(process.argv.slice(2).map((word) => word.split(/=(.*)/s)));
let refused = 0;

const server = new SMTPServer({
  secure: told.tls === 'implicit',
  authOptional: told.user === undefined,
  disabledCommands: told.certificate === undefined ? ['STARTTLS'] : [],
  allowInsecureAuth: false,
  hideSMTPUTF8: false,
  ...(told.certificate && { cert: readFileSync(told.certificate), key: readFileSync(told.key) }),
  onAuth({ username, password }, _session, done) {
    const isRight = username === told.user && password === told.password;
    done(isRight ? null : new Error('who is that?'), isRight ? { user: username } : undefined);
  },
  onData(stream, session, done) {
    const octets = [];
    stream.on('data', (some) => octets.push(some));
    stream.on('end', async () => {
      if (refused < Number(told.refuse ?? 0)) {
        refused += 1;
        done(Object.assign(new Error('not now'), { responseCode: Number(told.code ?? 451) }));
        return;
      }
      const raw = Buffer.concat(octets);
      const mail = await simpleParser(raw);
      const line = {
        envelope: session.envelope.rcptTo.map(({ address }) => address),
        secure: session.secure,
        user: session.user,
        headers: mail.headerLines.map(({ key, line }) => [key, line]),
        to: mail.to?.text,
        from: mail.from?.text,
        subject: mail.subject,
        messageId: mail.messageId,
        references: mail.references,
        inReplyTo: mail.inReplyTo,
        text: mail.text,
        html: mail.html,
        attachments: mail.attachments.map(({ filename, contentType, size }) => ({
          filename,
          contentType,
          size,
        })),
      };
      process.stdout.write(`${JSON.stringify(line)}\n`);
      done();
    });
  },
});
// A connection that ends in the middle is none of this program's business.
server.on('error', () => undefined);
server.listen(Number(told.port ?? 0), '127.0.0.1', () => {
  process.stdout.write(`port ${String(server.server.address().port)}\n`);
});
// Ends with whoever started it.
process.stdin.on('end', () => process.exit(0)).resume();
